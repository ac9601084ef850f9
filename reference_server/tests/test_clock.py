"""ULIDs that only grow."""

from __future__ import annotations

import re
import sys
import threading

import pytest

from reference_server import clock
from reference_server.clock import Ulids


def test_many_of_a_millisecond_grow_and_are_ulids() -> None:
    new = Ulids()
    made = [new() for _ in range(50_000)]
    assert made == sorted(set(made))
    assert all(re.fullmatch("[0-7][0-9a-hjkmnp-tv-z]{25}", each) for each in made)


def test_a_clock_that_goes_back_makes_none_that_is_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([2_000_000_000, 1_000_000_000, 1_500_000_000, 2_000_000_000, 2_001_000_000])
    monkeypatch.setattr("time.time_ns", lambda: next(times))
    new = Ulids()
    made = [new() for _ in range(5)]
    assert made == sorted(set(made))
    assert len({each[:10] for each in made[:4]}) == 1
    assert made[4][:10] > made[0][:10]


def test_threads_get_different_ones() -> None:
    before, new, made = sys.getswitchinterval(), Ulids(), list[list[str]]()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=lambda: made.append([new() for _ in range(20_000)])) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert len({each for part in made for each in part}) == 80_000


def test_two_threads_at_the_end_of_a_series_begin_one_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: 2_000_000_000)
    new = Ulids()
    new()
    front, _ = new._series
    new._go_on_from(front)
    first = new()
    new._go_on_from(front)
    assert new() > first


@pytest.mark.parametrize(
    ("before", "after"), [("01a", "01b"), ("019", "01a"), ("01h", "01j"), ("01z", "020"), ("0zz", "100")]
)
def test_one_more(before: str, after: str) -> None:
    assert clock._incremented(before) == after


def test_two_servers_started_at_once_give_out_different_ones() -> None:
    assert len({Ulids()() for _ in range(1000)}) == 1000
