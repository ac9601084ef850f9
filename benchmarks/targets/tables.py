"""A comparison of servers on a terminal: rates side by side, latencies at rates, cost as agents grow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from benchmarks.digits import significant
from benchmarks.results import Blank, Results, Subject, Summary
from terminal.fitting import Fitted

US_PER_S = 1e6


def render_comparison(results: Results) -> RenderableType:
    """Return everything that a person wants to see of a comparison."""
    return Group(*_parts(results))


def _parts(results: Results) -> Iterator[RenderableType]:
    yield Fitted(rates_table(results))
    if results.raw.histograms:
        yield Fitted(latencies_table(results), 2)
    searched = [one for one in results.judgement.summaries if "_within_" in one.metric]
    yield from (Text(f"{one.subject.name}: {one.metric.replace('_', ' ')}: {one.median:,.0f}/s") for one in searched)
    if any(one.metric.startswith("growth_") for one in results.judgement.summaries):
        yield Fitted(growth_table(results), 2)
    yield from (Text(f"no number for {blank_in_words(one)}", style="magenta") for one in results.raw.blanks)
    yield from (Text(note, style="dim") for note in results.raw.notes)


def blank_in_words(blank: Blank) -> str:
    """Return whose number is missing, and why."""
    return f"{blank.subject.name}, {blank.workload.replace('_', ' ')}, {blank.payload}: {blank.reason}"


def rates_table(results: Results) -> Table:
    """Return a row a mix: calls a second of each target, and how many times the first one's that is."""
    first, *others = results.raw.configuration.subjects
    table = Table(title="Calls a second, closed loop", title_justify="left")
    table.add_column("mix")
    table.add_column(first.name, justify="right")
    for other in others:
        table.add_column(other.name, justify="right")
        table.add_column(f"times {first.name}'s", justify="right")
    ratios = {(one.metric, one.change): one.ratio for one in results.judgement.factors}
    for mix in results.raw.configuration.workloads:
        row = [mix, _rate(results, mix, first)]
        for other in others:
            found = ratios.get((mix, f"{first.name} to {other.name}"))
            row.append(_rate(results, mix, other))
            row.append(
                "" if found is None
                else f"{found.value:.3g} ({found.interval.low:.3g} to {found.interval.high:.3g})"
            )  # fmt: skip
        table.add_row(*row)
    return table


def _rate(results: Results, mix: str, subject: Subject) -> str:
    found = summary_of(results, mix, subject)
    return "" if found is None or is_blank(results, mix, subject) else f"{US_PER_S / found.median:,.0f}"


def is_blank(results: Results, workload: str, subject: Subject) -> bool:
    """Say whether a load's number is missing on purpose."""
    return any((one.workload, one.subject) == (workload, subject) for one in results.raw.blanks)


def summary_of(results: Results, metric: str, subject: Subject) -> Summary | None:
    """Return the summary of a target's metric, if it was measured."""
    wanted = (metric, subject)
    return next((one for one in results.judgement.summaries if (one.metric, one.subject) == wanted), None)


def latencies_table(results: Results) -> Table:
    """Return a row for each rate and target: the time to the answer from when the call was due."""
    table = Table(
        title="Time to the answer from when the call was due, to the event from its create's answer, ms",
        title_justify="left",
    )
    for heading in ("mix and rate", "target", "kept", "p50", "p90", "p99", "p99.9", "p99.99", "max"):
        table.add_column(heading, justify="left" if heading in {"mix and rate", "target"} else "right")
    for one in results.judgement.summaries:
        if not one.metric.endswith("_response"):
            continue
        kept = summary_of(results, f"{one.workload}_kept", one.subject)
        shares = ((0.5, one.median), (0.9, one.p90), (0.99, one.p99), (0.999, one.p99_9), (0.9999, one.p99_99))
        times = [
            significant(value / 1e3, 3) if value is not None and one.count * (1 - share) >= 1 else ""
            for share, value in shares
        ]
        times.append(significant(one.largest / 1e3, 3))
        name = _load_name(one.workload)
        table.add_row(name, one.subject.name, "" if kept is None else f"{kept.median:.0f} %", *times)
    return table


def _load_name(workload: str) -> str:
    mix, _, number = workload.rpartition("_")
    return f"events, {number} watchers" if mix == "watch" else f"{mix.removesuffix('_at')} at {number}/s"


def growth_table(results: Results) -> Table:
    """Return a row for each operation and target: the time of a single call at each number of agents."""
    rows = [one for one in results.judgement.summaries if one.metric.startswith("growth_")]
    sizes = list(dict.fromkeys(one.payload for one in rows))
    table = Table(title="Time of one call, one caller, us", title_justify="left")
    for heading in ("operation", "target", *sizes, "times"):
        table.add_column(heading, justify="left" if heading in {"operation", "target"} else "right")
    for metric, subject in dict.fromkeys((one.metric, one.subject) for one in rows):
        medians = {one.payload: one.median for one in rows if (one.metric, one.subject) == (metric, subject)}
        grown = _times([medians[size] for size in sizes if size in medians])
        cells = [f"{medians[size]:,.0f}" if size in medians else "" for size in sizes]
        table.add_row(metric.removeprefix("growth_"), subject.name, *cells, grown)
    return table


def _times(medians: Sequence[float]) -> str:
    return f"{medians[-1] / medians[0]:.2f}" if len(medians) > 1 else ""
