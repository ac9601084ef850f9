"""The chart of start-up: what a process does from its first instruction to its first answer, part by part."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.results import Results, Summary
from reports.html.charts import TICKS, Chart, ChartRow, Panel, by_panel, command_for
from reports.html.palette import SERIES
from reports.html.svg import Scale, axis, canvas, grid, span
from reports.numbers import is_time, percent, quantity, time_grain

PREFIX = "startup_"
WHOLES = frozenset({"startup_total", "startup_store"})
"""Sums of parts: shown as a value, not stacked on the parts again."""
BAR = 16.0


def startup_chart(results: Results) -> Chart | None:
    """Return the chart, None where no parts were measured."""
    rows = [one for one in results.judgement.summaries if one.metric.startswith(PREFIX) and is_time(one.unit)]
    parts = list(dict.fromkeys(one.metric for one in rows if one.metric not in WHOLES))
    if not parts:
        return None
    panels = []
    for (durability, payload), chosen in by_panel(results, rows).items():
        subjects = dict.fromkeys(one.subject for one in chosen)
        groups = [[one for one in chosen if one.subject == subject] for subject in subjects]
        unit = chosen[0].unit
        longest = max(sum(one.median for one in group if one.metric not in WHOLES) for group in groups)
        scale = Scale.from_zero(longest, time_grain(longest, unit))
        panels.append(
            Panel(
                title=f"{payload} agents, {durability}",
                note="",
                rows=tuple(_row(scale, group, parts) for group in groups),
                axis=axis(scale, [(value, quantity(value, unit)) for value in scale.ticks(TICKS)]),
                unit="time since the process began",
            )
        )
    return Chart(
        id="startup-chart",
        title=_found(rows, parts),
        about="Start-up, part by part",
        caption="Medians of each part, one after the other; the value on the right is the whole where it was measured.",
        panels=tuple(panels),
        command=command_for(results, rows[0].workload),
        legend=tuple((f"key-series-{index % SERIES + 1}", _name(part)) for index, part in enumerate(parts)),
    )


def _name(metric: str) -> str:
    return metric.removeprefix(PREFIX).replace("_", " ")


def _found(rows: Sequence[Summary], parts: Sequence[str]) -> str:
    longest = {part: max(one.median for one in rows if one.metric == part) for part in parts}
    most = max(longest, key=lambda part: longest[part])
    share = longest[most] / (sum(longest.values()) or 1)
    return f"Of a start, {_name(most)} takes most: {percent(round(share, 2))}"


def _row(scale: Scale, group: Sequence[Summary], parts: Sequence[str]) -> ChartRow:
    medians = {one.metric: one.median for one in group}
    unit = group[0].unit
    marks = grid(scale, BAR + 6, TICKS)
    begun = 0.0
    for index, part in enumerate(parts):
        length = medians.get(part, 0.0)
        marks.append(span(scale, begun, begun + length, 3, BAR, f"series-{index % SERIES + 1} segment"))
        begun += length
    whole = medians.get("startup_total", begun)
    told = ", ".join(f"{_name(part)} {quantity(medians[part], unit)}" for part in parts if part in medians)
    numbers = tuple((_name(part), quantity(medians[part], unit) if part in medians else "—") for part in parts)
    drawing = canvas(BAR + 6, *marks)
    return ChartRow(group[0].subject.name, drawing, quantity(whole, unit), below=told, numbers=numbers)
