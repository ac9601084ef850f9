"""Tables on a terminal that may be narrower than they are: then each row is told as a few lines, and nothing is cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy

from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

PLAIN_WIDTH = 240
"""Columns where the output is no terminal, so that a log shows tables whole."""

_ROOMY = 10_000
"""Columns in which every table has all the room it wants."""
_INDENT = "  "


def plain(text: str) -> str:
    """Return a text that may hold anything as markup that shows it: what a terminal would obey stands as an escape."""
    return escape("".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text))


def wide_console() -> Console:
    """Return the terminal; where the output is a file, one that is wide enough for the tables."""
    console = Console(emoji=False)
    return console if console.is_terminal else Console(width=PLAIN_WIDTH, emoji=False)


class Fitted:
    """A table where it has the room that it wants, without lines if need be; else its rows as a list.

    Args:
        table: what is shown.
        heads: so many of the first cells name a row.
    """

    def __init__(self, table: Table, heads: int = 1) -> None:
        """Wrap a table."""
        self.table = table
        self._heads = heads

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Yield the table, or the list."""
        table = self.table
        if not fits(table, console, options):
            table = copy(table)
            table.box, table.pad_edge = None, False
        if fits(table, console, options):
            yield table
            return
        if table.title:
            yield from folded(_text(console, table.title), console, options.max_width)
        headings = [_text(console, column.header) for column in table.columns]
        for row in zip(*(column.cells for column in table.columns), strict=True):
            cells = [_text(console, cell) for cell in row]
            head = Text(", ").join(cell for cell in cells[: self._heads] if cell.plain)
            yield from folded(head, console, options.max_width)
            pairs = zip(headings[self._heads :], cells[self._heads :], strict=True)
            told = [Text.assemble(heading, ": ", cell) for heading, cell in pairs if cell.plain]
            for line in _packed(told, options.max_width - len(_INDENT)):
                yield from folded(line, console, options.max_width, _INDENT)


def _packed(parts: Sequence[Text], width: int) -> Iterator[Text]:
    """Yield the parts with semicolons between, as many on a line as there is room for."""
    line = Text()
    for part in parts:
        if line and line.cell_len + len("; ") + part.cell_len > width:
            yield line
            line = Text()
        line = Text.assemble(line, "; " if line else "", part)
    yield line


def fits(table: Table, console: Console, options: ConsoleOptions) -> bool:
    """Say whether a table has the room that it wants."""
    return wanted(table, console, options).maximum <= options.max_width


def wanted(table: Table, console: Console, options: ConsoleOptions) -> Measurement:
    """Return the columns that a table needs at least, with its cells broken, and those that it wants."""
    return Measurement.get(console, options.update(width=_ROOMY), table)


def folded(text: Text, console: Console, width: int, indent: str = "", hanging: str = "") -> Sequence[Text]:
    """Return a text as lines of at most a width, each behind an indent, all but the first behind a further one."""
    lines = text.wrap(console, max(width - len(indent) - len(hanging), 1))
    told = [Text.assemble(indent, hanging if number else "", line) for number, line in enumerate(lines)]
    for line in told:
        line.rstrip()
    return told


def _text(console: Console, cell: RenderableType) -> Text:
    text = cell.copy() if isinstance(cell, Text) else console.render_str(str(cell))
    return Text(" ").join(text.split("\n"))
