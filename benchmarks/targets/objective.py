"""The highest rate that holds an objective, such as: 99 of 100 calls are answered within 50 ms."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.config import ConfigError

_WRITTEN = re.compile(r"^p(\d{1,2}(?:\.\d{1,3})?)=(\d+(?:\.\d+)?)(ms|s)$")
RATE_FIRST = 50.0
RATE_LAST = 200_000.0
CLOSE_ENOUGH = 1.1
"""The search ends when the least rate that failed is so many times the greatest that held."""


@dataclass(frozen=True, slots=True)
class Objective:
    """So many percent of the calls are answered within so many microseconds, from when they were due."""

    percentile: float
    within_us: float
    text: str


def parse_objective(text: str) -> Objective:
    """Understand `p99=50ms` or `p99.9=1s`. Raises ConfigError."""
    found = _WRITTEN.match(text)
    if found is None or float(found[1]) <= 0:
        raise ConfigError(f"{text!r} is no objective; write for example p99=50ms or p99.9=1s")
    return Objective(float(found[1]), float(found[2]) * (1_000 if found[3] == "ms" else 1_000_000), text)


def highest_rate(holds: Callable[[float], bool]) -> float | None:
    """Search for the highest rate, in calls a second, at which `holds` says yes; None if it doesn't at the first.

    The rate is doubled until it fails, then the gap is halved. What was found must hold twice more, else it is lowered:
    one lucky second is no answer.
    """
    good, bad, rate = 0.0, 0.0, RATE_FIRST
    while not bad and rate <= RATE_LAST:
        if holds(rate):
            good, rate = rate, rate * 2
        else:
            bad = rate
    while good and bad and bad / good > CLOSE_ENOUGH:
        middle = (good * bad) ** 0.5
        if holds(middle):
            good = middle
        else:
            bad = middle
    while good and not (holds(good) and holds(good)):
        good = good / CLOSE_ENOUGH if good / CLOSE_ENOUGH >= RATE_FIRST else 0.0
    return good or None
