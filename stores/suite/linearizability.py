"""Judges a recorded history of one key: does some order of its operations, within their times, explain all reads?

The key is a register: a write sets its value, a read answers it. The search goes over all orders that the times allow
(Wing and Gong), remembers where it has been, and is bounded: a history that is too wide is `UNKNOWN`, never fine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

STATES_MAX = 200_000


@dataclass(frozen=True, slots=True)
class Event:
    """One operation: when it was called and when it answered (any clock that only grows), and the value."""

    called: float
    answered: float
    value: str | None
    is_write: bool


class Ruling(StrEnum):
    """What the search found."""

    LINEARIZABLE = "linearizable"
    NOT_LINEARIZABLE = "not linearizable"
    UNKNOWN = "unknown"


def judge(events: Sequence[Event], initial: str | None = None, states_max: int = STATES_MAX) -> Ruling:
    """Search for an order that explains the history."""
    todo = [(frozenset(range(len(events))), initial)]
    seen = set(todo)
    while todo:
        left, value = todo.pop()
        if not left:
            return Ruling.LINEARIZABLE
        # Nobody can come after an operation that was answered before he was called.
        first_answer = min(events[number].answered for number in left)
        for number in left:
            event = events[number]
            if event.called > first_answer or (not event.is_write and event.value != value):
                continue
            state = (left - {number}, event.value)
            if state not in seen:
                seen.add(state)
                todo.append(state)
        if len(seen) > states_max:
            return Ruling.UNKNOWN
    return Ruling.NOT_LINEARIZABLE


def overlapping(events: Sequence[Event]) -> int:
    """Return how many operations overlap a write of the same key: a history without any proves nothing."""
    return sum(
        any(
            other is not event
            and (other.is_write or event.is_write)
            and other.called < event.answered
            and event.called < other.answered
            for other in events
        )
        for event in events
    )
