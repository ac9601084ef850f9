"""The growth chart: what one call costs at each number of agents, a line for each server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from markupsafe import Markup

from benchmarks.results import Results, Subject, Summary
from reports.html.charts import MIDDLE, ROW, TICKS, Chart, ChartRow, Panel, series_class
from reports.html.svg import Element, Scale, axis, canvas, element, span, upright
from reports.numbers import quantity, times

HEIGHT = 110.0
_DOT = 3.5
_PREFIX = "growth_"


def growth_chart(results: Results, measured: Sequence[Summary]) -> Chart:
    """Return a panel for each operation, with the number of agents from left to right and the cost from below."""
    found = [one for one in measured if one.metric.startswith(_PREFIX)]
    agents = _across([_agents(one) for one in found] or [1.0])
    labels = {_agents(one): f"{_agents(one):,.0f}" for one in found}
    panels = []
    for metric in dict.fromkeys(one.metric for one in found):
        of_metric = [one for one in found if one.metric == metric]
        picture = _picture(results, agents, of_metric)
        rows = tuple(_rows(results, of_metric))
        panels.append(Panel(_name(metric), "", rows, axis(agents, list(labels.items())), "agents", picture))
    return Chart(
        id="server-growth",
        title=_grown(found),
        about="What one call costs as agents grow",
        caption="One caller, the median; both axes logarithmic. A level line is a cost that doesn't grow.",
        panels=tuple(panels),
        command=results.raw.configuration.command,
    )


def _agents(one: Summary) -> float:
    return float(one.payload.split()[0].replace(",", ""))


def _across(agents: Sequence[float]) -> Scale:
    """Return a scale whose left third has room for the labels of the costs."""
    fewest, most = min(agents), max(agents)
    return Scale(fewest / max(2.0, (most / fewest) ** 0.4), most * 1.15, logarithmic=True)


def _name(metric: str) -> str:
    return metric.removeprefix(_PREFIX).replace("_", " ")


def _grown(found: Sequence[Summary]) -> str:
    """Return what grew most, of what the intervals show to have grown."""
    grown: list[tuple[float, Summary]] = []
    for metric, subject in dict.fromkeys((one.metric, one.subject) for one in found):
        first, *_, last = [one for one in found if (one.metric, one.subject) == (metric, subject)] * 2
        if last.interval.low > first.interval.high:
            grown.append((last.median / first.median, last))
    if not grown:
        return "No call costs more with more agents, as far as the intervals show" if found else ""
    factor, most = max(grown, key=lambda each: each[0])
    return f"With {most.payload} {_name(most.metric)} of {most.subject.name} costs {times(factor)} as much: the most"


def _picture(results: Results, agents: Scale, found: Sequence[Summary]) -> Markup:
    costs = Scale.around([one.median for one in found])
    marks = [*_uprights(agents, found), *_levels(costs)]
    for subject in _subjects(found):
        line = [one for one in found if one.subject == subject]
        marks += _line(agents, costs, line, series_class(results, subject))
    return canvas(HEIGHT, *marks)


def _line(agents: Scale, costs: Scale, found: Sequence[Summary], series: str) -> Iterator[Element]:
    places = [(f"{agents.at(_agents(one)):.2f}%", _from_top(costs, one.median)) for one in found]
    for (left, begin), (right, end) in pairwise(places):
        yield element("line", x1=left, x2=right, y1=begin, y2=end, class_=f"{series}-line", stroke_width=2)
    for across, down in places:
        yield element("circle", cx=across, cy=down, r=_DOT, class_=f"{series} halo")


def _uprights(agents: Scale, found: Sequence[Summary]) -> Iterator[Element]:
    for count in dict.fromkeys(_agents(one) for one in found):
        yield upright(agents, count, 0, HEIGHT, "grid")


def _levels(costs: Scale) -> Iterator[Element]:
    for value in costs.ticks(TICKS):
        down = _from_top(costs, value)
        yield element("line", x1="0%", x2="100%", y1=down, y2=down, class_="grid")
        yield element("text", quantity(value, "us"), x="0%", y=down - 2, class_="tick-label")


def _from_top(costs: Scale, value: float) -> float:
    return HEIGHT * (1 - costs.at(value) / 100)


def _rows(results: Results, found: Sequence[Summary]) -> Iterator[ChartRow]:
    for subject in _subjects(found):
        grown = [one for one in found if one.subject == subject]
        told = ", ".join(f"{one.payload} {quantity(one.median, 'us')}" for one in grown)
        factor = times(grown[-1].median / grown[0].median) if len(grown) > 1 else ""
        numbers = tuple((one.payload, quantity(one.median, "us")) for one in grown)
        key = span(Scale(0, 1), 0, 1, MIDDLE - 1, 2, series_class(results, subject))
        yield ChartRow(subject.name, canvas(ROW, key), factor, below=told, numbers=numbers)


def _subjects(found: Sequence[Summary]) -> list[Subject]:
    return list(dict.fromkeys(one.subject for one in found))
