"""A commit in two parts: planned here, written there, and nobody in between."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sortedcontainers import SortedDict

from stores.codecs import codec_of
from stores.contract import Conflict, Durability, Store, StoreClosed, StoreUnavailable
from stores.group_commit import GroupCommitter
from stores.keyvalue.store import KeyValueStore
from stores.prepared_write import PreparesWrites
from stores.registry import open_store
from stores.suite.dict_engine import DictEngine
from stores.suite.samples import ids_of, put

WAIT_SECONDS = 10.0


class PreparingEngine(DictEngine):
    """Collects a batch before it writes it; the write can be made to fail."""

    def __init__(self) -> None:
        super().__init__(SortedDict())
        self.failure: Exception | None = None
        self.writers: set[int] = set()

    def prepare(self, changes: Iterable[tuple[bytes, bytes | None]], *, sync: bool) -> Callable[[], None]:
        """See `Engine`."""
        rows = list(changes)

        def write() -> None:
            self.writers.add(threading.get_ident())
            if self.failure:
                raise self.failure
            self.write(rows, sync=sync)

        return write


def over(engine: DictEngine) -> KeyValueStore:
    return KeyValueStore(engine, codec_of("protobuf"), Durability.DURABLE)


def test_nobody_commits_between_plan_and_write() -> None:
    store = over(PreparingEngine())
    prepared = store.prepare_write([[put("a", when="absent")], [put("a", when="absent")]])
    assert prepared.outcomes[0] == 1
    assert isinstance(prepared.outcomes[1], Conflict)
    with ThreadPoolExecutor(1) as other:
        late = other.submit(store.commit, [put("b")])
        with pytest.raises(TimeoutError):
            late.result(0.1)
        assert store.get("agent", "a") is None
        prepared.write()
        assert late.result(WAIT_SECONDS) == 2
    assert ids_of(store.scan("agent")) == ["a", "b"]


def test_a_store_closes_after_the_prepared_write() -> None:
    store = over(PreparingEngine())
    prepared = store.prepare_write([[put("a")]])
    with ThreadPoolExecutor(1) as other:
        closing = other.submit(store.close)
        with pytest.raises(TimeoutError):
            closing.result(0.1)
        prepared.write()
        closing.result(WAIT_SECONDS)
    with pytest.raises(StoreClosed):
        store.prepare_write([[put("b")]])


def test_a_prepared_write_that_fails_ends_the_commits() -> None:
    engine = PreparingEngine()
    store = over(engine)
    engine.failure = StoreUnavailable("the disk is gone")
    prepared = store.prepare_write([[put("a")]])
    with pytest.raises(StoreUnavailable, match="the disk is gone"):
        prepared.write()
    engine.failure = None
    for commit in (lambda: store.prepare_write([[put("b")]]), lambda: store.commit([put("b")])):
        with pytest.raises(StoreUnavailable, match="an earlier write failed"):
            commit()
    assert list(store.scan("agent")) == []


def test_a_prepared_write_can_be_abandoned() -> None:
    store = over(PreparingEngine())
    store.prepare_write([[put("a")]]).abandon()
    assert store.commit([put("b")]) == 1
    assert ids_of(store.scan("agent")) == ["b"]
    store.close()


def test_a_thread_that_is_shut_down_leaves_the_store_free() -> None:
    store = over(PreparingEngine())
    group = GroupCommitter(store)
    assert group._thread is not None
    group._thread.shutdown()

    async def scene() -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            for _ in range(2):
                with pytest.raises(StoreClosed, match="group committer is closed"):
                    await group.commit([put("a")])

    asyncio.run(scene())
    assert store.commit([put("b")]) == 1
    store.close()


def test_a_plan_that_fails_leaves_the_store_free() -> None:
    engine = PreparingEngine()
    store = over(engine)
    engine.get = lambda key: 1 / 0  # type: ignore[assignment, method-assign, return-value] # any fault on the way
    with pytest.raises(ZeroDivisionError):
        store.prepare_write([[put("a")]])
    del engine.get
    assert store.commit([put("a")]) == 1


def test_a_group_is_planned_on_the_loop_and_written_in_the_thread() -> None:
    engine = PreparingEngine()
    store = over(engine)
    group = GroupCommitter(store)
    planners: set[int] = set()
    get = engine.get

    def noted(key: bytes) -> bytes | None:
        planners.add(threading.get_ident())
        return get(key)

    engine.get = noted  # type: ignore[method-assign] # planning reads what is there

    async def scene() -> list[int | BaseException]:
        async with asyncio.timeout(WAIT_SECONDS):
            good = await asyncio.gather(*(group.commit([put(f"a{number}")]) for number in range(5)))
            engine.failure = StoreUnavailable("the disk is gone")
            with pytest.raises(StoreUnavailable, match="the disk is gone"):
                await group.commit([put("b")])
            with pytest.raises(
                StoreUnavailable, match="an earlier write failed"
            ):  # told by the plan, to all of a group
                await group.commit([put("c")])
            return list(good)

    assert sorted(asyncio.run(scene())) == [1, 2, 3, 4, 5]  # type: ignore[type-var]
    group.close()
    assert planners == {threading.get_ident()}
    assert engine.writers
    assert threading.get_ident() not in engine.writers


@pytest.mark.parametrize("engine", ["leveldb", "lmdb", "rocksdb"])
def test_engines_prepare_writes(engine: str, tmp_path: Path) -> None:
    url = f"{engine}:{tmp_path / 'db'}"
    with open_store(url, create=True) as store:
        assert isinstance(store, PreparesWrites)
        prepared = store.prepare_write([[put("a")], [put("b")]])
        with ThreadPoolExecutor(1) as other:
            other.submit(prepared.write).result(WAIT_SECONDS)
    reopened: Store = open_store(url, create=True)
    with reopened:
        assert ids_of(reopened.scan("agent")) == ["a", "b"]
