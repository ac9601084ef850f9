"""Which store for a use: the ranking follows the use, ties are called ties, and what would flip it is computed."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.choice import Use, candidates, crossing, measurement, parse_bytes, rank, url_of
from benchmarks.choice_tables import answer, render_ranking, what_would_flip
from benchmarks.config import ConfigError
from benchmarks.results import Blank, Raw, Sample, Subject
from benchmarks.tests.test_goals import planted

COSTS = {"reader": (10.0, 1_000.0), "writer": (40.0, 300.0), "twin": (10.05, 1_001.0)}


def measured(use: Use, noise: float = 0.0) -> Raw:
    """A run in which each store costs what COSTS says, builds apart by `noise`."""
    subjects = tuple(Subject(name, "protobuf", use.durability) for name in COSTS)
    samples = []
    for subject, (read, write) in zip(subjects, COSTS.values(), strict=True):
        for build in range(5):
            level = 1 + noise * (build - 2)
            for metric, unit, cost in (
                ("read", "us", read),
                ("write", "us", write),
                ("size_loaded", "bytes/agent", 5e3),
            ):
                samples.append(Sample(metric, metric, unit, subject, use.payload, build, 0, (cost * level,)))
    raw = planted({})
    blank = Blank("read", Subject("absent", "protobuf", use.durability), use.payload, "its driver isn't installed")
    configuration = replace(raw.configuration, subjects=subjects)
    return replace(raw, samples=tuple(samples), configuration=configuration, blanks=(blank,))


def test_the_answer_follows_the_use() -> None:
    mostly_reads, mostly_writes = Use(7_000, 0.99, 1_000, durable=True), Use(7_000, 0.2, 1_000, durable=True)
    first, second = (rank(measured(use), use) for use in (mostly_reads, mostly_writes))
    assert first.places[0].subject.engine == "reader"
    assert second.places[0].subject.engine == "writer"
    assert second.places[0].cost_us == pytest.approx(0.2 * 40 + 0.8 * 300)


def test_what_the_measurement_does_not_tell_apart_is_a_tie() -> None:
    use = Use(7_000, 0.99, 1_000, durable=False)
    ranking = rank(measured(use, noise=0.02), use)
    assert [place.ties for place in ranking.places] == [False, False, False]  # all builds agree that twin is dearer
    noisy = measured(use)
    shaken = tuple(
        replace(one, values=tuple(value * (1.02 if one.build % 2 else 0.99) for value in one.values))
        if one.subject.engine == "twin" else one
        for one in noisy.samples
    )  # fmt: skip
    ranking = rank(replace(noisy, samples=shaken), use)
    assert [place.ties for place in ranking.places] == [False, True, False]
    assert {place.subject.engine for place in ranking.places[:2]} == {"reader", "twin"}
    assert f"{ranking.places[1].subject.engine} can't be told from it" in answer(ranking)


def test_it_says_at_which_share_another_would_be_better() -> None:
    assert crossing((10, 1_000), (40, 300)) == pytest.approx(700 / 730)
    assert crossing((10, 300), (40, 1_000)) is None
    use = Use(7_000, 0.5, 1_000, durable=True)
    told = list(what_would_flip(rank(measured(use), use)))
    assert any("reader would be better with more than 95.9% reads" in line for line in told)


def test_the_table_shows_costs_disk_and_what_is_missing() -> None:
    use = Use(7_000, 0.5, 100_000, durable=True)
    out = StringIO()
    Console(file=out, width=160).print(render_ranking(rank(measured(use), use)))
    text = out.getvalue()
    for expected in ("Take writer: writer:PATH", "500 MB", "absent: its driver isn't installed", "400 agents"):
        assert expected in text


def test_sizes_shares_and_urls() -> None:
    assert [parse_bytes(text) for text in ("800", "800B", "7KB", "1.5MiB")] == [800, 800, 7_000, 1_572_864]
    with pytest.raises(ConfigError, match="write for example"):
        parse_bytes("seven")
    with pytest.raises(ConfigError, match="a share"):
        Use(1, 1.5, 1, durable=True)
    assert [Use(size, 0, 1, durable=True).payload for size in (100, 7_000, 1 << 20)] == ["small", "medium", "large"]
    assert url_of(Subject("sqlite", "protobuf", "relaxed")) == "sqlite:PATH?codec=protobuf&durability=relaxed"
    assert url_of(Subject("leveldb", "protobuf", "durable")) == "leveldb:PATH"


def test_only_what_is_needed_is_measured(tmp_path: Path) -> None:
    config = measurement(Use(1_000, 0.5, 50, durable=False), tmp_path, 1)
    assert {"sqlite", "leveldb"} <= set(candidates())
    assert "memory" not in candidates()
    assert config.payloads == ("small",)
    assert {subject.durability for subject in config.subjects} == {"relaxed"}
    assert config.counts.agents == 50
    assert not config.proven
