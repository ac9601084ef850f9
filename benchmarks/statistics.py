"""Ratios with intervals, from measurements that are nested: values in rounds, rounds in builds.

Values of one round share its noise and rounds of one build share its layout on disk, so counting single values as
independent would give intervals far too narrow. What repeats is the build: each is reduced to one number, and the
interval is Student's for their mean (Kalibera and Jones 2013, "Rigorous benchmarking in reasonable time"). Costs differ
by factors, so means are taken of logarithms. Subjects that were measured in the same interleaved rounds are compared
within the build, so that a slow minute of the machine, which hit all of them, cancels out of their ratio.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist, fmean, variance

from benchmarks.results import Interval, Ratio

LEVEL = 0.95

Nested = tuple[tuple[float, ...], ...]
"""One median per round, rounds per build: `nested[build][round]`."""


class TooFewBuilds(ValueError):
    """An interval needs at least two builds: one build can't tell its own accident from the subject."""


@dataclass(frozen=True, slots=True)
class Term:
    """One factor of a ratio: a subject's nested medians and the power it enters with (1 above, -1 below)."""

    medians: Nested
    power: float


def median(values: Sequence[float]) -> float:
    """Return the middle value, or the mean of the two middle ones. Raises ValueError for no values."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values, no median")
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value with at least `share` (0 to 1) of all values at or below it.

    Always a value that was measured, never one in between. Raises ValueError for no values or another share.
    """
    if not values or not 0 <= share <= 1:
        raise ValueError(f"percentile of {len(values)} values at {share}: needs values and a share from 0 to 1")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def ratio(baseline: Nested, candidate: Nested) -> Ratio:
    """Return baseline over candidate with its interval; above 1 the candidate takes less. Raises TooFewBuilds."""
    return contrast((Term(baseline, 1.0), Term(candidate, -1.0)))


def paired_ratio(baseline: Nested, candidate: Nested) -> Ratio:
    """Return the middle of the rounds' ratios, baseline over candidate, with its interval.

    For subjects whose rounds are pairs, taken in turns within the round: what the machine did in a round is in both and
    leaves the ratio, also where rounds differ more than subjects do. Raises TooFewBuilds, and ValueError if the rounds
    are no pairs.
    """
    pairs = [
        [math.log(base / cost) for base, cost in zip(*builds, strict=True)]
        for builds in zip(baseline, candidate, strict=True)
    ]
    return _ratio([median(rounds) for rounds in pairs])


def contrast(terms: Sequence[Term]) -> Ratio:
    """Return the product of the terms' medians, each raised to its power, with its interval.

    A ratio is two terms with powers 1 and -1; the effect of one factor in a factorial is four with halves. Builds that
    one of the terms lacks are left out. Raises TooFewBuilds, and ValueError when a median isn't above zero.
    """
    builds = zip(*(term.medians for term in terms), strict=False)
    powers = [term.power for term in terms]
    return _ratio(
        [sum(p * math.log(median(rounds)) for p, rounds in zip(powers, build, strict=True)) for build in builds]
    )


def _ratio(logs: Sequence[float]) -> Ratio:
    middle, reach = _mean(logs)
    return Ratio(math.exp(middle), Interval(math.exp(middle - reach), math.exp(middle + reach), LEVEL))


def estimate(medians: Nested) -> tuple[float, Interval]:
    """Return what one subject takes, the mean over builds, with its interval. Raises TooFewBuilds.

    The mean is geometric where all builds are above zero, as costs and sizes are; else it is the plain one.
    """
    builds = [median(rounds) for rounds in medians]
    if min(builds) > 0:
        found = _ratio([math.log(build) for build in builds])
        return found.value, found.interval
    middle, reach = _mean(builds)
    return middle, Interval(middle - reach, middle + reach, LEVEL)


def _mean(builds: Sequence[float]) -> tuple[float, float]:
    """Return the mean of one number a build, and how far its interval reaches to either side. Raises TooFewBuilds."""
    _require_builds(len(builds))
    error = math.sqrt(variance(builds) / len(builds))
    return fmean(builds), student_quantile(0.5 + LEVEL / 2, len(builds) - 1) * error


def _require_builds(builds: int) -> None:
    if builds < 2:  # noqa: PLR2004 - two is the meaning of "more than one"
        raise TooFewBuilds(f"{builds} build: an interval needs at least two, better five")


def independent_ratio(above: Nested, below: Nested, *, level: float = LEVEL) -> Ratio:
    """Return the ratio of two runs' geometric means over builds, with Welch's interval of its logarithm.

    For runs that were made at different times: nothing pairs their rounds, and a build is what repeats.
    Raises TooFewBuilds, and ValueError when a median isn't above zero.
    """
    _require_builds(min(len(above), len(below)))
    (mean, square), (other, other_square) = (_log_mean(each) for each in (above, below))
    point, error = mean - other, math.sqrt(square + other_square)
    if error == 0:
        return Ratio(math.exp(point), Interval(math.exp(point), math.exp(point), level))
    parts = square**2 / (len(above) - 1) + other_square**2 / (len(below) - 1)
    degrees = math.floor((square + other_square) ** 2 / parts)
    reach = student_quantile(0.5 + level / 2, degrees) * error
    return Ratio(math.exp(point), Interval(math.exp(point - reach), math.exp(point + reach), level))


def _log_mean(medians: Nested) -> tuple[float, float]:
    """Return the mean of the builds' logarithms and the square of its standard error."""
    logs = [math.log(median(rounds)) for rounds in medians]
    return fmean(logs), variance(logs) / len(logs)


@cache
def student_quantile(share: float, degrees: float) -> float:
    """Return the quantile of Student's t at a share between 0.5 and 1.

    With t = sqrt(degrees) tan(x) the density is a power of cos(x), which Simpson's rule integrates to many digits.
    """
    if degrees > _NEARLY_NORMAL:
        return NormalDist().inv_cdf(share)
    scale = math.exp(math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2)) / math.sqrt(math.pi)
    low, high = 0.0, math.pi / 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if 0.5 + scale * _integral_of_cosine(degrees - 1, middle) < share:
            low = middle
        else:
            high = middle
    return math.sqrt(degrees) * math.tan(low)


_HALVINGS, _STRIPS, _NEARLY_NORMAL = 40, 100, 1_000


def _integral_of_cosine(power: float, end: float) -> float:
    """Return the integral of cos(x) ** power from 0 to `end`."""
    step = end / _STRIPS
    values = [math.pow(math.cos(place * step), power) for place in range(_STRIPS + 1)]
    return step / 3 * (values[0] + values[-1] + 4 * sum(values[1:-1:2]) + 2 * sum(values[2:-1:2]))
