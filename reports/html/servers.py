"""The charts of a comparison of servers: rates, time to the answer at given rates, cost as agents grow."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from benchmarks.results import Factor, Results, Subject, Summary
from reports.html.charts import MIDDLE, ROW, TICKS, Chart, ChartRow, Panel, numbers_of, series_class
from reports.html.growth import growth_chart
from reports.html.svg import Scale, axis, canvas, dot, grid, span, upright
from reports.numbers import quantity, times
from reports.views.servers import findings

_US_PER_S = 1e6
_BAR = 12.0
_RATE_UNIT = "calls a second"


def server_charts(results: Results) -> list[Chart]:
    """Return the charts that the run has numbers for."""
    charts = _rates(results), _latencies(results), growth_chart(results, sound(results))
    return [chart for chart in charts if chart.panels]


def _rates(results: Results) -> Chart:
    rates = {(one.metric, one.subject): one for one in sound(results)}
    panels = []
    for mix in results.raw.configuration.workloads:
        found = [rates[mix, subject] for subject in results.raw.configuration.subjects if (mix, subject) in rates]
        if found:
            panels.append(_rates_panel(results, mix, found))
    searched = [one for one in sound(results) if "_within_" in one.metric]
    for metric in dict.fromkeys(one.metric for one in searched):
        group = [one for one in searched if one.metric == metric]
        scale = Scale.from_zero(max(one.median for one in group))
        rows = tuple(_searched_row(results, scale, one) for one in group)
        panels.append(
            Panel(
                metric.replace("_within_", " within "), "the highest rate that held it", rows, _axis(scale), _RATE_UNIT
            )
        )
    return Chart(
        id="server-rates",
        title=findings(results).rstrip("."),
        about="Calls a second",
        caption="Good answers a second in a closed loop; longer is better. The mark is the interval of the median.",
        panels=tuple(panels),
        command=results.raw.configuration.command,
    )


def sound(results: Results) -> list[Summary]:
    """Return the summaries of loads whose number isn't missing on purpose."""
    blank = {(one.workload, one.subject) for one in results.raw.blanks}
    return [one for one in results.judgement.summaries if (one.workload, one.subject) not in blank]


def _rates_panel(results: Results, mix: str, found: Sequence[Summary]) -> Panel:
    scale = Scale.from_zero(max(_US_PER_S / one.interval.low for one in found))
    ratios = {one.change.rpartition(" to ")[2]: one for one in results.judgement.factors if one.metric == mix}
    rows = []
    for one in found:
        drawing = _bar(
            scale, _US_PER_S / one.median, series_class(results, one.subject),
            (_US_PER_S / one.interval.high, _US_PER_S / one.interval.low),
        )  # fmt: skip
        detail = _times(ratios, one.subject)
        rate = _per_s(_US_PER_S / one.median)
        low, high = _US_PER_S / one.interval.high, _US_PER_S / one.interval.low
        numbers = (("rate", rate), ("interval", f"{_per_s(low)} to {_per_s(high)}"), ("over the first", detail or "—"))
        rows.append(ChartRow(one.subject.name, drawing, rate, detail, numbers=numbers))
    return Panel(mix, "", tuple(rows), _axis(scale), _RATE_UNIT)


def _searched_row(results: Results, scale: Scale, one: Summary) -> ChartRow:
    drawing, rate = _bar(scale, one.median, series_class(results, one.subject)), _per_s(one.median)
    numbers = (("rate", rate), ("interval", "—"), ("over the first", "—"))
    return ChartRow(one.subject.name, drawing, rate, numbers=numbers)


def _times(ratios: dict[str, Factor], subject: Subject) -> str:
    found = ratios.get(subject.name)
    if found is None:
        return ""
    low, high = found.ratio.interval.low, found.ratio.interval.high
    return f"{times(found.ratio.value)}, {times(low)} to {times(high)}"


def _bar(scale: Scale, value: float, series: str, interval: tuple[float, float] | None = None) -> Markup:
    marks = [*grid(scale, ROW, TICKS), span(scale, 0, value, MIDDLE - _BAR / 2, _BAR, series)]
    if interval:
        marks.append(span(scale, *interval, MIDDLE - 0.75, 1.5, "end"))
    return canvas(ROW, *marks)


def _per_s(rate: float) -> str:
    return f"{rate:,.0f}/s"


def _axis(scale: Scale) -> Markup:
    return axis(scale, [(value, f"{value:,.0f}") for value in scale.ticks(TICKS)])


def _latencies(results: Results) -> Chart:
    found = [one for one in sound(results) if one.metric.endswith("_response")]
    scale = Scale.around([value for one in found for value in (one.median, one.largest)])
    ticks = [(value, quantity(value, "us")) for value in scale.ticks(TICKS)]
    panels = tuple(
        Panel(
            _load_name(workload),
            "",
            tuple(_latency_row(results, scale, one) for one in found if one.workload == workload),
            axis(scale, ticks),
            "time to the answer, logarithmic",
        )
        for workload in dict.fromkeys(one.workload for one in found)
    )
    return Chart(
        id="server-latencies",
        title=_soonest(found),
        about="Time to the answer at given rates",
        caption="From when a call was due, so that a stall counts for all who came in it. Left is faster.",
        panels=panels,
        command=results.raw.configuration.command,
        legend=(("key-dot", "median"), ("key-tail", "up to p99, and to the slowest")),
    )


def _soonest(found: Sequence[Summary]) -> str:
    loads = dict.fromkeys(one.workload for one in found)
    first = [min((one for one in found if one.workload == load), key=lambda one: one.median) for load in loads]
    wins = {name: sum(one.subject.name == name for one in first) for name in {one.subject.name for one in first}}
    told = [f"{name} in {count}" for name, count in sorted(wins.items(), key=lambda item: (-item[1], item[0]))]
    return f"The first answer of {len(loads)} loads, by the median: {', '.join(told)}"


def _load_name(workload: str) -> str:
    mix, _, number = workload.rpartition("_")
    return f"event to {number} watchers" if mix == "watch" else f"{mix.removesuffix('_at')} at {number}/s"


def _latency_row(results: Results, scale: Scale, one: Summary) -> ChartRow:
    series = series_class(results, one.subject)
    drawing = canvas(
        ROW,
        *grid(scale, ROW, TICKS),
        span(scale, one.median, one.largest, MIDDLE - 0.75, 1.5, f"{series} tail"),
        span(scale, one.median, max(one.p99, one.median), MIDDLE - 2.5, 5, f"{series} soft-mark"),
        upright(scale, one.p99, MIDDLE - 4, MIDDLE + 4, f"{series}-line"),
        dot(scale, one.median, MIDDLE, 4, f"{series} halo"),
    )
    shares = (
        ("p90", 0.9, one.p90),
        ("p99", 0.99, one.p99),
        ("p99.9", 0.999, one.p99_9),
        ("p99.99", 0.9999, one.p99_99),
    )
    told = [
        f"{name} {quantity(value, 'us')}" for name, share, value in shares if value and one.count * (1 - share) >= 1
    ]
    below = ", ".join([*told, f"slowest {quantity(one.largest, 'us')}"])
    return ChartRow(one.subject.name, drawing, quantity(one.median, "us"), below=below, numbers=numbers_of(one))
