"""Results as tables on a terminal: verdicts with their intervals, what a gain is made of, what is missing and why."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from benchmarks.claim_lines import COLOURS, ClaimLines
from benchmarks.claims import count_verdicts, in_words, interval_in_words, stated_in_words
from benchmarks.digits import significant
from benchmarks.results import ClaimVerdict, Factor, Placement, Results, Summary
from benchmarks.robustness import dependence, robustness
from terminal.fitting import Fitted


def show(results: Results, console: Console) -> None:
    """Print a whole result."""
    console.print(render(results))


def render(results: Results) -> RenderableType:
    """Return everything that a person wants to see of a run, verdicts last."""
    return Group(*_parts(results))


def render_verdicts(results: Results) -> RenderableType:
    """Return the verdicts, and all that one must know to read them."""
    return Group(*_conclusions(results))


def _parts(results: Results) -> Iterator[RenderableType]:
    judgement = results.judgement
    if judgement.summaries:
        yield Fitted(summaries_table(judgement.summaries), 3)
    if judgement.factors:
        yield Fitted(factors_table(judgement.factors), 4)
    for headline, title in ((True, "Claims"), (False, "Claims, elsewhere")):
        if rows := tuple(one for one in judgement.verdicts if one.headline is headline):
            yield Fitted(verdicts_table(rows, title))
    for found in robustness(judgement.verdicts):
        yield Text(f"{found.headline.title}: {dependence(found)}")
    yield from _conclusions(results)


def _conclusions(results: Results) -> Iterator[RenderableType]:
    verdicts = results.judgement.verdicts
    reasons = {f"{blank.subject.label}, {blank.payload}: {blank.reason}" for blank in results.raw.blanks}
    yield from (Text(f"no number for {reason}", style="magenta") for reason in sorted(reasons))
    for proof in results.raw.durability:
        yield Text(f"{proof.subject.label}: {proof.note}", style="" if proof.holds else "red")
    yield ClaimLines(verdicts)
    yield from (Text(note, style="dim") for note in results.raw.notes)
    skipped = results.raw.configuration.payload.skipped
    if skipped:
        yield Text(f"{len(skipped)} records can't be agents; the first: {skipped[0]}", style="dim")
    counts = count_verdicts([one for one in verdicts if one.headline])
    yield Text(", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count), style="bold")


def verdicts_table(verdicts: tuple[ClaimVerdict, ...], title: str) -> Table:
    """Return a row for each judgement."""
    table = Table(title=title, title_justify="left")
    for heading in ("claim", "stores", "durability", "agents", "claimed", "measured", "95 % interval", "verdict"):
        table.add_column(heading)
    for one in verdicts:
        beyond = ", more than claimed" if one.placement is Placement.ABOVE else ""
        verdict = Text(f"{one.verdict}{beyond}", style=COLOURS[one.verdict])
        stores = f"{one.baseline.name} to {one.candidate.name}"
        table.add_row(one.title, stores, one.durability, one.payload, stated_in_words(one), *_measured(one), verdict)
    return table


def _measured(one: ClaimVerdict) -> tuple[str, str]:
    if one.ratio is None:
        return "", one.reason
    return in_words(one.form, one.ratio.value), interval_in_words(one.form, one.ratio)


def summaries_table(summaries: tuple[Summary, ...]) -> Table:
    """Return a row for each metric, subject and payload class."""
    table = Table(title="Medians", title_justify="left")
    for heading in ("metric", "agents", "store", "median", "95 % interval", "p99", "unit"):
        table.add_column(heading)
    for one in sorted(summaries, key=lambda one: (one.metric, one.payload, one.subject.durability, one.median)):
        interval = f"{significant(one.interval.low, 4)} to {significant(one.interval.high, 4)}"
        row = (
            one.metric,
            one.payload,
            one.subject.label,
            significant(one.median, 4),
            interval,
            significant(one.p99, 4),
            one.unit,
        )
        table.add_row(*row)
    return table


def factors_table(factors: tuple[Factor, ...]) -> Table:
    """Return what each gain is made of."""
    table = Table(title="What a ratio is made of", title_justify="left")
    for heading in ("metric", "agents", "durability", "part", "change", "ratio", "95 % interval"):
        table.add_column(heading)
    for one in factors:
        interval = f"{one.ratio.interval.low:.3g}x to {one.ratio.interval.high:.3g}x"
        row = (one.metric, one.payload, one.durability, one.name, one.change, f"{one.ratio.value:.3g}x", interval)
        table.add_row(*row)
    return table
