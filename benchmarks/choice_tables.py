"""A ranking of stores on a terminal: the answer in a sentence, the table, what would change it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from benchmarks.choice import AGENTS_MAX, Place, Ranking, url_of
from benchmarks.digits import significant
from terminal.fitting import Fitted

_US_PER_S = 1e6


def render_ranking(ranking: Ranking) -> RenderableType:
    """Return all that a person wants to see of a ranking."""
    return Group(*_parts(ranking))


def answer(ranking: Ranking) -> str:
    """Return which store to take, in one sentence."""
    best, *others = ranking.places
    tied = [place.subject.engine for place in others if place.ties]
    like = f" ({', '.join(tied)} can't be told from it)" if tied else ""
    return f"Take {best.subject.engine}{like}: {url_of(best.subject)}"


def _parts(ranking: Ranking) -> Iterator[RenderableType]:
    yield Text(answer(ranking), style="bold")
    yield Fitted(_table(ranking))
    yield from (Text(line) for line in what_would_flip(ranking))
    use = ranking.use
    if use.agents > AGENTS_MAX:
        yield Text(
            f"Measured with {AGENTS_MAX} agents in each database; `parity bench server store:URL` shows more.",
            style="dim",
        )
    for reason in sorted({f"{one.subject.engine}: {one.reason}" for one in ranking.blanks}):
        yield Text(f"no number for {reason}", style="magenta")


def _table(ranking: Ranking) -> Table:
    use = ranking.use
    title = f"{use.record_bytes:,} bytes a record, {use.read_share:.0%} reads, {use.durability}, one caller"
    table = Table(title=title, title_justify="left")
    for heading in ("store", "mean call, us", "95 % interval", "times the best", "read, us", "write, us", "disk"):
        table.add_column(heading, justify="left" if heading == "store" else "right")
    for place in ranking.places:
        interval = f"{significant(place.interval.low, 3)} to {significant(place.interval.high, 3)}"
        disk = _size(place.bytes_per_agent * use.agents)
        costs = (significant(place.read_us, 3), significant(place.write_us, 4))
        table.add_row(place.subject.engine, significant(place.cost_us, 4), interval, _behind(place), *costs, disk)
    return table


def _behind(place: Place) -> str:
    if place.behind is None:
        return "best"
    low, high = place.behind.interval.low, place.behind.interval.high
    return f"{place.behind.value:.2f} ({low:.2f} to {high:.2f})"


TOLD = 0.001
"""A share of reads nearer to none or to all isn't told: there it is a matter of rounding."""


def what_would_flip(ranking: Ranking) -> Iterator[str]:
    """Yield which other share of reads would make which store the best; measured costs, no further assumption."""
    share = ranking.use.read_share
    found = False
    for place in ranking.places[1:]:
        if place.overtakes_at is not None and TOLD <= place.overtakes_at <= 1 - TOLD:
            found = True
            side = "more" if place.overtakes_at > share else "fewer"
            yield f"{place.subject.engine} would be better with {side} than {place.overtakes_at:.1%} reads."
    if not found:
        yield "No other share of reads would change the first place."


def _size(count: float) -> str:
    for size, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= size:
            return f"{count / size:,.3g} {name}"
    return f"{count:.0f} B"
