"""Time and ids, handed in so that tests are exact.

Ids are lower-case ULIDs that only grow, also within a millisecond and when the clock goes back. That is what the ULID
specification calls monotonic: <https://github.com/ulid/spec#monotonicity>. A store needs no look for a record whose id
is greater than all that it holds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count, pairwise
from threading import Lock

from google.protobuf.timestamp_pb2 import Timestamp
from ulid_transform import ulid_at_time

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_NEXT = dict(pairwise(_DIGITS))
_PAIRS = tuple(one + two for one in _DIGITS for two in _DIGITS)
_PLACES = {pair: place for place, pair in enumerate(_PAIRS)}


class Ulids:
    """Gives out ULIDs, each greater than the one before and none twice, whichever threads ask.

    They come in series: digits, and the two that are counted on behind them. `next` of a count is one step for the
    interpreter, so only the beginning of a series needs a lock.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._millisecond = -1
        self._series = ("", count(len(_PAIRS)))

    def __call__(self) -> str:
        """Return the next one: of this millisecond if it is a new one, else the last one plus one."""
        now = time.time_ns() // 1_000_000
        if now > self._millisecond:
            self._begin(now)
        while True:
            front, places = self._series
            place = next(places)
            if place < len(_PAIRS):
                return front + _PAIRS[place]
            self._go_on_from(front)

    def _begin(self, millisecond: int) -> None:
        with self._lock:
            if millisecond > self._millisecond:
                ulid = ulid_at_time(millisecond / 1000).lower()
                self._series = (ulid[:-2], count(_PLACES[ulid[-2:]]))
                self._millisecond = millisecond

    def _go_on_from(self, front: str) -> None:
        with self._lock:
            if self._series[0] == front:
                self._series = (_incremented(front), count())


def _incremented(ulid: str) -> str:
    """Return what comes after these digits."""
    if ulid[-1] != "z":
        return ulid[:-1] + _NEXT[ulid[-1]]
    kept = ulid.rstrip("z")
    return kept[:-1] + _NEXT[kept[-1]] + "0" * (len(ulid) - len(kept))


@dataclass(frozen=True, slots=True)
class Clock:
    """The time in nanoseconds since 1970, and new ids."""

    now_ns: Callable[[], int] = time.time_ns
    new_ulid: Callable[[], str] = field(default_factory=Ulids)

    def now(self) -> Timestamp:
        """Return the time as a message."""
        seconds, nanos = divmod(self.now_ns(), 1_000_000_000)
        return Timestamp(seconds=seconds, nanos=nanos)
