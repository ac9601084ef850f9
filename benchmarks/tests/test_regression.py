"""The gate between two runs: planted slowdowns are found, runs of the same thing are let pass. By simulation."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from benchmarks.config import ConfigError
from benchmarks.regression import again, confirmed, growths
from benchmarks.results import Raw, Sample, Subject
from benchmarks.statistics import independent_ratio, student_quantile
from benchmarks.tests.test_goals import planted

METRICS = 30
BUILD_NOISE, ROUND_NOISE = 0.03, 0.02


def run_of(random: Random, slow: float = 1.0, metrics: int = METRICS) -> Raw:
    """A run of six builds of three rounds; the first metric takes `slow` times as long."""
    subject = Subject("leveldb", "protobuf", "durable")
    samples = []
    for metric in range(metrics):
        true = 100.0 * (metric + 1) * (slow if metric == 0 else 1)
        for build in range(6):
            level = true * math.exp(random.gauss(0, BUILD_NOISE))
            for index in range(3):
                values = (level * math.exp(random.gauss(0, ROUND_NOISE)),)
                samples.append(Sample("w", f"m{metric}", "us", subject, "medium", build, index, values))
    return replace(planted({}), samples=tuple(samples))


def names(before: Raw, after: Raw) -> list[str]:
    return [one.metric for one in growths(before, after, 0.10) if one.is_slower]


@pytest.mark.parametrize("build_noise", [0.03, 0.1])
def test_a_run_against_its_like_is_let_pass(build_noise: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.BUILD_NOISE", build_noise)
    random = Random(1)
    flagged = sum(bool(names(run_of(random), run_of(random))) for _ in range(100))
    assert flagged <= 5


def test_a_slowdown_of_15_percent_in_one_of_thirty_metrics_is_found() -> None:
    random = Random(2)
    found = sum(names(run_of(random), run_of(random, slow=1.15)) == ["m0"] for _ in range(100))
    assert found >= 95


def gate(random: Random, slow: float = 1.0) -> list[str]:
    """What the whole gate says of two runs: what seems slower, and is so in a fresh run."""
    before, after = run_of(random), run_of(random, slow)
    suspected = [one for one in growths(before, after, 0.10) if one.is_slower]
    return [one.metric for one in confirmed(suspected, before, run_of(random, slow), 0.10)] if suspected else []


def test_the_whole_gate_with_its_fresh_run_lets_pass_and_finds() -> None:
    random = Random(12)
    assert sum(bool(gate(random)) for _ in range(100)) <= 5
    assert sum(gate(random, slow=1.15) == ["m0"] for _ in range(100)) >= 95


def test_a_slowdown_below_the_threshold_is_no_failure() -> None:
    random = Random(3)
    flagged = sum(bool(names(run_of(random), run_of(random, slow=1.04))) for _ in range(20))
    assert flagged == 0


def test_the_interval_of_two_runs_holds_the_truth_as_often_as_it_says() -> None:
    random = Random(4)
    held = 0
    for _ in range(200):
        nested = [
            tuple((math.exp(random.gauss(0, 0.05)),) for _ in range(5)),
            tuple((1.2 * math.exp(random.gauss(0, 0.02)),) for _ in range(6)),
        ]
        found = independent_ratio(nested[1], nested[0]).interval
        held += found.low <= 1.2 <= found.high
    assert held >= 186


@pytest.mark.parametrize(
    ("degrees", "quantile"), [(1, 12.706), (2, 4.303), (5, 2.571), (30, 2.042), (120, 1.980), (1e6, 1.960)]
)
def test_quantiles_are_those_of_the_tables(degrees: float, quantile: float) -> None:
    assert student_quantile(0.975, degrees) == pytest.approx(quantile, abs=0.0006)


def test_only_what_a_fresh_run_shows_too_is_confirmed() -> None:
    random = Random(5)
    before, after = run_of(random, metrics=3), run_of(random, slow=1.5, metrics=3)
    suspected = [one for one in growths(before, after, 0.1) if one.is_slower]
    assert [one.metric for one in suspected] == ["m0"]
    assert confirmed(suspected, before, run_of(random, metrics=3), 0.1) == []
    assert len(confirmed(suspected, before, run_of(random, slow=1.5, metrics=3), 0.1)) == 1


def test_the_fresh_run_measures_the_suspected_alone(tmp_path: Path) -> None:
    random = Random(6)
    after = run_of(random, slow=2.0, metrics=2)
    slow = [one for one in growths(run_of(random, metrics=2), after, 0.1) if one.is_slower]
    stores = replace(after, configuration=replace(after.configuration, bench="stores", speed="quick"))
    with pytest.raises(ConfigError, match="unknown workload"):
        again(stores, slow, tmp_path)
    write = [replace(one, workload="write") for one in slow]
    config = again(stores, write, tmp_path)
    assert config.subjects == (Subject("leveldb", "protobuf", "durable"),)
    assert (config.workloads, config.payloads) == (("write",), ("medium",))
    native = again(
        stores, [replace(one, subject=Subject("sqlite", "json", "relaxed", language="go")) for one in write], tmp_path
    )
    assert {subject.language for subject in native.subjects} == {"go"}
    assert Subject("sqlite", "json", "relaxed", language="go") in native.subjects
    with pytest.raises(ConfigError, match="can't be confirmed"):
        again(after, write, tmp_path)


def test_costs_alone_are_compared() -> None:
    random = Random(7)
    before = run_of(random, metrics=1)
    rates = replace(before, samples=tuple(replace(one, unit="requests/s") for one in before.samples))
    assert growths(before, rates, 0.1) == []
    assert growths(before, replace(before, samples=()), 0.1) == []
