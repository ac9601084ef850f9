"""The engine over the bridge: bytes, pages, snapshots, threads, and every way of being refused."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from stores.contract import (
    FormatMismatch,
    InvalidOperation,
    Put,
    StoreClosed,
    StoreLocked,
    StoreUnavailable,
)
from stores.engines.badger.engine import BadgerEngine, Settings
from stores.engines.badger.library import load
from stores.engines.badger.tests.looking import rows, run
from stores.keyvalue.engine import EngineCorrupt
from stores.registry import open_store

pytestmark = pytest.mark.usefixtures("library")
RELAXED = Settings(sync_writes=False)
RESERVED = b"\xffparity-bridge\xff"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[BadgerEngine]:
    opened = BadgerEngine(tmp_path / "db", RELAXED)
    yield opened
    opened.close()


class TestBytes:
    def test_keys_and_values_hold_any_byte(self, engine: BadgerEngine) -> None:
        pairs = [(b"\0", b"\0\0"), (b"a\0b", bytes(range(256))), (b"empty", b""), (b"\xfe" * 460, b"\xff")]
        engine.write(pairs, sync=False)
        assert rows(engine) == sorted(pairs)
        assert [engine.get(key) for key, _ in pairs] == [value for _, value in pairs]
        assert engine.get(b"absent") is None

    @pytest.mark.parametrize("size", [64 * 1024 - 1, 64 * 1024, 64 * 1024 + 1, 1024 * 1024, 10 * 1024 * 1024])
    def test_values_larger_than_a_buffer(self, engine: BadgerEngine, size: int) -> None:
        value = bytes(range(251)) * (size // 251) + b"!" * (size % 251)
        engine.write([(b"k", value), (b"l", b"next")], sync=False)
        assert engine.get(b"k") == value
        assert rows(engine) == [(b"k", value), (b"l", b"next")]

    def test_the_last_of_several_changes_of_a_key_wins(self, engine: BadgerEngine) -> None:
        engine.write([(b"k", b"1"), (b"k", None), (b"k", b"2"), (b"gone", b"1"), (b"gone", None)], sync=True)
        assert rows(engine) == [(b"k", b"2")]


class TestRanges:
    def test_pages_of_every_size_give_each_row_once_in_order(self, engine: BadgerEngine) -> None:
        pairs = [(b"k%05d" % number, b"v" * (number % 300)) for number in range(9_000)]
        engine.write(pairs, sync=False)
        engine.write([(b"j", b"before"), (b"l", b"after")], sync=False)
        assert rows(engine, b"k", b"l") == pairs
        assert rows(engine, b"k00010", b"k00012") == pairs[10:12]
        assert rows(engine, b"m", b"") == []

    def test_backwards_and_keys_only(self, engine: BadgerEngine) -> None:
        pairs = [(b"k%03d" % number, b"v") for number in range(100)]
        engine.write([*pairs, (b"j", b""), (b"l", b"")], sync=False)
        snapshot = engine.snapshot()
        assert list(snapshot.range(b"k", b"l", reverse=True)) == pairs[::-1]
        assert next(snapshot.range(b"k", b"k050", reverse=True, keys_only=True)) == (b"k049", b"")
        assert next(snapshot.range(b"", b"", reverse=True)) == (b"l", b"")
        snapshot.close()

    def test_a_snapshot_and_its_ranges_keep_their_state(self, engine: BadgerEngine) -> None:
        before = [(b"k%03d" % number, b"1") for number in range(100)]
        engine.write(before, sync=False)
        snapshot = engine.snapshot()
        under_way = snapshot.range(b"k", b"l")
        first = next(under_way)
        engine.write([*((key, b"2") for key, _ in before), (b"k1000", b"new")], sync=False)
        engine.compact()
        assert [first, *under_way] == before
        assert snapshot.get(b"k050") == b"1"
        assert engine.get(b"k050") == b"2"
        snapshot.close()
        with pytest.raises(StoreClosed):
            snapshot.get(b"k050")

    def test_nothing_stays_open(self, engine: BadgerEngine) -> None:
        engine.write([(b"k%05d" % number, b"v" * 100) for number in range(2_000)], sync=False)
        before = load().live_counts()
        for _ in range(200):
            snapshot = engine.snapshot()
            abandoned = snapshot.range(b"", b"")
            next(abandoned)
            snapshot.close()
            del abandoned
        assert load().live_counts() == before


class TestBatches:
    def test_a_batch_larger_than_a_transaction_is_whole(self, tmp_path: Path) -> None:
        engine = BadgerEngine(tmp_path / "db", replace(RELAXED, memtable_mb=8))
        seen: list[int] = []
        stop = threading.Event()

        def watch() -> None:
            while not stop.is_set():
                seen.append(len(rows(engine, b"b", b"c")))

        watcher = threading.Thread(target=watch)
        watcher.start()
        engine.write([(b"b%04d" % number, bytes(60_000)) for number in range(200)], sync=True)
        engine.write([(b"b%04d" % number, None) for number in range(200)], sync=True)
        stop.set()
        watcher.join()
        assert set(seen) <= {0, 200}, "a reader saw a part of a batch"
        assert rows(engine) == []
        engine.close()

    def test_a_batch_larger_than_the_value_log_is_refused_whole(self, tmp_path: Path) -> None:
        engine = BadgerEngine(tmp_path / "db", replace(RELAXED, memtable_mb=8, value_log_mb=2))
        with pytest.raises(InvalidOperation, match="exceeds"):
            engine.write([(b"%04d" % number, bytes(60_000)) for number in range(60)], sync=False)
        assert rows(engine) == []
        engine.close()

    def test_the_bridges_own_keys_are_refused_and_hidden(self, engine: BadgerEngine) -> None:
        with pytest.raises(InvalidOperation, match="own"):
            engine.write([(b"k", b"v"), (RESERVED + b"flush", b"v")], sync=False)
        engine.write([(b"\xff" * 3, b"v")], sync=False)
        engine.compact()
        assert rows(engine) == [(b"\xff" * 3, b"v")]

    def test_an_interrupted_large_batch_is_completed_at_the_next_open(self, tmp_path: Path) -> None:
        settings = replace(RELAXED, memtable_mb=8)
        script = """
import os, sys, threading, time
from pathlib import Path
from stores.engines.badger.engine import BadgerEngine, Settings
engine = BadgerEngine(Path(sys.argv[1]), Settings(sync_writes=False, memtable_mb=8))
engine.write([(b"a", b"before")], sync=False)
folder = Path(sys.argv[1])
def kill_when_the_journal_is_there():
    while sum(file.stat().st_blocks for file in folder.glob("*.vlog")) * 512 < 20_000_000:
        time.sleep(0.0005)
    os.kill(os.getpid(), 9)
threading.Thread(target=kill_when_the_journal_is_there).start()
engine.write([(b"b%04d" % number, bytes(50_000)) for number in range(400)], sync=False)
time.sleep(5)
"""
        run(script, str(tmp_path / "db"), exit_code=-9)
        engine = BadgerEngine(tmp_path / "db", settings)
        found = [key for key, _ in rows(engine)]
        assert found in ([b"a"], [b"a", *(b"b%04d" % number for number in range(400))])
        engine.close()


class TestThreads:
    def test_eight_threads_write_and_read_what_they_wrote(self, engine: BadgerEngine) -> None:
        problems: list[str] = []

        def work(name: int) -> None:
            for number in range(150):
                key = b"%d/%d" % (name, number)
                engine.write([(key, key * 20)], sync=False)
                if engine.get(key) != key * 20:
                    problems.append(f"{key!r} was lost")

        threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []
        assert len(rows(engine)) == 8 * 150

    def test_a_read_is_never_older_than_an_earlier_one(self, engine: BadgerEngine) -> None:
        """The bridge keeps read transactions; a kept one must never show an older state."""
        engine.write([(b"n", b"%08d" % 0)], sync=False)
        newest, stop, problems = [0], threading.Event(), list[str]()

        def read() -> None:
            while not stop.is_set():
                floor = newest[0]
                seen = int(engine.get(b"n") or b"-1")
                if seen < floor:
                    problems.append(f"{seen} after {floor}")
                newest[0] = max(newest[0], seen)

        threads = [threading.Thread(target=read) for _ in range(3)]
        for thread in threads:
            thread.start()
        for number in range(1, 300):
            engine.write([(b"n", b"%08d" % number)], sync=False)
            newest[0] = max(newest[0], number)
        stop.set()
        for thread in threads:
            thread.join()
        assert problems == []

    def test_close_waits_for_calls_and_refuses_later_ones(self, tmp_path: Path) -> None:
        engine = BadgerEngine(tmp_path / "db", RELAXED)
        ended: list[str] = []

        def work() -> None:
            try:
                while True:
                    engine.write([(b"k", b"v")], sync=False)
                    engine.get(b"k")
            except StoreClosed:
                ended.append("closed")

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        snapshot = engine.snapshot()
        under_way = snapshot.range(b"", b"")
        engine.close()
        engine.close()
        for thread in threads:
            thread.join()
        assert ended == ["closed"] * 4
        with pytest.raises(StoreClosed):
            next(under_way)
        snapshot.close()

    def test_opening_and_closing_leaves_nothing_behind(self, tmp_path: Path) -> None:
        def once(number: int) -> None:
            engine = BadgerEngine(tmp_path / str(number), RELAXED)
            engine.write([(b"k", b"v")], sync=False)
            engine.snapshot().close()
            engine.close()

        once(0)
        before, files = (
            load().live_counts(),
            len(list(Path("/proc/self/fd").iterdir())) if Path("/proc").exists() else 0,
        )
        for number in range(1, 9):
            once(number)
        after = load().live_counts()
        assert {**after, "goroutines": 0} == {**before, "goroutines": 0}
        assert after["goroutines"] <= before["goroutines"] + 2, "goroutines leak"
        if files:
            assert len(list(Path("/proc/self/fd").iterdir())) <= files + 1


class TestRefusals:
    def test_a_second_opener(self, tmp_path: Path) -> None:
        engine = BadgerEngine(tmp_path / "db", RELAXED)
        with pytest.raises(StoreLocked):
            BadgerEngine(tmp_path / "db", RELAXED)
        engine.close()
        BadgerEngine(tmp_path / "db", RELAXED).close()

    def test_a_folder_of_something_else(self, tmp_path: Path) -> None:
        (tmp_path / "CURRENT").write_text("MANIFEST-000001\n")
        with pytest.raises(FormatMismatch, match="CURRENT"):
            BadgerEngine(tmp_path, RELAXED)
        assert [file.name for file in tmp_path.iterdir()] == ["CURRENT"]

    def test_a_folder_that_a_killed_first_open_left(self, tmp_path: Path) -> None:
        (tmp_path / "LOCK").write_text("1\n")
        (tmp_path / "MANIFEST-REWRITE").write_bytes(b"half")
        BadgerEngine(tmp_path, RELAXED).close()

    def test_empty_logs_that_a_killed_process_left(self, tmp_path: Path) -> None:
        """Killed between making a log and giving it its size: Badger alone refuses such a database for ever."""
        engine = BadgerEngine(tmp_path / "db", RELAXED)
        engine.write([(b"k", b"v"), (b"big", bytes(2_000_000))], sync=True)
        engine.close()
        for name in ("00007.mem", "000009.vlog"):
            (tmp_path / "db" / name).touch()
        engine = BadgerEngine(tmp_path / "db", RELAXED)
        assert rows(engine) == [(b"big", bytes(2_000_000)), (b"k", b"v")]
        engine.close()

    def test_a_disk_with_less_than_the_reserve(self, tmp_path: Path) -> None:
        with pytest.raises(StoreUnavailable, match="MiB left") as refusal:
            BadgerEngine(tmp_path / "db", replace(RELAXED, reserve_mb=1 << 30))
        assert "free some space" in refusal.value.hint

    def test_a_path_that_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(StoreUnavailable, match="can't be made"):
            BadgerEngine(tmp_path / "file" / "db", RELAXED)

    @pytest.mark.parametrize("damage", ["MANIFEST", "KEYREGISTRY", "*.sst"])
    def test_damaged_files_are_named_and_the_process_lives(self, tmp_path: Path, damage: str) -> None:
        engine = BadgerEngine(tmp_path / "db", RELAXED)
        engine.write([(b"k%04d" % number, bytes([number % 256]) * 200) for number in range(2_000)], sync=True)
        engine.compact()
        engine.close()
        for file in (tmp_path / "db").glob(damage):
            content = bytearray(file.read_bytes())
            for place in range(8, min(len(content), 4_000), 7):
                content[place] ^= 0x5A
            file.write_bytes(content)
        script = """
import sys
from pathlib import Path
from stores.contract import StoreError
from stores.engines.badger.engine import BadgerEngine, Settings
try:
    engine = BadgerEngine(Path(sys.argv[1]), Settings(sync_writes=False))
    print(sum(engine.get(b"k%04d" % n) is not None for n in range(2000)))
except StoreError as error:
    print(type(error).__name__, error)
"""
        assert "EngineCorrupt" in run(script, str(tmp_path / "db"))

    def test_a_damaged_value_in_the_value_log(self, tmp_path: Path) -> None:
        engine = BadgerEngine(tmp_path / "db", RELAXED)
        engine.write([(b"big", b"abcdefgh" * 200_000), (b"small", b"whole")], sync=True)
        engine.compact()
        engine.close()
        (log,) = (file for file in (tmp_path / "db").glob("*.vlog") if file.stat().st_size > 1_000_000)
        content = bytearray(log.read_bytes())
        content[500_000] ^= 1
        log.write_bytes(content)
        engine = BadgerEngine(tmp_path / "db", RELAXED)
        with pytest.raises(EngineCorrupt):
            engine.get(b"big")
        assert engine.get(b"small") == b"whole"
        engine.close()


def test_a_batch_that_is_too_big_leaves_the_store_usable(tmp_path: Path) -> None:
    with open_store(f"badger:{tmp_path / 'db'}?durability=relaxed", create=True) as store:
        store.commit([Put("agent", "a", Agent(api_version="v1"))])
        huge = Agent()
        huge.spec.instructions = "x" * (257 * 1024 * 1024)
        with pytest.raises(InvalidOperation, match="268435456 bytes that a value log file holds"):
            store.commit([Put("agent", "huge", huge)])
        assert store.commit([Put("agent", "b", Agent(api_version="v1"))]) == 2
        assert store.count("agent") == 2
        assert store.get_bytes("agent", "huge") is None
