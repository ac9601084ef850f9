"""The statistics: exact where they are exact, and honest about their uncertainty."""

from __future__ import annotations

import math
import statistics as standard
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.statistics import (
    Nested,
    Term,
    TooFewBuilds,
    contrast,
    estimate,
    median,
    paired_ratio,
    percentile,
    ratio,
)

positive = st.floats(min_value=0.01, max_value=1e6)
values = st.lists(positive, min_size=1, max_size=40)
nested = st.lists(st.lists(positive, min_size=3, max_size=3), min_size=4, max_size=4).map(
    lambda builds: tuple(tuple(rounds) for rounds in builds)
)


def noisy(true: float, random: Random, *, builds: int = 5, rounds: int = 3, build_noise: float = 0.1) -> Nested:
    """Medians around `true` with lognormal noise per build (spread `build_noise`) and per round (3 %)."""
    layout = [true * math.exp(random.gauss(0, build_noise)) for _ in range(builds)]
    return tuple(tuple(level * math.exp(random.gauss(0, 0.03)) for _ in range(rounds)) for level in layout)


@given(values)
def test_median_agrees_with_the_standard_library(numbers: list[float]) -> None:
    assert median(numbers) == standard.median(numbers)


@given(values, st.floats(min_value=0, max_value=1))
def test_percentile_is_measured_and_covers_its_share(numbers: list[float], share: float) -> None:
    found = percentile(numbers, share)
    assert found in numbers
    assert sum(number <= found for number in numbers) >= share * len(numbers) - 1e-9
    assert share == 0 or sum(number < found for number in numbers) < share * len(numbers)


@given(nested, nested)
def test_the_interval_holds_the_point_and_turns_over_with_the_ratio(base: Nested, candidate: Nested) -> None:
    forth = ratio(base, candidate)
    back = ratio(candidate, base)
    assert forth.interval.low <= forth.value <= forth.interval.high
    assert forth.value * back.value == pytest.approx(1)
    assert back.interval.high == pytest.approx(1 / forth.interval.low, rel=1e-6)


@given(nested, positive)
def test_a_subject_that_takes_a_fixed_multiple_has_exactly_that_ratio(base: Nested, factor: float) -> None:
    # Drawn together, the noise that both share cancels out whole.
    scaled = tuple(tuple(value * factor for value in rounds) for rounds in base)
    found = ratio(scaled, base)
    assert found.value == pytest.approx(factor)
    assert found.interval.low == pytest.approx(factor)
    assert found.interval.high == pytest.approx(factor)


@given(nested, st.floats(min_value=0.1, max_value=10))
def test_what_strikes_both_of_a_pair_leaves_their_ratio(machine: Nested, share: float) -> None:
    # The subjects' own noise is small and the machine's is anything: the ratio must only have theirs.
    own = Random(7)
    base = tuple(tuple(value * math.exp(own.gauss(0, 0.01)) for value in rounds) for rounds in machine)
    candidate = tuple(tuple(value / share for value in rounds) for rounds in machine)
    found = paired_ratio(base, candidate)
    assert found.value == pytest.approx(share, rel=0.03)
    assert found.interval.low <= found.value <= found.interval.high
    assert found.interval.high / found.interval.low < 1.08


def test_rounds_that_are_no_pairs_have_no_paired_ratio() -> None:
    with pytest.raises(ValueError, match="zip"):
        paired_ratio(((1.0, 2.0), (1.0, 2.0)), ((1.0, 2.0), (1.0,)))
    with pytest.raises(TooFewBuilds):
        paired_ratio(((1.0,),), ((1.0,),))


def test_planted_factors_of_a_factorial_are_recovered() -> None:
    random = Random(11)
    cells = {
        (engine, codec): noisy(10.0 * engine_cost * codec_cost, random, build_noise=0.02)
        for engine, engine_cost in (("old", 1.5), ("new", 1.0))
        for codec, codec_cost in (("slow", 8.0), ("fast", 1.0))
    }
    codec = contrast([Term(cells[e, c], 0.5 if c == "slow" else -0.5) for e, c in cells])
    engine = contrast([Term(cells[e, c], 0.5 if e == "old" else -0.5) for e, c in cells])
    whole = ratio(cells["old", "slow"], cells["new", "fast"])
    assert codec.interval.low <= 8.0 <= codec.interval.high
    assert engine.interval.low <= 1.5 <= engine.interval.high
    assert codec.interval.high < 9
    assert codec.value * engine.value == pytest.approx(whole.value)


@pytest.mark.parametrize(("builds", "rounds", "build_noise"), [(5, 1, 0.1), (5, 8, 0.02), (3, 2, 0.3), (10, 3, 0.1)])
def test_the_interval_covers_the_truth_as_often_as_it_says(builds: int, rounds: int, build_noise: float) -> None:
    random = Random(23)
    runs, hits = 1_000, 0
    for _ in range(runs):
        sides = [noisy(cost, random, builds=builds, rounds=rounds, build_noise=build_noise) for cost in (12, 1)]
        interval = ratio(*sides).interval
        hits += interval.low <= 12 <= interval.high
    assert 0.93 * runs <= hits <= 0.97 * runs


def test_the_interval_is_students_for_the_builds() -> None:
    # Ratios of 1, 2 and 4: logarithms -ln 2, 0 and ln 2 around ln 2, and t = 4.3027 with two degrees of freedom.
    found = ratio(((1.0,), (4.0,), (2.0,)), ((1.0,), (1.0,), (1.0,)))
    assert found.value == pytest.approx(2)
    assert found.interval.high == pytest.approx(2 * 2 ** (4.302653 / math.sqrt(3)), rel=1e-5)
    assert found.interval.low == pytest.approx(4 / found.interval.high)


def test_ignoring_builds_would_be_too_narrow() -> None:
    random = Random(4)
    base = noisy(1, random, build_noise=0.2)
    flat = (tuple(value for rounds in base for value in rounds),) * 2
    nested_width = estimate(base)[1]
    flat_width = estimate(flat)[1]
    assert nested_width.high / nested_width.low > flat_width.high / flat_width.low


def test_zero_is_a_value() -> None:
    value, interval = estimate(((0.0, 0.0), (0.0, 3.0)))
    assert (value, interval.low < 0 < interval.high) == (0.75, True)


def test_one_build_has_no_interval() -> None:
    with pytest.raises(TooFewBuilds, match="at least two"):
        ratio(((1.0, 2.0),), ((1.0, 2.0),))


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_senseless_questions_are_refused(share: float) -> None:
    with pytest.raises(ValueError, match="share from 0 to 1"):
        percentile([1.0], share)
    with pytest.raises(ValueError, match="no values"):
        median([])
