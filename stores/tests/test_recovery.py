"""After a write that failed a store opens its database again, and nothing that was acknowledged is lost."""

from __future__ import annotations

import gc
import sqlite3
import threading
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sortedcontainers import SortedDict

from stores.codecs import codec_of
from stores.contract import (
    Access,
    Durability,
    Put,
    Recovers,
    Store,
    StoreClosed,
    StoreDamaged,
    StoreNotFound,
    StoreUnavailable,
)
from stores.engines.leveldb import LevelDbEngine
from stores.keyvalue.engine import Engine
from stores.keyvalue.reopening import Reopening
from stores.keyvalue.store import KeyValueStore
from stores.registry import SCHEMES, open_store, unavailable
from stores.schema import KINDS
from stores.sqlite.connections import LOG_BYTES_MAX, LOG_RETRY_SECONDS
from stores.suite.dict_engine import DictEngine, DictSnapshot
from stores.suite.samples import agent, ids_of, put

KEY_VALUE = [
    scheme.name for scheme in SCHEMES if scheme.options and scheme.name != "sqlite" and not unavailable(scheme)
]


def fails(*_: object, **__: object) -> None:
    raise StoreUnavailable("no space left on device")


def fail_a_write(store: Any) -> None:
    """Let a commit fail in the engine, as on a full disk."""
    engine = store._engine
    engine.write = engine.prepare = store._prepare = fails
    with pytest.raises(StoreUnavailable, match="no space left"):
        store.commit([put("refused")])
    with pytest.raises(StoreUnavailable, match="an earlier write failed"):
        store.commit([put("refused")])


@pytest.mark.parametrize("engine", KEY_VALUE)
def test_a_store_takes_writes_again(engine: str, tmp_path: Path) -> None:
    with open_store(f"{engine}:{tmp_path / 'db'}", create=True) as store:
        assert isinstance(store, Recovers)
        store.commit([put("a"), put("b")])
        ended, begun = store.scan("agent"), store.scan("agent")
        assert ids_of(ended) == ["a", "b"]
        assert next(begun).id == "a"
        fail_a_write(store)
        store.recover()
        assert store.commit([put("c")]) == 3
        assert ids_of(store.scan("agent")) == ["a", "b", "c"]
        assert store.find("agent", "slug", ("b",)) == "b"
        assert list(ended) == []
        with pytest.raises(StoreUnavailable, match="the listing was cut off"):
            next(begun)
        store.recover()
    with pytest.raises(StoreClosed):
        store.get("agent", "a")
    with open_store(f"{engine}:{tmp_path / 'db'}") as again:
        assert ids_of(again.scan("agent")) == ["a", "b", "c"]


class Opener:
    """Opens what a test says."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.failing = False

    def __call__(self, access: Access) -> Engine:
        if self.failing:
            raise StoreUnavailable("it can't be opened")
        return LevelDbEngine(self.path, access)


@pytest.fixture
def opener(tmp_path: Path) -> Opener:
    return Opener(tmp_path / "db")


def store_over(opener: Opener) -> KeyValueStore:
    reopening = Reopening(opener.path, opener)
    return KeyValueStore(
        opener(Access.CREATE), codec_of("protobuf"), Durability.DURABLE, KINDS, Access.CREATE, reopening
    )


def test_a_database_that_cannot_be_opened_is_tried_again(opener: Opener) -> None:
    with store_over(opener) as store:
        store.commit([put("a")])
        fail_a_write(store)
        opener.failing = True
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="it can't be opened"):
                store.recover()
            with pytest.raises(StoreUnavailable, match="is being opened again"):
                store.get("agent", "a")
        opener.failing = False
        store.recover()
        assert store.get("agent", "a") == agent("a")
        assert store.commit([put("b")]) == 2


def test_a_store_whose_database_cannot_be_opened_can_be_closed(opener: Opener) -> None:
    store = store_over(opener)
    fail_a_write(store)
    opener.failing = True
    with pytest.raises(StoreUnavailable, match="it can't be opened"):
        store.recover()
    store.close()
    with pytest.raises(StoreClosed):
        store.get("agent", "a")


def test_a_database_without_what_was_acknowledged_is_damaged(opener: Opener, tmp_path: Path) -> None:
    with store_over(opener) as store:
        store.commit([put("a")])
        fail_a_write(store)
        opener.path = tmp_path / "older"
        store_over(opener).close()
        for _ in range(2):
            with pytest.raises(StoreDamaged, match="is older than what was acknowledged"):
                store.recover()
            with pytest.raises(StoreUnavailable):
                store.commit([put("b")])
        opener.path = tmp_path / "gone"
        with pytest.raises(StoreNotFound):
            store.recover()
        assert not opener.path.exists()
        opener.path = tmp_path / "db"
        store.recover()
        assert store.get("agent", "a") == agent("a")


def test_readers_meet_a_record_or_a_refusal_while_it_is_opened_again(opener: Opener) -> None:
    with store_over(opener) as store:
        store.commit([put("a")])
        stop, wrong, reads = threading.Event(), list[object](), [0]

        def read() -> None:
            while not stop.is_set():
                try:
                    found = [record.id for record in store.scan("agent")], store.get("agent", "a")
                except StoreUnavailable:
                    continue
                reads[0] += 1
                if found != (["a"], agent("a")):
                    wrong.append(found)

        threads = [threading.Thread(target=read) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(10):
            fail_a_write(store)
            store.recover()
        stop.set()
        for thread in threads:
            thread.join(20)
        assert not any(thread.is_alive() for thread in threads)
        assert wrong == []
        assert reads[0] > 0


class FailingWriter:
    """A connection whose writes end in an I/O error."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def executemany(self, *_: object) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        raise error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def test_sqlite_goes_on_after_an_io_error(tmp_path: Path) -> None:
    with open_store(f"sqlite:{tmp_path / 'db'}", create=True) as store:
        assert isinstance(store, Recovers)
        store.commit([put("a")])
        store._writer = FailingWriter(store._writer)  # type: ignore[attr-defined] # an SqliteStore
        with pytest.raises(StoreUnavailable, match="disk I/O error"):
            store.commit([put("b")])
        with pytest.raises(StoreUnavailable, match="an earlier write failed"):
            store.commit([put("b")])
        store.recover()
        assert store.commit([put("b")]) == 2
        store.recover()
        assert store.commit([Put("agent", "a", agent("a", text="changed"), "present")]) == 0
        assert ids_of(store.scan("agent")) == ["a", "b"]


def log_bytes(path: Path) -> int:
    return path.with_name(path.name + "-wal").stat().st_size


def write_much(store: Store, size: int) -> None:
    for number in range(size // 1_000_000):  # SQLite writes no page that stays as it was
        store.commit([Put("agent", "much", agent("much", text=chr(ord("a") + number % 2) * 1_000_000))])


def test_the_log_of_sqlite_is_short_again_once_a_long_listing_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "db"
    now = [0.0]
    monkeypatch.setattr("stores.sqlite.connections.time.monotonic", lambda: now[0])
    with open_store(f"sqlite:{path}?codec=protobuf&durability=relaxed", create=True) as store:
        store.commit([put(f"a{number}") for number in range(10)])
        listing: Any = store.scan("agent")
        next(listing)
        write_much(store, 2 * LOG_BYTES_MAX)
        assert log_bytes(path) > LOG_BYTES_MAX, "a listing keeps the log"
        listing.close()
        now[0] += LOG_RETRY_SECONDS
        store.commit([put("c")])
        assert log_bytes(path) <= LOG_BYTES_MAX
        assert ids_of(store.scan("agent"))[-2:] == ["much", "c"]


def test_a_check_for_space_leaves_nothing(tmp_path: Path) -> None:
    check: Callable[[], None] = Reopening(tmp_path, partial(LevelDbEngine, tmp_path)).check_space
    check()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StoreUnavailable, match="takes no"):
        Reopening(tmp_path / "gone", partial(LevelDbEngine, tmp_path)).check_space()


def test_a_scan_that_is_forgotten_while_its_engine_is_closed_keeps_its_snapshot_until_after_that() -> None:
    """Another thread may be inside the driver's close: a snapshot that went then crashed the process."""
    ended: list[str] = []

    class Told(DictEngine):
        def close(self) -> None:
            ended.append("engine")

        def snapshot(self) -> DictSnapshot:
            snapshot = super().snapshot()
            weakref.finalize(snapshot, ended.append, "snapshot")
            return snapshot

    store = KeyValueStore(Told(SortedDict()), codec_of("protobuf"), Durability.RELAXED)
    store.commit([put("a"), put("b")])
    scan = store.scan("agent")
    next(scan)
    ended.clear()  # opening and committing look at snapshots too
    store._gate.pause("is being closed")
    del scan
    gc.collect()
    assert ended == []
    store.close()
    assert ended == ["engine", "snapshot"]
