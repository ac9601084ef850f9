"""SVG, as little of it as the charts need: elements that escape what they hold, and scales.

Marks are placed by per cent of the width, so a chart is as wide as its place and its strokes and text keep their size
on a phone.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Self

from markupsafe import Markup, escape

EDGE = 2.0
"""Per cent of the width left free at either side, so that marks at the ends are whole."""


@dataclass(frozen=True, slots=True)
class Element:
    """One SVG element. Children are elements or text."""

    tag: str
    attributes: tuple[tuple[str, str], ...]
    children: tuple[Element | str, ...] = ()

    def markup(self) -> Markup:
        """Return the element as text that a page may hold as it is."""
        names = "".join(f' {name}="{escape(value)}"' for name, value in self.attributes)
        inner = "".join(child.markup() if isinstance(child, Element) else escape(child) for child in self.children)
        return Markup(f"<{self.tag}{names}>{inner}</{self.tag}>")  # noqa: S704 - every part is escaped above


def element(tag: str, *children: Element | str, **attributes: str | float) -> Element:
    """Make an element. `class_` and `stroke_width` stand for `class` and `stroke-width`; numbers get two decimals."""
    named = ((name.rstrip("_").replace("_", "-"), _text(value)) for name, value in attributes.items())
    return Element(tag, tuple(named), children)


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")


def canvas(height: float, *children: Element) -> Markup:
    """Return a whole drawing, as wide as its place. The text beside it says the same, so readers aloud skip it."""
    drawing = element(
        "svg", *children, width="100%", height=height, class_="plot", aria_hidden="true", focusable="false"
    )
    return drawing.markup()


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps values from `low` to `high` onto the width, linear or logarithmic (base 10). `unit` is one tick's grain."""

    low: float
    high: float
    logarithmic: bool = False
    unit: float = 1.0

    @classmethod
    def around(cls, values: list[float]) -> Self:
        """Return a logarithmic scale that holds all (positive) values with some air."""
        positive = [value for value in values if value > 0] or [1.0]
        low, high = min(positive) / 1.15, max(positive) * 1.15
        if high / low < 4:  # noqa: PLR2004 - a narrower scale makes noise look like a finding
            middle = (low * high) ** 0.5
            low, high = middle / 2, middle * 2
        return cls(low, high, logarithmic=True)

    @classmethod
    def from_zero(cls, largest: float, unit: float = 1.0) -> Self:
        """Return a linear scale from zero; ticks are round in multiples of `unit`."""
        return cls(0.0, largest * 1.02 or unit, unit=unit)

    def at(self, value: float) -> float:
        """Return the place of a value, per cent from the left; values off the scale are put at its ends."""
        inside = min(max(value, self.low), self.high)
        if self.logarithmic:
            share = log10(inside / self.low) / log10(self.high / self.low)
        else:
            share = (inside - self.low) / (self.high - self.low)
        return EDGE + share * (100 - 2 * EDGE)

    def ticks(self, most: int = 6) -> list[float]:
        """Return at most `most` round values inside the scale, in order."""
        return self._log_ticks(most) if self.logarithmic else self._linear_ticks(most)

    def _log_ticks(self, most: int) -> list[float]:
        decades = range(floor(log10(self.low)), ceil(log10(self.high)) + 1)
        for steps in ((1, 2, 5), (1, 3), (1,)):
            found = [step * 10.0**decade for decade in decades for step in steps]
            inside = [value for value in found if self.low <= value <= self.high]
            if len(inside) <= most:
                return inside
        return inside[:: ceil(len(inside) / most)]

    def _linear_ticks(self, most: int) -> list[float]:
        rough = self.high / self.unit / most
        power = 10.0 ** floor(log10(rough))
        step = next(step * power for step in (1, 2, 5, 10) if step * power >= rough)
        return [index * step * self.unit for index in range(floor(self.high / self.unit / step) + 1)]


def axis(scale: Scale, labels: list[tuple[float, str]]) -> Markup:
    """Return the line of tick labels below a chart."""
    marks: list[Element] = []
    for value, label in labels:
        place = scale.at(value)
        turn = "start" if place < 6 else "end" if place > 94 else "middle"  # noqa: PLR2004 - per cent from the edges
        marks += [
            element("line", x1=f"{place:.2f}%", x2=f"{place:.2f}%", y1=0, y2=4, class_="tick"),
            element("text", label, x=f"{place:.2f}%", y=16, text_anchor=turn, class_="tick-label"),
        ]
    return canvas(20, *marks)


def grid(scale: Scale, height: float, most: int = 6) -> list[Element]:
    """Return the faint lines at the ticks of a scale."""
    places = (f"{scale.at(value):.2f}%" for value in scale.ticks(most))
    return [element("line", x1=place, x2=place, y1=0, y2=height, class_="grid") for place in places]


def span(scale: Scale, low: float, high: float, top: float, height: float, class_: str) -> Element:
    """Return a bar from one value to another."""
    left, right = scale.at(low), scale.at(high)
    return element("rect", x=f"{left:.2f}%", width=f"{right - left:.2f}%", y=top, height=height, class_=class_, rx=1.5)


def upright(scale: Scale, value: float, top: float, bottom: float, class_: str) -> Element:
    """Return a vertical stroke at a value."""
    place = f"{scale.at(value):.2f}%"
    return element("line", x1=place, x2=place, y1=top, y2=bottom, class_=class_)


def dot(scale: Scale, value: float, middle: float, radius: float, class_: str) -> Element:
    """Return a dot at a value."""
    return element("circle", cx=f"{scale.at(value):.2f}%", cy=middle, r=radius, class_=class_)
