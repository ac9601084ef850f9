"""The judge: planted truths come out as they were planted, and nothing is ranked across modes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from benchmarks.attribution import ACROSS_MODES, attribute
from benchmarks.claims import (
    Claim,
    ClaimsError,
    UnmatchedDurability,
    compare,
    count_verdicts,
    in_words,
    load_claims,
)
from benchmarks.judge import judge
from benchmarks.results import (
    Blank,
    ClaimVerdict,
    Conclusion,
    Configuration,
    DurabilityProof,
    Environment,
    FsyncCost,
    PayloadClass,
    PayloadSource,
    Placement,
    Raw,
    Sample,
    Subject,
)
from benchmarks.samples import Samples

SUBJECTS = tuple(
    Subject(engine, codec, mode)
    for mode in ("durable", "relaxed")
    for engine in ("sqlite", "leveldb")
    for codec in ("json-orjson", "protobuf")
)
OLD, NEW = ("sqlite", "json-orjson"), ("leveldb", "protobuf")
Cost = Callable[[Subject, Random], float]


def planted(cost: Cost, *, metric: str = "write", builds: int = 5, noise: float = 0.03) -> Raw:
    """A run whose every value is `cost` of its subject (drawn once per build) with noise per operation."""
    random = Random(17)
    samples = [
        Sample("write", metric, "us", subject, "medium", build, index, tuple(_values(level, noise, random)))
        for subject in SUBJECTS
        for build in range(builds)
        for level in [cost(subject, random)]
        for index in range(3)
    ]
    source = PayloadSource("synthetic", "", 10, 10, 0, (), (PayloadClass("medium", 10, 1, 2, 3),))
    configuration = Configuration("stores", "quick", 1, "parity bench stores --quick", SUBJECTS, ("write",), source, {})
    environment = Environment("now", "cpu", 2, 1, "Linux", "3", "/", "ext4", FsyncCost(150, 200, 9), 0.0, {})
    return Raw(environment, configuration, tuple(samples))


def _values(level: float, noise: float, random: Random) -> list[float]:
    return [level * math.exp(random.gauss(0, noise)) for _ in range(30)]


def times(true: float, spread: float = 0.02) -> Cost:
    """The new subject costs 1, the others `true`, each with a lognormal spread between builds."""
    return lambda subject, random: (
        (1.0 if (subject.engine, subject.codec) == NEW else true) * math.exp(random.gauss(0, spread))
    )


def at_least(bound: float, at_most: float | None = None, metric: str = "write") -> Claim:
    return Claim("speed", "Speed", "Faster.", metric, "times", bound, at_most, OLD, NEW)


def only(raw: Raw, claim: Claim, mode: str = "durable") -> ClaimVerdict:
    (verdict,) = [one for one in judge(raw, [claim]).verdicts if one.durability == mode]
    return verdict


@pytest.mark.parametrize(
    ("true", "spread", "expected"),
    [
        (12.0, 0.02, Conclusion.SUPPORTED),
        (3.0, 0.02, Conclusion.CONTRADICTED),
        (10.0, 0.10, Conclusion.INCONCLUSIVE),
    ],
)
def test_planted_ratios_against_at_least_10(true: float, spread: float, expected: Conclusion) -> None:
    verdict = only(planted(times(true, spread)), at_least(10, 50))
    assert verdict.verdict is expected
    assert verdict.ratio is not None
    assert verdict.ratio.interval.low <= true <= verdict.ratio.interval.high


def test_noisy_9_to_11_is_inconclusive_even_when_the_middle_is_above() -> None:
    levels = dict(enumerate((9.0, 9.6, 10.2, 10.6, 11.0)))
    raw = planted(times(1.0, 0.0))
    noisy = tuple(
        replace(sample, values=tuple(value * levels[sample.build] for value in sample.values))
        if (sample.subject.engine, sample.subject.codec) == OLD
        else sample
        for sample in raw.samples
    )
    verdict = only(replace(raw, samples=noisy), at_least(10))
    assert verdict.verdict is Conclusion.INCONCLUSIVE
    assert verdict.ratio is not None
    assert verdict.ratio.value > 10
    assert "has 10x inside it" in verdict.reason


@pytest.mark.parametrize(
    ("true", "placement", "word"),
    [
        (70.0, Placement.ABOVE, "more than was claimed"),
        (7.0, Placement.INSIDE, "at or above"),
        (2.0, Placement.BELOW, "below 5x"),
    ],
)
def test_the_place_in_the_stated_range_is_said(true: float, placement: Placement, word: str) -> None:
    verdict = only(planted(times(true)), at_least(5, 10))
    assert verdict.placement is placement
    assert word in verdict.reason


def test_each_mode_is_judged_alone() -> None:
    def cost(subject: Subject, random: Random) -> float:
        old = (subject.engine, subject.codec) == OLD
        return (12.0 if subject.durability == "relaxed" else 2.0) * random.uniform(0.99, 1.01) if old else 1.0

    raw = planted(cost)
    assert only(raw, at_least(10), "relaxed").verdict is Conclusion.SUPPORTED
    assert only(raw, at_least(10), "durable").verdict is Conclusion.CONTRADICTED


def test_ranking_across_modes_is_refused() -> None:
    raw = planted(times(12))
    with pytest.raises(UnmatchedDurability, match="compare within one mode"):
        compare(Samples(raw.samples), "write", "medium", Subject(*OLD, "durable"), Subject(*NEW, "relaxed"))


def test_what_was_not_measured_says_why() -> None:
    raw = planted(times(12))
    wrong = replace(raw, blanks=(Blank("write", Subject(*NEW, "relaxed"), "medium", "it lost agent agt-7"),))
    assert only(wrong, at_least(10), "relaxed").reason == "it lost agent agt-7"
    assert only(wrong, at_least(10), "durable").verdict is Conclusion.SUPPORTED
    in_memory = replace(raw, environment=replace(raw.environment, durable_refusal="tmpfs forgets"))
    assert only(in_memory, at_least(10), "durable").reason == "tmpfs forgets"
    assert only(in_memory, at_least(10), "relaxed").verdict is Conclusion.SUPPORTED
    liar = DurabilityProof(Subject(*OLD, "durable"), "strace", 20, 3, holds=False, note="3 syncs for 20 commits")
    assert "3 syncs" in only(replace(raw, durability=(liar,)), at_least(10), "durable").reason
    assert "no read samples" in only(raw, at_least(10, metric="read")).reason
    assert "at least two" in only(planted(times(12), builds=1), at_least(10)).reason


def test_planted_factors_are_attributed() -> None:
    def cost(subject: Subject, random: Random) -> float:
        codec = 6.0 if subject.codec == "json-orjson" else 1.0
        engine = 1.5 if subject.engine == "sqlite" else 1.0
        sync = 4.0 if subject.durability == "durable" else 1.0
        return 10 * codec * engine * sync * math.exp(random.gauss(0, 0.01))

    factors = judge(planted(cost), [at_least(1)]).factors
    found = {(one.name, one.durability): one.ratio for one in factors if one.name != "durability"}
    expected = {"whole": 9.0, "codec": 6.0, "engine": 1.5, "interaction": 1.0}
    assert set(found) == {(name, mode) for name in expected for mode in ("durable", "relaxed")}
    for (name, _), one in found.items():
        assert one.value == pytest.approx(expected[name], rel=0.05)
    held = [one.interval.low <= expected[name] <= one.interval.high for (name, _), one in found.items()]
    assert sum(held) >= len(held) - 1, "95 of 100"
    prices = [one for one in factors if one.durability == ACROSS_MODES]
    assert len(prices) == 4
    assert all(one.ratio.value == pytest.approx(4, rel=0.05) for one in prices)


@pytest.mark.parametrize(("times", "expected"), [(1.2, Conclusion.SUPPORTED), (1.9, Conclusion.CONTRADICTED)])
def test_a_store_is_judged_against_its_bare_driver(times: float, expected: Conclusion) -> None:
    raw = planted(lambda subject, random: 10 * times, metric="store_read")
    bare = tuple(
        replace(sample, workload="raw", metric="raw_read", values=tuple(value / times for value in sample.values))
        for sample in raw.samples
    )
    verdicts = judge(replace(raw, samples=raw.samples + bare), [at_least(1, metric="store_read")]).verdicts
    overheads = [one for one in verdicts if one.claim.startswith("overhead-read-")]
    assert {one.candidate for one in overheads} == set(SUBJECTS)
    assert {one.verdict for one in overheads} == {expected}
    assert {one.baseline.engine for one in overheads} == {"leveldb driver", "sqlite driver"}
    assert f"{times}x" in overheads[0].reason


def test_the_languages_part_is_the_ratio_over_that_of_python() -> None:
    random = Random(5)
    costs = {("go", OLD): 12.0, ("go", NEW): 2.0, ("", OLD): 30.0, ("", NEW): 15.0}
    samples = [
        Sample("write", "write", "us", Subject(*name, "relaxed", language=language), "medium", build, 0, (value,))
        for (language, name), cost in costs.items()
        for build in range(5)
        for value in [cost * math.exp(random.gauss(0, 0.02))]
    ]
    engines, codecs = zip(OLD, NEW, strict=True)
    found = {
        one.name: one
        for one in attribute(Samples(samples), "write", "medium", engines, codecs, ["relaxed"], language="go")
    }
    expected = {"whole": 6.0, "python": 2.0, "language": 3.0}
    assert found.keys() == expected.keys(), "the other combinations weren't measured"
    for name, true in expected.items():
        interval = found[name].ratio.interval
        assert interval.low <= true <= interval.high, name
        assert interval.high / interval.low < 1.2
        assert found[name].whole == "go+sqlite+json-orjson to go+leveldb+protobuf"


def test_the_ledger_holds_every_sentence() -> None:
    claims = load_claims()
    assert {claim.sentence for claim in claims} == {
        "Writes are 10 to 50 times faster.",
        "Reads are 5 to 10 times faster.",
        "Lists are 3 to 5 times faster.",
        "Storage is 30 to 50 % smaller.",
        "Start-up is faster.",
        "Memory is lower.",
    }
    storage = next(claim for claim in claims if claim.id == "storage-compacted")
    assert storage.at_least == pytest.approx(1 / 0.7)
    assert storage.at_most == pytest.approx(2)


ROW = """[[claim]]
id = "a"
title = "A"
sentence = "A."
metric = "write"
baseline = { engine = "x", codec = "y" }
candidate = { engine = "x", codec = "z" }
"""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("not toml", "no TOML"),
        ("", r"no \[\[claim\]\]"),
        (ROW + 'form="times"\n', "at_least"),
        (ROW + 'form="fold"\nat_least=1\n', "one of: times, saving"),
        (ROW + 'form="saving"\nat_least=30\n', "state 30 % as 0.30"),
        (ROW + 'form="times"\nat_least=5\nat_most=2\n', "above at_least"),
        ((ROW + 'form="times"\nat_least=5\n') * 2, "ids used twice: a"),
    ],
)
def test_a_wrong_ledger_is_a_clear_error(text: str, says: str) -> None:
    with pytest.raises(ClaimsError, match=says):
        load_claims(text)


def test_ratios_are_said_as_people_say_them() -> None:
    assert in_words("times", 12.345) == "12.3x"
    assert in_words("times", 146.2) == "146x"
    assert in_words("saving", 2.0) == "50 % smaller"
    assert in_words("saving", 0.8) == "25 % larger"


def test_verdicts_are_counted_with_all_four_named() -> None:
    counts = count_verdicts(judge(planted(times(12)), [at_least(10)]).verdicts)
    assert counts == {
        Conclusion.SUPPORTED: 2,
        Conclusion.CONTRADICTED: 0,
        Conclusion.INCONCLUSIVE: 0,
        Conclusion.NOT_MEASURED: 0,
    }
