"""Over which single choices a verdict stays: each is told in its own words, and no two at once."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random

from benchmarks.claims import Claim, load_claims
from benchmarks.judge import judge
from benchmarks.results import Interval, Ratio, Raw, Sample, Subject
from benchmarks.robustness import measured_in_words
from benchmarks.tests.test_claims import planted, times

READS = [claim for claim in load_claims() if claim.id == "read-speed"]


def a_run(costs: dict[str, float], *, visited: tuple[str, ...] = ("read", "cold")) -> Raw:
    """A run in which the baseline of each pair, warm or cold, takes so many times what its candidate takes."""
    random = Random(2)
    samples = tuple(
        Sample(
            "cold" if claim.cold else "read", claim.metric, "us", side, "medium", build, 0,
            (cost * math.exp(random.gauss(0, 0.001)),),
        )
        for claim in READS
        for side, cost in zip(claim.subjects("relaxed"), (costs[name_of(claim)], 1.0), strict=True)
        for build in range(5)
    )  # fmt: skip
    raw = planted(times(1))
    subjects = tuple({one.subject for one in samples})
    configuration = replace(raw.configuration, subjects=subjects, workloads=visited)
    return replace(raw, samples=samples, configuration=configuration)


def name_of(claim: Claim) -> str:
    side = Subject(*claim.baseline, "relaxed", language=claim.language)
    return side.name + " cold" * claim.cold


def costs_of(**other: float) -> dict[str, float]:
    return {name_of(claim): 7.0 for claim in READS} | {name.replace("_", " "): cost for name, cost in other.items()}


def test_driver_and_cache_are_choices_of_their_own() -> None:
    costs = costs_of() | {"go+sqlite-modernc+json": 20.0, "go+sqlite+json cold": 2.0}
    (found,) = judge(a_run(costs), READS).sentences
    stays, *changes = found.dependence.removesuffix(".").split("; ")
    assert stays.startswith("stays supported ")
    assert "through modernc's driver of SQLite (" in stays
    (change,) = changes
    assert change.startswith("is contradicted from files that aren't in memory (")


def test_a_run_that_had_no_cold_reads_says_nothing_of_them() -> None:
    (found,) = judge(a_run(costs_of(), visited=("read",)), READS).sentences
    assert "memory" not in found.dependence


def test_the_headline_is_of_the_pair_that_the_claim_was_made_of() -> None:
    verdicts = judge(a_run(costs_of()), READS).verdicts
    assert [one.baseline.name for one in verdicts if one.headline] == ["go+sqlite+json"]
    assert len({one.id for one in verdicts}) == len(verdicts)


def test_intervals_of_a_busy_machine_are_written_as_people_write_numbers() -> None:
    one = next(one for one in judge(a_run(costs_of()), READS).verdicts if one.form == "times")
    wide = Ratio(4.0, Interval(1 / 1_786, 331.4, 0.95))
    assert measured_in_words(one, wide) == "between 1,800 times slower and 330 times faster"
    assert measured_in_words(one, Ratio(3.0, Interval(2.04, 3.94, 0.95))) == "2 to 3.9 times faster"
