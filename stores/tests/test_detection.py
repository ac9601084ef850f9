"""What stands guard over an engine's files: the high-water mark, logs, LMDB's pages; and that whole ones pass."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from random import Random

import pytest

from stores.contract import Delete, Put, StoreDamaged
from stores.engines.lmdb_pages import check_pages
from stores.engines.logs import check_logs, log_files, read_log, value_in
from stores.high_water import HighWater, HighWaterMark, read_mark
from stores.keyvalue import layout
from stores.registry import SCHEMES, open_store, unavailable
from stores.sqlite.wal import check_wal
from stores.suite.samples import agent, fill, put

ENGINES = [scheme.name for scheme in SCHEMES if scheme.needs_path and not unavailable(scheme)]


def flip(file: Path, place: int) -> None:
    data = bytearray(file.read_bytes())
    data[place] ^= 0x10
    file.write_bytes(data)


# ---- the high-water mark


@pytest.mark.parametrize(
    ("mark", "found", "above"),
    [
        ((5, 9, 4), (5, 9, 4), False),
        ((5, 9, 4), (5, 8, 4), True),
        ((5, 9, 4), (4, 9, 4), True),
        ((5, 9, 4), (6, 10, 2), False),
        ((5, 9, 4), (5, 9, 5), True),  # a deletion is missing
        ((5, 9, 4), (5, 9, 3), False),  # killed between a deletion and its mark
    ],
)
def test_what_is_older(mark: tuple[int, int, int], found: tuple[int, int, int], above: bool) -> None:
    assert HighWater(*mark).is_above(HighWater(*found)) == above


@pytest.mark.parametrize("scheme", ENGINES)
@pytest.mark.parametrize("durability", ["durable", "relaxed"])
def test_the_mark_follows_durable_commits_only(scheme: str, durability: str, tmp_path: Path) -> None:
    with open_store(f"{scheme}:{tmp_path / 'db'}", create=True) as store:
        fill(store, ["a", "b"])
    with open_store(f"{scheme}:{tmp_path / 'db'}?durability={durability}") as store:
        (path,) = (path for path in tmp_path.rglob("*") if path.name in {"parity.mark", "db.mark"})
        store.commit([Put("agent", "a", agent("a", text="other")), put("c")])
        store.commit([Delete("agent", "b")])
        marked = read_mark(path)
        assert marked is not None
        assert marked.high_water == (HighWater(3, 4, 2) if durability == "durable" else HighWater(2, 2, 2))
        assert not marked.closed
    marked = read_mark(path)
    assert marked is not None
    assert marked.closed
    with open_store(f"{scheme}:{tmp_path / 'db'}", read_only=True) as store:
        assert store.count("agent") == 2


@pytest.mark.parametrize("damage", [b"", b"x" * 44, None])
def test_a_mark_that_says_nothing_stands_in_nobodys_way(damage: bytes | None, tmp_path: Path) -> None:
    with open_store(f"leveldb:{tmp_path / 'db'}", create=True) as store:
        fill(store, ["a"])
    if damage is None:
        (tmp_path / "db" / "parity.mark").unlink()
    else:
        (tmp_path / "db" / "parity.mark").write_bytes(damage)
    with open_store(f"leveldb:{tmp_path / 'db'}") as store:
        store.commit([put("b")])
        assert store.count("agent") == 2
    assert read_mark(tmp_path / "db" / "parity.mark") is not None


def test_a_mark_that_cannot_be_written_fails_no_commit(tmp_path: Path) -> None:
    mark = HighWaterMark(tmp_path / "no" / "mark", b"meta", durable=True, writable=True)
    mark.raise_to(HighWater(1, 1, 1))
    mark.close()
    assert list(tmp_path.iterdir()) == []


# ---- logs


@pytest.mark.parametrize("scheme", [name for name in ENGINES if name in {"leveldb", "rocksdb"}])
def test_a_log_is_read_as_it_was_written(scheme: str, tmp_path: Path) -> None:
    """Batches of all sizes, some over several blocks of the log: the last has the state."""
    random = Random(7)
    with open_store(f"{scheme}:{tmp_path / 'db'}", create=True) as store:
        for number in range(40):
            size = random.choice((10, 2000, 33_000, 90_000))
            store.commit([Put("agent", f"a{number}", agent(f"a{number}", text=random.randbytes(size // 2).hex()))])
            log = read_log(log_files(tmp_path / "db")[-1])
            assert log.torn_at is None
            state = value_in(log.last_batch, layout.STATE_KEY)
            assert layout.read_state(state).position == number + 1
        whole = log_files(tmp_path / "db")[-1].read_bytes()
    path = tmp_path / "000001.log"
    for cut in (1, 3, 100, 5000):
        path.write_bytes(whole[:-cut])
        assert check_logs(tmp_path, strict=True), "a torn end is tolerated, and told"
    for place in (10, 40_000, len(whole) // 2):
        path.write_bytes(whole)
        flip(path, place)
        with pytest.raises(StoreDamaged, match="written on behind it"):
            check_logs(tmp_path, strict=True)
        assert check_logs(tmp_path, strict=False)


def test_frames_behind_a_damaged_one_are_damage_and_a_torn_end_is_not(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("CREATE TABLE t (a)")
    for number in range(10):
        database.execute("INSERT INTO t VALUES (?)", (str(number) * 3000,))
    log, copy = tmp_path / "x.db-wal", tmp_path / "copy"
    whole = log.read_bytes()
    database.close()
    copy.write_bytes(whole)
    check_wal(copy)
    for place in (5, 40, 5000, len(whole) // 2):
        copy.write_bytes(whole)
        flip(copy, place)
        with pytest.raises(StoreDamaged, match="transactions that were committed stand behind it"):
            check_wal(copy)
    for end in (len(whole) - 1, len(whole) - 3000, 40, 10, 0):
        copy.write_bytes(whole[:end])
        check_wal(copy)
    copy.write_bytes(whole)
    flip(copy, len(whole) - 100)
    check_wal(copy)


# ---- LMDB's pages


@pytest.mark.skipif("lmdb" not in ENGINES, reason="LMDB's driver isn't installed")
def test_all_pages_of_a_used_database_are_in_their_places(tmp_path: Path) -> None:
    """Large and small values come, change and go, so that pages are freed, and used again."""
    random, names = Random(3), [f"a{number}" for number in range(60)]
    with open_store(f"lmdb:{tmp_path / 'db'}?durability=relaxed", create=True) as store:
        for step in range(400):
            name = random.choice(names)
            size = random.choice((10, 1000, 1000, 9000, 200_000))
            text = random.randbytes(size // 2).hex()
            store.commit([Delete("agent", name) if step % 3 == 2 else Put("agent", name, agent(name, text=text))])
            if step % 5 == 0:
                check_pages(tmp_path / "db" / "data.mdb", all_pages=True)
    check_pages(tmp_path / "db" / "data.mdb", all_pages=True)


@pytest.mark.skipif("lmdb" not in ENGINES, reason="LMDB's driver isn't installed")
def test_a_database_that_was_closed_is_not_walked_but_a_short_file_is_noticed(tmp_path: Path) -> None:
    with open_store(f"lmdb:{tmp_path / 'db'}", create=True) as store:
        fill(store, [f"a{number}" for number in range(50)])
    path = tmp_path / "db" / "data.mdb"
    check_pages(path, all_pages=False)
    os.truncate(path, path.stat().st_size - 4096)
    for all_pages in (True, False):
        with pytest.raises(StoreDamaged, match="end of the file"):
            check_pages(path, all_pages=all_pages)
