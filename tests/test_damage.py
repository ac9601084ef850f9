"""Damaged databases are read whole or refused; never less, no crash, no hang, and nothing is changed by looking."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from stores.high_water import FOLDER_MARK
from stores.registry import open_store
from stores.suite.full_disk import namespaces_work
from stores.suite.samples import put
from tests.damage.cost import measured, noticing
from tests.damage.damages import FILE_DAMAGES
from tests.damage.looker import SILENT, Looker
from tests.damage.matrix import ENGINES, RANDOM_DAMAGES, Bench, Cell, Result
from tests.damage.read_only import WHOLE as READ_WHOLE
from tests.damage.read_only import on_read_only

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


@pytest.mark.parametrize(
    "engine",
    [name if name in {"leveldb", "badger"} else pytest.param(name, marks=pytest.mark.full) for name in ENGINES],
)
def test_a_read_only_file_system(engine: str, tmp_path: Path) -> None:
    if not namespaces_work(tmp_path):
        pytest.skip("this user may not mount a file system of his own here")
    found = on_read_only(engine, tmp_path)
    assert (found["read, closed"], found["read, not closed"]) == (READ_WHOLE, READ_WHOLE)
    for state in ("closed", "not closed"):
        assert found[f"served, {state}"].startswith("StoreUnavailable: ")
        assert re.search("permission|mount|writable", found[f"served, {state}"])


def test_what_noticing_costs_is_measured_with_it_and_without(tmp_path: Path) -> None:
    costs = measured("lmdb", 10, 3, SEED, tmp_path)
    assert [cost.what for cost in costs] == ["durable put", "the mark within a put", "open 500 agents"]
    assert all(0 < cost.low <= cost.ratio <= cost.high for cost in costs)
    url = f"lmdb:{tmp_path / 'db'}"
    for number, wanted in enumerate((False, True)):
        with noticing(wanted=wanted), open_store(url, create=True) as store:
            store.commit([put(f"a{number}")])
        assert (tmp_path / "db" / FOLDER_MARK).exists() is wanted


@pytest.mark.parametrize("scheme", ENGINES)
def test_a_database_that_was_closed(scheme: str, looker: Looker, tmp_path: Path) -> None:
    """Badger, opened for reading, removed and cut files of such; LMDB and SQLite don't look through all of it."""
    closed = Bench(tmp_path, (scheme,), closed=True)
    cells = [cell for cell in closed.cells() if cell.damage in {"older copy", "empty", "removed"}]
    chosen = Random(SEED).sample(cells, SHARE) if scheme != "badger" else cells
    results = [closed.run(cell, looker) for cell in chosen]
    results += [closed.run_random(scheme, seed, looker, files=2) for seed in range(2000, 2000 + SHARE)]
    assert wrong(results) == []


@pytest.mark.full
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("scheme", ENGINES)
def test_the_whole_matrix(scheme: str, closed: bool, looker: Looker, tmp_path: Path) -> None:
    whole = Bench(tmp_path, tuple({scheme: None, **dict.fromkeys(ENGINES)}), closed=closed)
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
