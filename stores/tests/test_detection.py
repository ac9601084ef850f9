"""What stands guard over an engine's files: the high-water mark, logs, LMDB's pages; and that whole ones pass."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
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
from tests.damage.contents import changes, contents

ENGINES = [scheme.name for scheme in SCHEMES if scheme.needs_path and not unavailable(scheme)]


def flip(file: Path, place: int) -> None:
    data = bytearray(file.read_bytes())
    data[place] ^= 0x10
    file.write_bytes(data)


def mark_in(folder: Path) -> Path:
    (path,) = (path for path in folder.rglob("*") if path.name in {"parity.mark", "db.mark"})
    return path


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
        path = mark_in(tmp_path)
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


@pytest.mark.parametrize("scheme", ENGINES)
def test_a_mark_that_is_missing_stands_in_nobodys_way(scheme: str, tmp_path: Path) -> None:
    url = f"{scheme}:{tmp_path / 'db'}"
    with open_store(url, create=True) as store:
        fill(store, ["a"])
    path = mark_in(tmp_path)
    path.unlink()
    with open_store(url) as store:
        store.commit([put("b")])
        assert store.count("agent") == 2
    assert read_mark(path) is not None


@pytest.mark.parametrize("scheme", ENGINES)
@pytest.mark.parametrize("damage", [b"", bytes(44), b"x" * 44, "bit", "longer", "folder"])
def test_a_damaged_mark_is_told_and_can_be_given_up(scheme: str, damage: bytes | str, tmp_path: Path) -> None:
    """Nothing is changed before it is told; who removes the mark has the database as it is."""
    url = f"{scheme}:{tmp_path / 'db'}"
    with open_store(url, create=True) as store:
        fill(store, ["a"])
    path = mark_in(tmp_path)
    match damage:
        case bytes():
            path.write_bytes(damage)
        case "bit":
            flip(path, 30)
        case "longer":
            path.write_bytes(path.read_bytes() + b"x")
        case _:
            path.unlink()
            path.mkdir()
    before = contents(tmp_path)
    for read_only in (True, False):
        with pytest.raises(StoreDamaged, match=r"mark is damaged: .*may be older") as told:
            open_store(url, read_only=read_only, create=not read_only)
        assert f"remove {path}" in told.value.hint
    assert changes(before, contents(tmp_path), scheme) == []
    path.rmdir() if damage == "folder" else path.unlink()
    with open_store(url) as store:
        assert store.count("agent") == 1


@pytest.mark.parametrize("scheme", [name for name in ENGINES if name != "badger"])
def test_a_log_cut_between_two_entries_is_told_where_the_mark_is_damaged_too(scheme: str, tmp_path: Path) -> None:
    """The log is as it was one commit earlier: nothing but the mark could tell."""
    whole, left = tmp_path / "whole", tmp_path / "left"
    with open_store(f"{scheme}:{whole / 'db'}", create=True) as store:
        fill(store, ["a", "b"])
        earlier = {file.relative_to(whole): file.read_bytes() for file in whole.rglob("*") if file.is_file()}
        store.commit([put("c")])
        shutil.copytree(whole, left)
    for file, data in earlier.items():
        (left / file).write_bytes(data)
    flip(mark_in(left), 20)
    url = f"{scheme}:{left / 'db'}"
    for read_only in (True, False):
        with pytest.raises(StoreDamaged, match="mark is damaged"):
            open_store(url, read_only=read_only)
    mark_in(left).unlink()
    with open_store(url) as cut:
        assert cut.count("agent") == 2


def test_the_first_mark_is_lasting_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So no power failure leaves a part of it, and none that follows waits for the disk."""
    done: list[str] = []
    for name in ("pwrite", "fsync", "rename"):
        monkeypatch.setattr(os, name, _noted(name, getattr(os, name), done))
    mark = HighWaterMark(tmp_path / "mark", b"meta", durable=True, writable=True)
    mark.raise_to(HighWater(1, 1, 1))
    assert done == ["pwrite", "fsync", "rename"]
    mark.raise_to(HighWater(2, 2, 2))
    mark.close()
    assert done[3:] == ["pwrite", "pwrite"]
    again = HighWaterMark(tmp_path / "mark", b"meta", durable=True, writable=True)
    again.raise_to(HighWater(3, 3, 3))
    assert done[5:] == ["pwrite"]
    again.forget()
    again.raise_to(HighWater(1, 1, 1))
    again.close()
    found = read_mark(tmp_path / "mark")
    assert found is not None
    assert found.high_water == HighWater(1, 1, 1)


def _noted(name: str, call: Callable[..., object], done: list[str]) -> Callable[..., object]:
    def noted(*arguments: object) -> object:
        done.append(name)
        return call(*arguments)

    return noted


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
    path.write_bytes(whole[: 32 * 1024])
    assert check_logs(tmp_path, strict=True), "so is a batch of which the first records are there, whole"
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
