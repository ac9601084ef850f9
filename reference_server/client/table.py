"""Resources as a table for people: plain columns, nothing cut off, so that ids can be copied."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from google.protobuf.message import Message
from rich.cells import cell_len

from reference_server.client.kinds import Kind

GAP = "   "


def as_table(resources: Iterable[Message], kind: Kind) -> str:
    """Lay out resources in the columns of their kind, headings first."""
    rows = [[heading for heading, _ in kind.columns]]
    rows += [[printable(value(resource)) or "-" for _, value in kind.columns] for resource in resources]
    widths = [max(cell_len(row[column]) for row in rows) for column in range(len(kind.columns))]
    return "".join(f"{_line(row, widths)}\n" for row in rows)


def _line(row: list[str], widths: list[int]) -> str:
    cells = [cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)]
    return GAP.join(cells).rstrip()


def printable(text: str) -> str:
    """Replace what a terminal would obey instead of show (a name comes from anybody)."""
    return "".join(char if _shown(char) else "\N{REPLACEMENT CHARACTER}" for char in text)


def _shown(char: str) -> bool:
    return char == "\N{ZERO WIDTH JOINER}" or unicodedata.category(char) not in {"Cc", "Cf", "Zl", "Zp"}
