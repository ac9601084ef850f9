"""The history of a claim or a metric on a terminal: a row a run, its interval drawn on one axis."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from benchmarks.claim_lines import COLOURS
from benchmarks.digits import significant
from benchmarks.history import Entry

WIDTH = 32


def history_table(title: str, entries: Sequence[Entry]) -> Table:
    """Return the entries, oldest first, grouped by what they are about."""
    table = Table(title=title, title_justify="left")
    for heading in ("when", "of what", "", "value", "interval", "verdict"):
        table.add_column(heading, justify="right" if heading == "value" else "left", no_wrap=heading == "")
    for what in dict.fromkeys(entry.what for entry in entries):
        group = [entry for entry in entries if entry.what == what]
        ends = (min(entry.low for entry in group), max(entry.high for entry in group))
        for place, entry in enumerate(group):
            colour = next((colour for conclusion, colour in COLOURS.items() if conclusion == entry.says), "")
            table.add_row(
                entry.captured_at[:16].replace("T", " "),
                what if place == 0 else "",
                drawn(entry, *ends),
                significant(entry.value, 4),
                f"{significant(entry.low, 4)} to {significant(entry.high, 4)}",
                Text(entry.says, style=colour),
            )
    return table


def drawn(entry: Entry, low: float, high: float) -> str:
    """Return an interval and its middle on a logarithmic axis from `low` to `high`, WIDTH characters wide."""
    cells = [" "] * WIDTH
    first, middle, last = (_place(value, low, high) for value in (entry.low, entry.value, entry.high))
    for place in range(first, last + 1):
        cells[place] = "─"
    cells[middle] = "●"
    return "".join(cells)


def _place(value: float, low: float, high: float) -> int:
    if low <= 0 or high <= low:
        return WIDTH // 2
    share = math.log(max(value, low) / low) / math.log(high / low)
    return min(WIDTH - 1, round(share * (WIDTH - 1)))
