"""How wide lines may be: a terminal breaks them, a file and a pipe do not."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterator


def width() -> int | None:
    """Return the terminal's width; None where standard output is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def wrapped(text: str, columns: int | None, indent: str = "", hanging: str | None = None) -> Iterator[str]:
    """Yield a text as lines of at most so many columns; words that are longer are broken, at no hyphen.

    The first line stands behind `indent`, the others behind `hanging` (else `indent` too). Without columns all stays.
    """
    if columns is None:
        yield indent + text
        return
    later = indent if hanging is None else hanging
    room = max(columns, len(indent) + 1, len(later) + 1)
    for line in text.splitlines() or [""]:
        yield from textwrap.wrap(
            line, room, initial_indent=indent, subsequent_indent=later, break_on_hyphens=False
        ) or [indent.rstrip()]
        indent = later
