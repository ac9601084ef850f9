"""Whether a run shows anything: how many calls met each other, and how many each fault hurt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.nemesis.faults import (
    CLOSE,
    CLOSE_BEHIND,
    DELAY,
    DELAY_SECONDS,
    KILL,
    LOSE_ANSWERS,
    PARTITION,
    PAUSE,
)
from conformance.nemesis.history import NEVER, Call, History, Window
from conformance.nemesis.register import PERMISSIONS, WRITES

_NANO = 1e9
_HELD_SHARE = 0.5
"""A call that was held for so large a share of a pause was held by it."""


@dataclass(frozen=True, slots=True)
class Bite:
    """What one fault did: how often it struck, what it did to the target or the line, and how many calls that hurt."""

    fault: str
    strikes: int
    hurt: int
    did: Mapping[str, int]

    @property
    def bit(self) -> bool:
        """Whether it did anything to anybody."""
        return self.hurt > 0


def bites(history: History) -> list[Bite]:
    """Return what each fault of the run did, also of one that never struck."""
    return [_bite(fault, history) for fault in history.run.get("faults", ())]


def _bite(fault: str, history: History) -> Bite:
    windows = [window for window in history.windows if window.fault == fault]
    did: dict[str, int] = {}
    for window in windows:
        for name, count in window.counts.items():
            if isinstance(count, int) and not isinstance(count, bool) and not name.endswith("_ms"):
                did[name] = did.get(name, 0) + count
    hurt = {number for window in windows if _did(fault, window.counts) for number in _hurt(window, history.calls)}
    return Bite(fault, len(windows), len(hurt), did)


def _hurt(window: Window, calls: Sequence[Call]) -> Iterator[int]:
    hurts = _HURTS.get(window.fault, _ended_unknown)
    for number, call in enumerate(calls):
        if call.invoked < window.ended and call.returned > window.began and hurts(window, call):
            yield number


def _did(fault: str, counts: Mapping[str, Any]) -> bool:
    """Whether a strike did what it is called; one that the suite doesn't know did something if it counted anything."""
    if fault in {CLOSE, CLOSE_BEHIND}:
        return any(name.startswith("closed") and count for name, count in counts.items())
    if fault in _DOES:
        return bool(counts.get(_DOES[fault]))
    return any(isinstance(count, int) and count and not name.endswith("_ms") for name, count in counts.items())


def _was_delayed(window: Window, call: Call) -> bool:
    del window
    return call.returned != NEVER and call.returned - call.invoked >= 2 * DELAY_SECONDS[0] * _NANO


def _was_held(window: Window, call: Call) -> bool:
    return call.unknown or call.returned - call.invoked >= _HELD_SHARE * (window.ended - window.began)


def _ended_unknown(window: Window, call: Call) -> bool:
    del window
    return call.unknown


def _was_under_way(window: Window, call: Call) -> bool:
    """A right target hides it: what it had asked behind it, it asks again."""
    del window, call
    return True


_DOES: Mapping[str, str] = {
    LOSE_ANSWERS: "bytes dropped",
    DELAY: "pieces delayed",
    KILL: "kills",
    PAUSE: "pauses",
    PARTITION: "bytes dropped",
}
"""The count that says that a fault did what it is called."""
_HURTS: Mapping[str, Callable[[Window, Call], bool]] = {
    LOSE_ANSWERS: _ended_unknown,
    CLOSE: _ended_unknown,
    KILL: _ended_unknown,
    DELAY: _was_delayed,
    PAUSE: _was_held,
    PARTITION: _was_held,
    CLOSE_BEHIND: _was_under_way,
}


def meetings(calls: Sequence[Call]) -> int:
    """Count the pairs of calls of one resource that overlapped, at least one of them a write."""
    count = 0
    open_ones: dict[str, list[Call]] = {}
    for call in calls:
        if not call.key:
            continue
        still = [one for one in open_ones.get(call.key, ()) if one.returned > call.invoked]
        count += sum(1 for one in still if {call.f, one.f} & (WRITES | PERMISSIONS))
        open_ones[call.key] = [*still, call]
    return count
