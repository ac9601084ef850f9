"""The page about BadgerDB and its stand-in: planted ratios come out as the right words."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from random import Random

import pytest

from benchmarks.judge import judge
from benchmarks.results import (
    Configuration,
    Environment,
    FsyncCost,
    Judgement,
    PayloadClass,
    PayloadSource,
    Raw,
    Results,
    Sample,
    Subject,
    write_results,
)
from benchmarks.robustness import dependence, robustness, sentence
from parity.verdicts import page

COST_US = {
    ("go", "sqlite", "json", "relaxed"): 30.0,
    ("go", "sqlite", "json", "durable"): 300.0,
    ("go", "badger", "protobuf", "relaxed"): 10.0,
    ("go", "badger", "protobuf", "durable"): 300.0,
    ("", "sqlite", "json", "relaxed"): 60.0,
    ("", "sqlite", "json-orjson", "relaxed"): 400.0,
    ("", "leveldb", "protobuf", "relaxed"): 20.0,
}
"""Writes are claimed to be 10 to 50 times faster: 3x in Go, 1x when durable, 20x through dictionaries."""


def planted(*languages: str, cost_us: Mapping[tuple[str, str, str, str], float] = COST_US) -> Raw:
    random = Random(3)
    subjects = tuple(
        Subject(engine, codec, mode, language=language)
        for language, engine, codec, mode in cost_us
        if language in languages
    )
    samples = tuple(
        Sample("write", "write", "us", subject, "medium", build, 0, tuple(_around(_cost(subject, cost_us), random)))
        for subject in subjects
        for build in range(5)
    )
    source = PayloadSource("synthetic", "", 10, 10, 0, (), (PayloadClass("medium", 10, 1, 2, 3),))
    configuration = Configuration(
        "stores", "quick", 1, "parity bench stores", subjects, ("write",), source, {"builds": 5}
    )
    environment = Environment("2026-01-02", "cpu", 2, 1, "Linux", "3", "/", "ext4", FsyncCost(150, 200, 9), 0.5, {})
    return Raw(environment, configuration, samples)


def _cost(subject: Subject, cost_us: Mapping[tuple[str, str, str, str], float]) -> float:
    return cost_us[subject.language, subject.engine, subject.codec, subject.durability]


def _around(level: float, random: Random) -> list[float]:
    return [level * math.exp(random.gauss(0, 0.02)) for _ in range(30)]


def test_the_headline_is_measured_in_the_language_of_the_claim() -> None:
    writes = next(one for one in robustness(judge(planted("go", "")).verdicts) if one.headline.claim == "write-speed")
    assert writes.headline.baseline.name == "go+sqlite+json"
    assert sentence(writes).startswith("Writes: “Writes are 10 to 50 times faster” doesn't hold: ")
    assert sentence(writes).endswith(" times faster, in Go from SQLite to BadgerDB.")
    told = dependence(writes)
    assert told.startswith("stays contradicted when durable (")
    assert "in Python (sqlite to leveldb) (" in told
    assert "is supported in Python (sqlite to leveldb) through dictionaries (" in told


def test_without_the_language_the_headline_has_no_number_and_the_others_do() -> None:
    writes = next(one for one in robustness(judge(planted("")).verdicts) if one.headline.claim == "write-speed")
    assert writes.headline.verdict == "not measured"
    assert [one.verdict for one in writes.other] == ["contradicted", "supported"]


def test_the_page_leads_with_sentences() -> None:
    text = page(planted("go", ""))
    places = [text.index(part) for part in ("**Writes: “Writes are", "━", "<summary>All judgements")]
    assert places == sorted(places), "sentence, picture, tables"
    assert "2026-01-02 on 2 x cpu" in text
    assert "an fsync costs 150 µs" in text


def test_what_the_language_makes_is_told_of_the_stores_of_the_headline_whatever_other_driver_was_measured() -> None:
    in_python = {("", "badger", "protobuf", "relaxed"): 40.0}
    slow_driver = {("go", "sqlite-modernc", "json", "relaxed"): 3000.0}
    text = page(planted("go", "", cost_us={**COST_US, **in_python, **slow_driver}))
    (row,) = [line for line in text.splitlines() if line.startswith("| write |") and line.count("|") == 5]
    assert row.startswith(("| write | 3.", "| write | 2.9")), row


def test_a_run_without_the_native_program_is_refused(tmp_path: Path) -> None:
    write_results(Results(planted(""), Judgement()), tmp_path / "run")
    out = tmp_path / "verdicts.md"
    command = [sys.executable, "-m", "parity.verdicts", str(tmp_path / "run"), "--out", str(out)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert finished.returncode == 2
    assert "`make native`" in finished.stderr
    assert not out.exists()


@pytest.mark.parametrize("content", [None, "{}"])
def test_what_is_no_run_is_refused(tmp_path: Path, content: str | None) -> None:
    if content:
        (tmp_path / "results.json").write_text(content)
    command = [sys.executable, "-m", "parity.verdicts", str(tmp_path), "--out", str(tmp_path / "v.md")]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert finished.returncode == 2
    assert finished.stderr.startswith("error: ")
