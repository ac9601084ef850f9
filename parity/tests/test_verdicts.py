"""The page about BadgerDB and its stand-in: planted ratios come out as the right words."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

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
from parity.verdicts import page, pairs_of

COST_US = {"sqlite": 1_000.0, "leveldb": 20.0, "badger": 500.0}
"""LevelDB 50 times faster than the baseline, BadgerDB twice: of "10 to 50 times" one is supported, one contradicted."""


def planted(*engines: str) -> Raw:
    random = Random(3)
    subjects = tuple(Subject(name, "json-orjson" if name == "sqlite" else "protobuf", "durable") for name in engines)
    samples = tuple(
        Sample("write", "write", "us", subject, "medium", build, 0, tuple(_around(COST_US[subject.engine], random)))
        for subject in subjects
        for build in range(5)
    )
    source = PayloadSource("synthetic", "", 10, 10, 0, (), (PayloadClass("medium", 10, 1, 2, 3),))
    configuration = Configuration(
        "stores", "quick", 1, "parity bench stores", subjects, ("write",), source, {"builds": 5}
    )
    environment = Environment("2026-01-02", "cpu", 2, 1, "Linux", "3", "/", "ext4", FsyncCost(150, 200, 9), 0.5, {})
    return Raw(environment, configuration, samples)


def _around(level: float, random: Random) -> list[float]:
    return [level * math.exp(random.gauss(0, 0.02)) for _ in range(30)]


def test_an_opposite_verdict_is_named() -> None:
    raw = planted("sqlite", "leveldb", "badger")
    pairs = pairs_of(raw)
    (writes,) = (pair for pair in pairs if pair.measured)
    assert (writes.stand_in.verdict, writes.engine.verdict) == ("supported", "contradicted")
    text = page(raw, pairs)
    assert "In 1 it gives the opposite one:\n\n- Writes, durable, medium: LevelDB" in text
    assert "2026-01-02 on 2 x cpu" in text
    assert "an fsync costs 150 µs" in text


def test_a_run_without_badger_is_refused(tmp_path: Path) -> None:
    write_results(Results(planted("sqlite", "leveldb"), Judgement()), tmp_path / "run")
    out = tmp_path / "verdicts.md"
    command = [sys.executable, "-m", "parity.verdicts", str(tmp_path / "run"), "--out", str(out)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert finished.returncode == 2
    assert "no claim measured with both" in finished.stderr
    assert not out.exists()


@pytest.mark.parametrize("content", [None, "{}"])
def test_what_is_no_run_is_refused(tmp_path: Path, content: str | None) -> None:
    if content:
        (tmp_path / "results.json").write_text(content)
    command = [sys.executable, "-m", "parity.verdicts", str(tmp_path), "--out", str(tmp_path / "v.md")]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert finished.returncode == 2
    assert finished.stderr.startswith("error: ")
