"""How wide lines may be: a terminal breaks them, a file and a pipe do not."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterator
from contextlib import suppress


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


def print_error(text: str) -> None:
    """Print what is wrong to standard error: a terminal gets lines that end between words, and obeys nothing in them.

    Longer words, such as URLs and ids, stay whole.
    """
    columns = _columns_of_errors() if sys.stderr.isatty() else None
    for line in text.splitlines():
        shown = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in line)
        if columns is None:
            lines = [shown]
        else:
            indent = " " * (len(shown) - len(shown.lstrip()))
            lines = textwrap.wrap(
                shown, columns, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
            )
        sys.stderr.write("\n".join(lines) + "\n")


def _columns_of_errors() -> int:
    """Return the width of the terminal of standard error; standard output may be a pipe."""
    size = shutil.get_terminal_size()
    if "COLUMNS" not in os.environ:
        with suppress(OSError):
            size = os.get_terminal_size(sys.stderr.fileno())
    return max(size.columns, 1)
