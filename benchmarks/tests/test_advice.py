"""Which store for which use: the advice follows the use, names how sure it is, and isn't given without two stores."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.advice import READ_SHARES
from benchmarks.choice import Use
from benchmarks.judge import judge
from benchmarks.results import Advice, Raw
from benchmarks.tests.test_choice import measured

USE = Use(7_000, 0.9, 1_000, durable=True)


def advice(raw: Raw) -> dict[float, Advice]:
    return {one.read_share: one for one in judge(raw, claims=()).advice}


def test_the_advice_follows_the_use() -> None:
    given = advice(measured(USE))
    assert tuple(given) == READ_SHARES
    assert {one.durability for one in given.values()} == {"durable"}
    mostly_writes = given[0.1]
    assert mostly_writes.best.engine == "writer"
    assert [rival.subject.engine for rival in mostly_writes.rivals] == ["reader", "twin"]
    # reader: 0.1 x 10 + 0.9 x 1,000 = 901 us; writer: 0.1 x 40 + 0.9 x 300 = 274 us
    assert mostly_writes.rivals[0].behind.value == pytest.approx(901 / 274)


def test_other_languages_and_modes_are_not_mixed_in() -> None:
    raw = measured(USE)
    go = tuple(replace(one, language="go") for one in raw.configuration.subjects[1:])
    subjects = (raw.configuration.subjects[0], *go)
    samples = tuple(
        replace(one, subject=replace(one.subject, language="go")) if one.subject.engine != "reader" else one
        for one in raw.samples
    )
    mixed = replace(raw, samples=samples, configuration=replace(raw.configuration, subjects=subjects))
    assert advice(mixed) == {}  # one store in Python is left, and there is nothing to choose from


def test_one_build_gives_no_advice() -> None:
    raw = measured(USE)
    assert advice(replace(raw, samples=tuple(one for one in raw.samples if one.build == 0))) == {}
