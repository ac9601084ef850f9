"""Resources as a table for people: plain columns, nothing cut off, so that ids can be copied.

What is wider than the terminal becomes a list: a line a value, a blank line between resources.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from google.protobuf.message import Message
from rich.cells import cell_len

from reference_server.client.kinds import WIDE, Kind
from reference_server.client.source import is_shown
from terminal.lines import width

GAP = "   "
Row = Sequence[str]


def as_table(resources: Iterable[Message], kind: Kind, *, wide: bool = False) -> str:
    """Lay out resources in the columns of their kind, headings first; `wide` adds more columns."""
    columns = (*kind.columns, *WIDE) if wide else kind.columns
    rows = [[printable(value(resource)) for _, value in columns] for resource in resources]
    return as_rows([heading for heading, _ in columns], rows)


def as_rows(headings: Row, rows: Sequence[Row]) -> str:
    """Lay out rows below their headings, or as a list where the terminal is too narrow."""
    filled = [[cell or "-" for cell in row] for row in rows]
    widths = [max(cell_len(row[column]) for row in (headings, *filled)) for column in range(len(headings))]
    columns = width()
    if columns is not None and sum(widths) + len(GAP) * (len(widths) - 1) > columns:
        return "\n".join(_listed(headings, row) for row in filled)
    return "".join(f"{_line(row, widths)}\n" for row in (headings, *filled))


def _line(row: Row, widths: Sequence[int]) -> str:
    cells = [cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)]
    return GAP.join(cells).rstrip()


def _listed(headings: Row, row: Row) -> str:
    return "".join(f"{heading}: {cell}\n" for heading, cell in zip(headings, row, strict=True))


def printable(text: str) -> str:
    """Replace what a terminal would obey instead of show (a name comes from anybody)."""
    return "".join(char if is_shown(char) else "\N{REPLACEMENT CHARACTER}" for char in text)
