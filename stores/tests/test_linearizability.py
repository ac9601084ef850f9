"""The judge of histories: right and wrong ones, and those that it can't decide."""

from __future__ import annotations

import pytest

from stores.suite.linearizability import Event, Ruling, judge, overlapping


def w(called: float, answered: float, value: str | None) -> Event:
    return Event(called, answered, value, is_write=True)


def r(called: float, answered: float, value: str | None) -> Event:
    return Event(called, answered, value, is_write=False)


RIGHT = {
    "nothing": [],
    "in turn": [w(0, 1, "a"), r(2, 3, "a"), w(4, 5, "b"), r(6, 7, "b")],
    "a read during a write sees the old": [w(0, 1, "a"), w(2, 5, "b"), r(3, 4, "a")],
    "a read during a write sees the new": [w(0, 1, "a"), w(2, 5, "b"), r(3, 4, "b")],
    "two writes at once, either order": [w(0, 3, "a"), w(1, 2, "b"), r(4, 5, "a"), r(6, 7, "a")],
    "missing before the first write": [r(0, 1, None), w(0.5, 2, "a"), r(3, 4, "a")],
    "removed": [w(0, 1, "a"), w(2, 3, None), r(4, 5, None)],
}
WRONG = {
    "a stale read": [w(0, 1, "a"), w(2, 3, "b"), r(4, 5, "a")],
    "a lost write": [w(0, 1, "a"), r(2, 3, None)],
    "back and forth": [w(0, 9, "a"), w(0, 9, "b"), r(1, 2, "a"), r(3, 4, "b"), r(5, 6, "a")],
    "from nowhere": [w(0, 1, "a"), r(2, 3, "z")],
    "seen, then unseen": [w(0, 1, "a"), w(2, 9, "b"), r(3, 4, "b"), r(5, 6, "a")],
    "before it was written": [r(0, 1, "a"), w(2, 3, "a")],
}


@pytest.mark.parametrize("name", RIGHT)
def test_right(name: str) -> None:
    assert judge(RIGHT[name]) is Ruling.LINEARIZABLE


@pytest.mark.parametrize("name", WRONG)
def test_wrong(name: str) -> None:
    assert judge(WRONG[name]) is Ruling.NOT_LINEARIZABLE


def test_too_wide_is_unknown() -> None:
    crowd = [w(0, 100, str(number)) for number in range(16)] + [r(101, 102, "none of them")]
    assert judge(crowd, states_max=1000) is Ruling.UNKNOWN


def test_overlapping() -> None:
    assert overlapping(RIGHT["in turn"]) == 0
    assert overlapping([r(0, 3, None), r(1, 2, None)]) == 0, "reads alone prove nothing"
    assert overlapping(WRONG["seen, then unseen"]) == 3
