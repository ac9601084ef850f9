"""How wide lines may be: a terminal breaks them, a file and a pipe do not."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterator


def width() -> int | None:
    """Return the terminal's width; None where standard output is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def wrapped(text: str, columns: int | None, indent: str = "") -> Iterator[str]:
    """Yield a text as lines of at most so many columns, each behind an indent; words that are longer are broken."""
    if columns is None:
        yield indent + text
        return
    room = max(columns - len(indent), 1)
    for line in text.splitlines() or [""]:
        for part in textwrap.wrap(line, room, break_on_hyphens=False) or [""]:
            yield indent + part
