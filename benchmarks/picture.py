"""Draw judgements as lines of text: on one logarithmic axis what was claimed (░) and what was measured (━)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from benchmarks.results import ClaimVerdict

WIDTH = 48
_MARKS = (0.01, 0.1, 1.0, 10.0, 100.0)


def drawn(verdicts: Sequence[ClaimVerdict]) -> Iterator[str]:
    """Yield the axis, then a line for each judgement that has a number: its title, its intervals, its verdict."""
    shown = [(one, one.ratio.interval) for one in verdicts if one.ratio is not None]
    if not shown:
        return
    low = min(min(one.at_least, interval.low) for one, interval in shown)
    high = max(max(one.at_most or one.at_least, interval.high) for one, interval in shown)
    axis = _Axis(low, high)
    titles = max(len(one.title) for one, _ in shown)
    yield f"{'times better':>{titles}}  {axis.labels()}"
    for one, interval in shown:
        cells = [" "] * WIDTH
        for mark in axis.marks:
            cells[axis.place(mark)] = "┊"
        axis.fill(cells, "░", one.at_least, one.at_most or axis.high)
        axis.fill(cells, "━", interval.low, interval.high)
        yield f"{one.title:<{titles}}  {''.join(cells)}  {one.verdict}"


class _Axis:
    """A logarithmic axis of WIDTH characters."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = min(low, 1.0) / 1.1, max(high, 1.0) * 1.1
        self.marks = [mark for mark in _MARKS if self.low <= mark <= self.high]

    def place(self, value: float) -> int:
        share = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        return min(WIDTH - 1, round(share * (WIDTH - 1)))

    def fill(self, cells: list[str], mark: str, low: float, high: float) -> None:
        for place in range(self.place(low), self.place(high) + 1):
            cells[place] = mark

    def labels(self) -> str:
        text = [" "] * (WIDTH + 4)
        for mark in self.marks:
            label = f"{mark:g}x"
            at = self.place(mark)
            text[at : at + len(label)] = label
        return "".join(text).rstrip()
