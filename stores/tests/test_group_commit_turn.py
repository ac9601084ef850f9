"""Group commit within a turn: one write for all of a turn, and each caller's own outcome."""

from __future__ import annotations

import asyncio

import pytest

from stores.contract import Batch, Conflict, StoreClosed, StoreError, StoreUnavailable
from stores.group_commit_turn import TurnCommitter
from stores.registry import open_store
from stores.suite.samples import put


class Counting:
    """A memory store that knows how many batches each write had."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.error: Exception | None = None
        self._store = open_store("memory:")

    def commit_many(self, batches: list[Batch]) -> list[int | StoreError]:
        self.sizes.append(len(batches))
        if self.error is not None:
            raise self.error
        return self._store.commit_many(batches)


def test_all_of_a_turn_go_in_one_write() -> None:
    async def scene() -> None:
        assert await asyncio.gather(*(group.commit([put(f"a{number}")]) for number in range(20))) == list(range(1, 21))
        assert await group.commit([put("b")]) == 21

    store = Counting()
    group = TurnCommitter(store)
    asyncio.run(scene())
    assert store.sizes == [20, 1]


def test_each_write_is_told_of_once_and_a_failed_one_is_not() -> None:
    async def scene() -> None:
        await asyncio.gather(*(group.commit([put(f"a{number}")]) for number in range(3)))
        assert written == [3]
        store.error = StoreUnavailable("disk full")
        with pytest.raises(StoreUnavailable):
            await group.commit([put("b")])
        assert written == [3]

    store, written = Counting(), list[int]()
    group = TurnCommitter(store, lambda: written.append(store.sizes[-1]))
    asyncio.run(scene())


def test_a_failing_batch_fails_alone() -> None:
    async def scene() -> None:
        same = [group.commit([put("a", slug=f"s{number}", when="absent")]) for number in range(2)]
        good, bad = await asyncio.gather(*same, return_exceptions=True)
        assert good == 1
        assert isinstance(bad, Conflict)

    group = TurnCommitter(Counting())
    asyncio.run(scene())


@pytest.mark.parametrize("error", [StoreUnavailable("disk full"), MemoryError()])
def test_a_failing_medium_fails_the_turn_and_later_writes_go_on(error: Exception) -> None:
    async def scene() -> None:
        store.error = error
        told = await asyncio.gather(*(group.commit([put("a")]) for _ in range(3)), return_exceptions=True)
        assert told == [error] * 3
        store.error = None
        assert await group.commit([put("a")]) == 1

    store = Counting()
    group = TurnCommitter(store)
    asyncio.run(scene())


def test_who_is_cancelled_in_time_takes_its_batch_back() -> None:
    async def scene() -> None:
        kept, given_up = (asyncio.ensure_future(group.commit([put(name)])) for name in "ab")
        await asyncio.sleep(0)
        given_up.cancel()
        assert await kept == 1

    store = Counting()
    group = TurnCommitter(store)
    asyncio.run(scene())
    assert store.sizes == [1]


def test_close_writes_what_waits_and_refuses_what_comes() -> None:
    async def scene() -> None:
        waiting = asyncio.ensure_future(group.commit([put("a")]))
        await asyncio.sleep(0)
        group.close()
        assert await waiting == 1
        with pytest.raises(StoreClosed):
            await group.commit([put("b")])
        group.close()

    group = TurnCommitter(Counting())
    asyncio.run(scene())
