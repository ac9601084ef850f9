"""Group commit: fewer writes than batches, and each caller's own outcome."""

from __future__ import annotations

import pytest

from stores.contract import Conflict, StoreClosed, StoreUnavailable
from stores.group_commit import GroupCommitter
from stores.memory import MemoryStore
from stores.suite.held_store import WAIT_SECONDS, HeldStore
from stores.suite.samples import put


def test_what_gathers_during_a_write_goes_in_one() -> None:
    held = HeldStore()
    with GroupCommitter(held, group_max=20) as group:
        first = group.submit([put("a")])
        assert held.entered.acquire(timeout=WAIT_SECONDS)
        rest = [group.submit([put(f"b{number}")]) for number in range(30)]
        for _ in range(3):
            held.go.release()
        assert [future.result(WAIT_SECONDS) for future in [first, *rest]] == list(range(1, 32))
    assert held.sizes == [1, 20, 10]


def test_a_failing_medium_fails_the_group_and_the_thread_lives() -> None:
    held = HeldStore()
    held.error = StoreUnavailable("disk full")
    with GroupCommitter(held) as group:
        lost = group.submit([put("a")])
        held.go.release()
        with pytest.raises(StoreUnavailable, match="disk full"):
            lost.result(WAIT_SECONDS)
        held.error = None
        held.go.release()
        assert group.commit([put("a")]) == 1


def test_a_cancelled_batch_is_not_written() -> None:
    held = HeldStore()
    with GroupCommitter(held) as group:
        first = group.submit([put("a")])
        assert held.entered.acquire(timeout=WAIT_SECONDS)
        unwanted = group.submit([put("b")])
        assert unwanted.cancel()
        held.go.release()
        assert first.result(WAIT_SECONDS) == 1
    assert held.sizes == [1]
    assert held.store.count("agent") == 1


def test_close_writes_what_is_queued_and_refuses_more() -> None:
    store = MemoryStore()
    group = GroupCommitter(store)
    futures = [group.submit([put("a", slug=f"s{number}", when="absent")]) for number in range(3)]
    group.close()
    group.close()
    assert futures[0].result(0) == 1
    assert isinstance(futures[1].exception(0), Conflict)
    with pytest.raises(StoreClosed):
        group.submit([put("b")])
