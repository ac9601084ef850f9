"""Ratios of medians with intervals, from measurements that are nested: values in rounds, rounds in builds.

Values of one round share its noise and rounds of one build share its layout on disk, so counting single values as
independent would give intervals far too narrow. Here each round is reduced to its median, and the bootstrap draws whole
builds, then rounds within the drawn builds. Subjects that were measured in the same interleaved rounds are drawn
together, so that a slow minute of the machine, which hit all of them, cancels out of their ratio.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from statistics import NormalDist, fmean, variance

from benchmarks.results import Interval, Ratio

LEVEL = 0.95
RESAMPLES = 1000

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


def ratio(baseline: Nested, candidate: Nested, *, seed: int, resamples: int = RESAMPLES) -> Ratio:
    """Return baseline over candidate with its interval; above 1 the candidate takes less. Raises TooFewBuilds."""
    return contrast((Term(baseline, 1.0), Term(candidate, -1.0)), seed=seed, resamples=resamples)


def paired_ratio(baseline: Nested, candidate: Nested, *, seed: int, resamples: int = RESAMPLES) -> Ratio:
    """Return the median of the rounds' ratios, baseline over candidate, with its interval.

    For subjects whose rounds are pairs, taken in turns within the round: what the machine did in a round is in both and
    leaves the ratio, also where rounds differ more than subjects do. Raises TooFewBuilds, and ValueError if the rounds
    are no pairs.
    """
    pairs = tuple(
        tuple(base / cost for base, cost in zip(*builds, strict=True))
        for builds in zip(baseline, candidate, strict=True)
    )
    return Ratio(*estimate(pairs, seed=seed, resamples=resamples))


def contrast(terms: Sequence[Term], *, seed: int, resamples: int = RESAMPLES) -> Ratio:
    """Return the product of the terms' medians, each raised to its power, with its interval.

    A ratio is two terms with powers 1 and -1; the effect of one factor in a factorial is four with halves.
    Raises TooFewBuilds, and ValueError when a median isn't above zero.
    """
    fewest = min(len(term.medians) for term in terms)
    _require_builds(fewest)
    drawn = _drawn_logs(terms, seed, resamples)
    tail = _tail(fewest)
    low, high = percentile(drawn, tail), percentile(drawn, 1 - tail)
    point = sum(term.power * math.log(_whole(term.medians)) for term in terms)
    # The point is the median of all; with few builds the draws can stop just short of it.
    return Ratio(math.exp(point), Interval(math.exp(min(low, point)), math.exp(max(high, point)), LEVEL))


def estimate(medians: Nested, *, seed: int, resamples: int = RESAMPLES) -> tuple[float, Interval]:
    """Return the median over builds of one subject, with its interval; zeros are values as any. Raises TooFewBuilds."""
    _require_builds(len(medians))
    drawn = _drawn(medians, seed, resamples)
    tail = _tail(len(medians))
    point = _whole(medians)
    return point, Interval(min(percentile(drawn, tail), point), max(percentile(drawn, 1 - tail), point), LEVEL)


def _require_builds(builds: int) -> None:
    if builds < 2:  # noqa: PLR2004 - two is the meaning of "more than one"
        raise TooFewBuilds(f"{builds} build: an interval needs at least two, better five")


def _whole(medians: Nested) -> float:
    return median([median(rounds) for rounds in medians])


def _drawn_logs(terms: Sequence[Term], seed: int, resamples: int) -> list[float]:
    totals = [0.0] * resamples
    for term in terms:
        for place, value in enumerate(_drawn(term.medians, seed, resamples)):
            totals[place] += term.power * math.log(value)
    return totals


def _drawn(medians: Nested, seed: int, resamples: int) -> list[float]:
    """Return the median over builds in each resample."""
    shape = tuple(len(rounds) for rounds in medians)
    return [
        median([median([medians[build][index] for index in rounds]) for build, rounds in draw])
        for draw in _draws(shape, seed, resamples)
    ]


Draw = tuple[tuple[int, tuple[int, ...]], ...]
"""The builds that one resample consists of, each with the rounds that stand for it."""


@cache
def _draws(shape: tuple[int, ...], seed: int, resamples: int) -> tuple[Draw, ...]:
    """Return the same draws for all subjects of one shape (rounds per build): this is what pairs them."""
    random = Random(f"{seed}/{shape}")  # noqa: S311 - a repeatable bootstrap, no secret
    return tuple(
        tuple(
            (build, tuple(random.choices(range(shape[build]), k=shape[build])))
            for build in random.choices(range(len(shape)), k=len(shape))
        )
        for _ in range(resamples)
    )


def _tail(builds: int) -> float:
    """Return the share to cut from each end of the bootstrap so that 95 % holds for few builds too.

    A plain percentile bootstrap of n values is too narrow, by sqrt((n - 1) / n) and by using the normal's quantile
    where Student's t belongs; widening by both mends it (Hesterberg 2015, The American Statistician 69:4).
    """
    degrees = builds - 1
    t = student_quantile(0.5 + LEVEL / 2, degrees)
    return NormalDist().cdf(-t * math.sqrt(builds / degrees))


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
