"""Group commit: fewer writes than batches, and each caller's own outcome; in a thread or, if relaxed, on the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from stores.contract import Batch, Conflict, StoreClosed, StoreError, StoreUnavailable
from stores.group_commit import GroupCommitter
from stores.memory import MemoryStore
from stores.suite.held_store import WAIT_SECONDS, HeldStore
from stores.suite.samples import put


def run(scene: Callable[[HeldStore, GroupCommitter], Awaitable[None]], group_max: int = 128) -> HeldStore:
    held = HeldStore()
    group = GroupCommitter(held, group_max)

    async def play() -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            await scene(held, group)
        group.close()

    asyncio.run(play())
    return held


async def begun(held: HeldStore) -> None:
    """Wait until the first write is under way."""
    assert await asyncio.to_thread(held.entered.acquire, timeout=WAIT_SECONDS)


def test_what_gathers_during_a_write_goes_in_one() -> None:
    async def scene(held: HeldStore, group: GroupCommitter) -> None:
        first = asyncio.ensure_future(group.commit([put("a")]))
        await begun(held)
        rest = [asyncio.ensure_future(group.commit([put(f"b{number}")])) for number in range(30)]
        await asyncio.sleep(0)
        for _ in range(3):
            held.go.release()
        assert await asyncio.gather(first, *rest) == list(range(1, 32))

    assert run(scene, group_max=20).sizes == [1, 20, 10]


def test_in_quiet_nothing_is_written_and_what_came_is_written_afterwards() -> None:
    async def scene(held: HeldStore, group: GroupCommitter) -> None:
        first = asyncio.ensure_future(group.commit([put("a")]))
        await begun(held)
        entered = asyncio.Event()
        leave = asyncio.Event()

        async def quietly() -> int:
            async with group.quiet():
                entered.set()
                await leave.wait()
                return held.last_position()

        reading = asyncio.ensure_future(quietly())
        second = asyncio.ensure_future(group.commit([put("b")]))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not entered.is_set(), "a write is under way"
        for _ in range(2):
            held.go.release()
        await entered.wait()
        for _ in range(5):
            await asyncio.sleep(0)
        assert (await first, held.last_position(), second.done()) == (1, 1, False)
        leave.set()
        assert (await reading, await second) == (1, 2)

    assert run(scene).sizes == [1, 1]


def test_in_quiet_a_relaxed_store_is_not_written_either() -> None:
    async def scene() -> None:
        with MemoryStore() as store:
            group = GroupCommitter(store)
            async with group.quiet():
                waiting = asyncio.ensure_future(group.commit([put("a")]))
                await asyncio.sleep(0.01)
                assert store.last_position() == 0
            assert await waiting == 1
            group.close()

    asyncio.run(scene())


def test_what_comes_in_one_turn_of_the_loop_goes_in_one() -> None:
    async def scene(held: HeldStore, group: GroupCommitter) -> None:
        futures = [asyncio.get_running_loop().create_future() for _ in range(5)]
        for number, future in enumerate(futures):
            group.submit([put(f"a{number}")], future)
        group.flush()
        held.go.release()
        assert await asyncio.gather(*futures) == [1, 2, 3, 4, 5]
        held.go.release()
        assert await group.commit([put("b")]) == 6

    assert run(scene).sizes == [5, 1]


def test_what_came_in_one_turn_begins_one_write_and_no_second_beside_it() -> None:
    async def scene(held: HeldStore, group: GroupCommitter) -> None:
        futures = [asyncio.get_running_loop().create_future() for _ in range(3)]
        for number in range(2):
            group.submit([put(f"a{number}")], futures[number])
        group.flush()
        await begun(held)
        group.submit([put("b")], futures[2])
        group.flush()
        for _ in range(3):
            await asyncio.sleep(0)
        waiting = len(group._waiting)
        held.go.release()
        held.go.release()
        assert await asyncio.gather(*futures) == [1, 2, 3]
        assert waiting == 1, "it waits for the write under way"

    assert run(scene).sizes == [2, 1]


def test_what_comes_after_close_is_refused() -> None:
    async def scene(held: HeldStore, group: GroupCommitter) -> None:
        group.close()
        late = asyncio.get_running_loop().create_future()
        group.submit([put("a")], late)
        with pytest.raises(StoreClosed):
            await late
        assert held.sizes == []

    run(scene)


def test_a_failing_batch_fails_alone() -> None:
    async def scene(held: HeldStore, group: GroupCommitter) -> None:
        first = asyncio.ensure_future(group.commit([put("z")]))
        await begun(held)
        rest = [group.commit([put("a", slug=f"s{number}", when="absent")]) for number in range(2)]
        late = asyncio.gather(*rest, return_exceptions=True)
        await asyncio.sleep(0)
        held.go.release()
        held.go.release()
        good, bad = await late
        assert await first == 1
        assert good == 2
        assert isinstance(bad, Conflict)

    run(scene)


def test_a_failing_medium_fails_the_group_and_later_writes_go_on() -> None:
    async def scene(held: HeldStore, group: GroupCommitter) -> None:
        held.error = StoreUnavailable("disk full")
        held.go.release()
        with pytest.raises(StoreUnavailable, match="disk full"):
            await group.commit([put("a")])
        held.error = None
        held.go.release()
        assert await group.commit([put("a")]) == 1

    run(scene)


def test_a_batch_taken_back_while_it_waits_is_not_written() -> None:
    async def scene(held: HeldStore, group: GroupCommitter) -> None:
        first = asyncio.ensure_future(group.commit([put("a")]))
        await begun(held)
        unwanted = asyncio.ensure_future(group.commit([put("b")]))
        await asyncio.sleep(0)
        unwanted.cancel()
        with pytest.raises(asyncio.CancelledError):
            await unwanted
        held.go.release()
        assert await first == 1

    held = run(scene)
    assert held.sizes == [1]
    assert held.count("agent") == 1


def test_a_caller_cancelled_during_its_write_leaves_the_others_their_answers() -> None:
    async def scene(held: HeldStore, group: GroupCommitter) -> None:
        lost = asyncio.ensure_future(group.commit([put("a")]))
        await begun(held)
        lost.cancel()
        with pytest.raises(asyncio.CancelledError):
            await lost
        held.go.release()
        held.go.release()
        assert await group.commit([put("b")]) == 2

    assert run(scene).count("agent") == 2


def test_a_write_is_counted_though_its_caller_has_left_and_a_failed_one_is_not() -> None:
    async def scene(held: HeldStore, group: GroupCommitter) -> None:
        waiting = asyncio.ensure_future(group.wait_beyond(0))
        leaving = asyncio.ensure_future(group.commit([put("a")]))
        await begun(held)
        assert not waiting.done()
        leaving.cancel()
        held.go.release()
        held.go.release()
        await waiting
        await group.commit([put("b")])
        assert group.version == 2
        held.error = StoreUnavailable("disk full")
        held.go.release()
        with pytest.raises(StoreUnavailable):
            await group.commit([put("c")])
        assert group.version == 2
        await group.wait_beyond(1)

    run(scene)


def test_who_still_waits_at_close_is_told_so() -> None:
    async def scene(held: HeldStore, group: GroupCommitter) -> None:
        first = asyncio.ensure_future(group.commit([put("a")]))
        await begun(held)
        waiting = asyncio.ensure_future(group.commit([put("b")]))
        await asyncio.sleep(0)
        held.go.release()
        group.close()
        assert await first == 1
        with pytest.raises(StoreClosed):
            await waiting

    assert run(scene).count("agent") == 1


# ---- relaxed: on the loop


class Counting(MemoryStore):
    """A memory store that knows how many batches each write had."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self.error: Exception | None = None

    def commit_many(self, batches: Sequence[Batch]) -> list[int | StoreError]:
        self.sizes.append(len(batches))
        if self.error is not None:
            raise self.error
        return super().commit_many(batches)


def test_all_of_a_turn_go_in_one_write() -> None:
    async def scene() -> None:
        assert await asyncio.gather(*(group.commit([put(f"a{number}")]) for number in range(20))) == list(range(1, 21))
        assert await group.commit([put("b")]) == 21

    store = Counting()
    group = GroupCommitter(store)
    asyncio.run(scene())
    assert store.sizes == [20, 1]


def test_on_the_loop_a_failing_batch_fails_alone() -> None:
    async def scene() -> None:
        same = [group.commit([put("a", slug=f"s{number}", when="absent")]) for number in range(2)]
        good, bad = await asyncio.gather(*same, return_exceptions=True)
        assert good == 1
        assert isinstance(bad, Conflict)

    group = GroupCommitter(Counting())
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
    group = GroupCommitter(store)
    asyncio.run(scene())


def test_who_is_cancelled_in_time_takes_its_batch_back() -> None:
    async def scene() -> None:
        kept, given_up = (asyncio.ensure_future(group.commit([put(name)])) for name in "ab")
        await asyncio.sleep(0)
        given_up.cancel()
        assert await kept == 1

    store = Counting()
    group = GroupCommitter(store)
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

    group = GroupCommitter(Counting())
    asyncio.run(scene())
