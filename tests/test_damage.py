"""Damaged databases are read whole or refused; never less, no crash, no hang, and nothing is changed by looking."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.damage.damages import FILE_DAMAGES
from tests.damage.looker import SILENT, Looker
from tests.damage.matrix import ENGINES, RANDOM_DAMAGES, Bench, Cell, Result

SEED = 18
SHARE = 6
"""Cells, and random damages, of each engine in the normal run."""
QUICK = tuple(name for name in ENGINES if name != "badger")
"""Badger's files are 128 MiB long, and it needs a quarter of a second for each."""


@pytest.fixture(scope="module")
def looker() -> Iterator[Looker]:
    with Looker() as opened:
        yield opened


@pytest.fixture(scope="module", params=QUICK)
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("damage"), (request.param,))


def wrong(results: list[Result | None]) -> list[str]:
    return [f"{result.cell}: {result.read}; {result.served}" for result in results if result and not result.allowed]


def test_a_share_of_the_matrix(bench: Bench, looker: Looker) -> None:
    cells = list(bench.cells())
    results = [bench.run(cell, looker) for cell in Random(SEED).sample(cells, SHARE)]
    assert wrong(results) == []


@pytest.mark.parametrize("damage", ["a FIFO", "3 MiB of noise behind it", "a hard link to another file"])
def test_what_nobody_thinks_of(damage: str, bench: Bench, looker: Looker) -> None:
    """Nothing waits for a pipe, or reads noise for minutes; two files that are one are told."""
    cells = [cell for cell in bench.cells() if cell.damage == damage]
    results = [bench.run(cell, looker) for cell in Random(SEED).sample(cells, 2)]
    assert wrong(results) == []


def test_some_random_damages(bench: Bench, looker: Looker) -> None:
    (scheme,) = bench.bases
    results = [bench.run_random(scheme, seed, looker) for seed in range(1000, 1000 + SHARE)]
    assert wrong(results) == []
    assert any(results)


@pytest.mark.full
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("scheme", ENGINES)
def test_the_whole_matrix(scheme: str, looker: Looker, tmp_path: Path) -> None:
    whole = Bench(tmp_path, tuple({scheme: None, **dict.fromkeys(ENGINES)}))
    results = [whole.run(cell, looker) for cell in whole.cells() if cell.scheme == scheme]
    assert wrong(results) == []
    assert len([result for result in results if result]) >= 3 * len(FILE_DAMAGES)


@pytest.mark.full
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("scheme", ENGINES)
def test_a_hundred_random_damages(scheme: str, looker: Looker, tmp_path: Path) -> None:
    base = Bench(tmp_path, (scheme,))
    results: list[Result] = []
    seed = 0
    while len(results) < RANDOM_DAMAGES:
        seed += 1
        if result := base.run_random(scheme, seed, looker):
            results.append(result)
    assert wrong(list(results)) == []


def test_the_matrix_would_notice_a_loss(looker: Looker, tmp_path: Path) -> None:
    """Without the mark, SQLite knows of nothing when its log is gone."""
    bench = Bench(tmp_path, ("sqlite",))
    for mark in tmp_path.rglob("*.mark"):
        mark.unlink()
    result = bench.run(Cell("sqlite", "db-wal", "removed"), looker)
    assert result is not None
    assert (result.read.word, result.served.word) == (SILENT, SILENT)
    assert not result.allowed
