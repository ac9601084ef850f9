"""Numbers as people read them: three digits, a unit that fits, the same words everywhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import floor, isfinite, log10

from benchmarks.results import Ratio

_TIME = ((1e6, "s"), (1e3, "ms"), (1.0, "µs"), (1e-3, "ns"))
_IN_MICROSECONDS = {"ns": 1e-3, "us": 1.0, "µs": 1.0, "ms": 1e3, "s": 1e6}
_BYTES = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B"))
_IN_BYTES = {"bytes": 1, "byte": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20}


def digits(value: float, count: int = 3) -> str:
    """Return a number with so many significant digits and thousands separated, never in exponent form."""
    if not isfinite(value):
        return str(value)
    if value == 0:
        return "0"
    places = count - 1 - floor(log10(abs(value)))
    rounded = round(value, places)
    text = f"{rounded:,.{max(places, 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def quantity(value: float, unit: str) -> str:
    """Return a measured value with the unit that fits its size: `850 ns`, `1.2 ms`, `75.3 MiB`; zero has none."""
    if value == 0:
        return "0"
    if is_time(unit):
        return _fitting(value * _IN_MICROSECONDS[unit], _TIME)
    if is_size(unit):
        return _fitting(value * _in_bytes(unit), _BYTES) + _each(unit)
    return f"{digits(value)} {unit}".strip()


def quantities(values: Sequence[float], unit: str) -> str:
    """Return several sizes in the unit that fits the largest: `2.1 / 3.6 / 2.04 MiB`."""
    sizes = [value * _in_bytes(unit) for value in values]
    size, name = next((step for step in _BYTES if max(sizes) >= step[0]), _BYTES[-1])
    return f"{' / '.join(digits(value / size) for value in sizes)} {name}{_each(unit)}"


def moment(time: str) -> str:
    """Return an RFC 3339 time in UTC as people write it: `2026-03-01 09:30:00 UTC`; anything else as it is."""
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:[.]\d+)?(?:Z|[+]00:00)", time)
    return f"{found[1]} {found[2]} UTC" if found else time


def _fitting(value: float, steps: tuple[tuple[float, str], ...]) -> str:
    size, name = next((step for step in steps if abs(value) >= step[0]), steps[-1])
    return f"{digits(value / size)} {name}"


def times(value: float) -> str:
    """Return a ratio as `12.3x`."""
    return f"{digits(value)}x"


def in_form(form: str, value: float) -> str:
    """Return a ratio in the words of its claim: `12.3x`, or `42 % smaller`, `8 % larger`, or `57 %`.

    Of a `growth` the ratio is the inverse: how many times as much it has become.
    """
    if form == "growth":
        return times(1 / value) if value else times(float("inf"))
    if form == "share":
        return f"{digits(value * 100, 2)} %"
    if form != "saving":
        return times(value)
    saving = 1 - 1 / value if value else float("-inf")
    return f"{digits(abs(saving) * 100, 2)} % {'smaller' if saving >= 0 else 'larger'}"


def spread(form: str, ratio: Ratio) -> str:
    """Return the interval of a ratio: `2.1x to 2.9x`, `54 to 61 % smaller`."""
    return between(form, ratio.interval.low, ratio.interval.high)


def between(form: str, low: float, high: float) -> str:
    """Return a range of ratios; a unit that both ends share is said once."""
    first, second = in_form(form, low), in_form(form, high)
    if form == "growth" or (form == "saving" and high < 1):
        first, second = second, first  # more growth is a smaller ratio; of two losses the smaller is said first
    number, _, unit = first.partition(" ")
    return f"{number} to {second}" if unit and second.endswith(f" {unit}") else f"{first} to {second}"


def claimed(form: str, at_least: float, at_most: float | None) -> str:
    """Return the range that a claim states: `10x to 50x`, `at least 1.05x`, of growth `at most 1.5x`."""
    if at_most is None:
        return f"at {'most' if form == 'growth' else 'least'} {in_form(form, at_least)}"
    return between(form, at_least, at_most)


def percent(level: float) -> str:
    """Return a confidence level: `95 %`."""
    return f"{digits(level * 100)} %"


def duration(seconds: float) -> str:
    """Return a length of time: `0.4 s`, `75 s`, `12 min 3 s`."""
    if seconds < 120:  # noqa: PLR2004 - two minutes: from here on people count minutes
        return f"{digits(seconds)} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where needed: `1 failure`, `1,204 checks`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def is_time(unit: str) -> bool:
    """Whether a unit is one of time."""
    return unit in _IN_MICROSECONDS


def is_size(unit: str) -> bool:
    """Whether a unit is one of bytes, or of bytes for each of something (`bytes/agent`)."""
    return unit.partition("/")[0] in _IN_BYTES


def size_grain(largest: float, unit: str) -> float:
    """Return the size, in `unit`, of which ticks up to `largest` are round multiples (1 MiB, 1 KiB, ...)."""
    return _grain(largest * _in_bytes(unit), _BYTES) / _in_bytes(unit)


def time_grain(largest: float, unit: str) -> float:
    """Return the time, in `unit`, of which ticks up to `largest` are round multiples (1 s, 1 ms, ...)."""
    return _grain(largest * _IN_MICROSECONDS[unit], _TIME) / _IN_MICROSECONDS[unit]


def _grain(value: float, steps: tuple[tuple[float, str], ...]) -> float:
    return next((size for size, _ in steps if value >= size), steps[-1][0])


def _in_bytes(unit: str) -> int:
    return _IN_BYTES[unit.partition("/")[0]]


def _each(unit: str) -> str:
    _, slash, what = unit.partition("/")
    return slash + what
