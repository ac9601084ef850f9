"""The charts of the page, as rows of label, drawing and value. The text of a row says all that its drawing shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from benchmarks.results import ClaimVerdict, Results, Subject, Summary
from reports.html.palette import SERIES
from reports.html.svg import Element, Scale, axis, canvas, dot, grid, span, upright
from reports.numbers import counted, is_size, is_time, percent, quantities, quantity, size_grain, spread, times
from reports.views.claims import ClaimGroup, ClaimRow
from reports.views.findings import claims_found, fastest, smallest
from reports.views.words import Sign

ROW = 22.0
MIDDLE = ROW / 2
TICKS = 4
"""Labels like `500 µs` need room on a phone; ratios are shorter and may have more."""


@dataclass(frozen=True, slots=True)
class ChartRow:
    """One line of a chart. `kind` is the class of its verdict's colour, if it has one; `below` stands under it.

    `numbers` are what opening it shows, as (name, value); rows of one chart have the same names: they make a table.
    """

    label: str
    drawing: Markup
    value: str
    detail: str = ""
    kind: str = ""
    below: str = ""
    numbers: tuple[tuple[str, str], ...] = ()
    command: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """Rows over one axis; `unit` says what the axis counts. A `picture` of all rows stands above them, on the axis."""

    title: str
    note: str
    rows: tuple[ChartRow, ...]
    axis: Markup
    unit: str
    picture: Markup | None = None


@dataclass(frozen=True, slots=True)
class Chart:
    """Panels with one legend of (class, meaning). `title` is what was found, `about` what is shown.

    `command` makes its numbers again.
    """

    id: str
    title: str
    about: str
    caption: str
    panels: tuple[Panel, ...]
    command: str
    legend: tuple[tuple[str, str], ...] = ()


def claims_chart(groups: Sequence[ClaimGroup], signs: Callable[[ClaimRow], Sign], command: str) -> Chart | None:
    """Return the ratios of all claims with their intervals, each against the range that was claimed."""
    values = [1.0]
    for group in groups:
        values += [group.at_least, *([group.at_most] if group.at_most else [])]
        for row in group.rows:
            if row.judged.ratio:
                values += [row.judged.ratio.interval.low, row.judged.ratio.interval.high]
    levels = {row.judged.ratio.interval.level for group in groups for row in group.rows if row.judged.ratio}
    if not levels:
        return None
    level = " or ".join(percent(one) for one in sorted(levels))
    scale = Scale.around(values)
    panels = tuple(_claim_panel(scale, group, signs) for group in groups)
    legend = (
        ("key-band", "claimed range"),
        ("key-one", "1x: no difference"),
        ("key-dot", "measured ratio with its interval"),
    )
    caption = (
        "Right of 1x the candidate is better. A verdict depends on where the whole interval"
        f" ({level}) lies, never on the dot. A row opens its numbers."
    )
    return Chart("claims-chart", claims_found(groups), "Measured against claimed", caption, panels, command, legend)


def _claim_panel(scale: Scale, group: ClaimGroup, signs: Callable[[ClaimRow], Sign]) -> Panel:
    """Draw where the claim was made, and all else that was measured; what wasn't is counted."""
    made = next((row for row in group.rows if row.judged.headline), group.rows[0])
    shown = [row for row in group.rows if row is made or row.judged.ratio]
    left = len(group.rows) - len(shown)
    unmeasured = f"; {counted(left, 'further judgement')} not measured" if left else ""
    return Panel(
        title=f"{group.title}: {signs(made).word}",
        note=f"claimed: {group.range}{unmeasured}",
        rows=tuple(_claim_row(scale, group, row, signs(row)) for row in shown),
        axis=axis(scale, [(value, times(value)) for value in scale.ticks()]),
        unit="baseline over candidate, logarithmic",
    )


def _claim_row(scale: Scale, group: ClaimGroup, row: ClaimRow, sign: Sign) -> ChartRow:
    judged, kind = row.judged, sign.kind
    marks: list[Element] = [
        span(scale, group.at_least, group.at_most or scale.high, 1, ROW - 2, "band"),
        *grid(scale, ROW),
        upright(scale, 1.0, 0, ROW, "one"),
    ]
    if judged.ratio:
        ends = judged.ratio.interval
        marks += [
            span(scale, ends.low, ends.high, MIDDLE - 1.5, 3, f"fill-{kind}"),
            upright(scale, ends.low, MIDDLE - 5, MIDDLE + 5, f"stroke-{kind}"),
            upright(scale, ends.high, MIDDLE - 5, MIDDLE + 5, f"stroke-{kind}"),
            dot(scale, judged.ratio.value, MIDDLE, 4, f"fill-{kind} halo"),
        ]
    detail = spread(judged.form, judged.ratio) if judged.ratio else "not measured"
    numbers = (
        ("verdict", f"{sign.symbol} {sign.word}"),
        ("measured", row.ratio),
        ("interval", row.interval),
        ("claimed", row.range),
        ("baseline", judged.baseline.label),
        ("candidate", judged.candidate.label),
        ("means", row.meaning),
    )
    return ChartRow(
        _claim_label(judged), canvas(ROW, *marks), row.ratio, detail, kind, numbers=numbers, command=judged.reproduce
    )


def _claim_label(judged: ClaimVerdict) -> str:
    """Return what tells a judgement from the claim's others: both stores, and whether their files were in memory."""
    files = ", cold" if judged.cold else ""
    return f"{judged.payload}, {judged.durability}{files}, {judged.baseline.name} to {judged.candidate.name}"


def latency_charts(results: Results) -> list[Chart]:
    """Return one chart per time that operations took; its panels never mix durability modes or payload classes."""
    metrics = [
        name
        for name in dict.fromkeys(one.metric for one in results.judgement.summaries if is_time(one.unit))
        if not name.startswith("startup")
    ]
    return [_latency_chart(results, metric) for metric in metrics]


def _latency_chart(results: Results, metric: str) -> Chart:
    chosen = [one for one in results.judgement.summaries if one.metric == metric]
    scale = Scale.around([value for one in chosen for value in (one.median, one.interval.low, one.p99)])
    panels = tuple(
        Panel(
            title=f"{payload} agents, {durability}",
            note="",
            rows=tuple(_latency_row(scale, one, series_class(results, one.subject)) for one in rows),
            axis=axis(scale, [(value, quantity(value, rows[0].unit)) for value in scale.ticks(TICKS)]),
            unit="time of one call, logarithmic",
        )
        for (durability, payload), rows in by_panel(results, chosen).items()
    )
    return Chart(
        id=f"latency-{metric}",
        title=fastest(chosen, metric),
        about=f"Time of one {metric.replace('_', ' ')}",
        caption="Left is faster. Compare within one panel only: panels differ in durability or size.",
        panels=panels,
        command=command_for(results, chosen[0].workload),
        legend=(("key-dot", "median with its interval"), ("key-tail", "up to the slowest of 100 (p99)")),
    )


def _latency_row(scale: Scale, one: Summary, series: str) -> ChartRow:
    drawing = canvas(
        ROW,
        *grid(scale, ROW, TICKS),
        span(scale, one.median, max(one.p99, one.median), MIDDLE - 0.75, 1.5, f"{series} tail"),
        upright(scale, one.p99, MIDDLE - 4, MIDDLE + 4, f"{series}-line"),
        span(scale, one.interval.low, one.interval.high, MIDDLE - 3, 6, f"{series} soft-mark"),
        dot(scale, one.median, MIDDLE, 4, f"{series} halo"),
    )
    detail = f"p99 {quantity(one.p99, one.unit)}"
    return ChartRow(one.subject.name, drawing, quantity(one.median, one.unit), detail, numbers=numbers_of(one))


def numbers_of(one: Summary) -> tuple[tuple[str, str], ...]:
    """Return what a summary holds, in words."""
    low, high = one.interval.low, one.interval.high
    return (
        ("median", quantity(one.median, one.unit)),
        (f"interval ({percent(one.interval.level)})", f"{quantity(low, one.unit)} to {quantity(high, one.unit)}"),
        ("p90", quantity(one.p90, one.unit)),
        ("p99", quantity(one.p99, one.unit)),
        ("largest", quantity(one.largest, one.unit)),
        ("samples", f"{one.count:,}"),
        ("builds", f"{one.builds}"),
    )


def bar_charts(results: Results) -> list[Chart]:
    """Return the charts of sizes: storage at each moment in one chart, every other size in its own."""
    metrics = list(dict.fromkeys(one.metric for one in results.judgement.summaries if is_size(one.unit)))
    storage = [metric for metric in metrics if metric.startswith("size")]
    others = [[metric] for metric in metrics if metric not in storage]
    return [_bar_chart(results, group) for group in [storage, *others] if group]


def _bar_chart(results: Results, metrics: Sequence[str]) -> Chart:
    chosen = [one for one in results.judgement.summaries if one.metric in metrics]
    panels: list[Panel] = []
    for (durability, payload), rows in by_panel(results, chosen).items():
        # Each panel has its own axis: agents of 60 KiB would flatten those of 1 KiB.
        largest = max(one.interval.high for one in rows)
        base, _, each = rows[0].unit.partition("/")
        scale = Scale.from_zero(largest, size_grain(largest, rows[0].unit))
        subjects = dict.fromkeys(one.subject for one in rows)
        panels.append(
            Panel(
                title=f"{payload} agents, {durability}",
                note="",
                rows=tuple(
                    _bar_row(scale, [one for one in rows if one.subject == subject], series_class(results, subject))
                    for subject in subjects
                ),
                axis=axis(scale, [(value, quantity(value, base)) for value in scale.ticks(TICKS)]),
                unit=f"{'bytes on disk' if metrics[0].startswith('size') else 'bytes'}{f' per {each}' if each else ''}",
            )
        )
    moments = [metric.removeprefix("size_").replace("_", " ") for metric in metrics]
    several = len(metrics) > 1
    return Chart(
        id=f"bars-{metrics[0]}",
        title=smallest([one for one in chosen if one.metric == metrics[0]], metrics[0]),
        about="Storage on disk"
        if several or metrics[0].startswith("size")
        else metrics[0].replace("_", " ").capitalize(),
        caption=f"Bars from top to bottom: {', '.join(moments)}." if several else "Bars begin at zero; less is better.",
        panels=tuple(panels),
        command=command_for(results, chosen[0].workload),
        legend=(("key-end", "interval of the median"),),
    )


def _bar_row(scale: Scale, rows: Sequence[Summary], series: str) -> ChartRow:
    each = 9.0 if len(rows) > 1 else 14.0
    height = max(ROW, each * len(rows) + 4)
    marks = grid(scale, height, TICKS)
    for index, one in enumerate(rows):
        top = 2 + index * each
        marks += [
            span(scale, 0, one.median, top, each - 2, f"{series} step-{min(index, 2)}"),
            span(scale, one.interval.low, one.interval.high, top + each / 2 - 1.75, 1.5, "end"),
        ]
    value = quantities([one.median for one in rows], rows[0].unit)
    numbers = tuple(
        (f"{one.metric.replace('_', ' ')}: {name}", told)
        for one in rows
        for name, told in numbers_of(one)
        if name == "median" or name.startswith("interval")
    )
    return ChartRow(rows[0].subject.name, canvas(height, *marks), value, numbers=numbers)


def by_panel(results: Results, rows: Iterable[Summary]) -> dict[tuple[str, str], list[Summary]]:
    """Group summaries by durability mode and payload class; the modes of one class stand side by side.

    Inside a panel the stores have the same order everywhere, so that an eye finds them again.
    """
    found: dict[tuple[str, str], list[Summary]] = {}
    for row in sorted(rows, key=lambda row: row.subject.name):
        found.setdefault((row.subject.durability, row.payload), []).append(row)
    payloads = [one.name for one in results.raw.configuration.payload.classes]

    def place(payload: str) -> int:
        return payloads.index(payload) if payload in payloads else len(payloads)

    return dict(sorted(found.items(), key=lambda item: (place(item[0][1]), item[0][0])))


def series_class(results: Results, subject: Subject) -> str:
    """Return the colour class of a subject's engine: the same engine has the same colour in every chart."""
    engines = list(dict.fromkeys(one.engine for one in results.raw.configuration.subjects))
    index = engines.index(subject.engine) if subject.engine in engines else len(engines)
    return f"series-{index % SERIES + 1}"


def command_for(results: Results, workload: str) -> str:
    """Return the command that measures one workload again."""
    return f"{results.raw.configuration.command} --workload {workload}"
