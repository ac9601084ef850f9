"""Lower-case ULIDs that only grow, also within a millisecond and when the clock goes back.

That is what the ULID specification calls monotonic: <https://github.com/ulid/spec#monotonicity>. A store needs no look
for a record whose id is greater than all that it holds.
"""

from __future__ import annotations

import time
from itertools import pairwise

from ulid_transform import ulid_at_time

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_NEXT = dict(pairwise(_DIGITS))
_PAIRS = tuple(one + two for one in _DIGITS for two in _DIGITS)
_PLACES = {pair: place for place, pair in enumerate(_PAIRS)}


class Ulids:
    """Gives out ULIDs, each greater than the one before. For one thread, as the event loop is."""

    def __init__(self) -> None:
        self._millisecond = -1
        self._front = ""
        """All but the last two digits of the last one."""
        self._place = 0
        """Of the next one's last two digits."""

    def __call__(self) -> str:
        """Return the next one: of this millisecond if it is a new one, else the last one plus one."""
        now = time.time_ns() // 1_000_000
        if now > self._millisecond:
            self._millisecond = now
            ulid = ulid_at_time(now / 1000).lower()
            self._front, self._place = ulid[:-2], _PLACES[ulid[-2:]]
        elif self._place == len(_PAIRS):
            self._front, self._place = _incremented(self._front), 0
        end = _PAIRS[self._place]
        self._place += 1
        return self._front + end


def _incremented(ulid: str) -> str:
    """Return what comes after these digits."""
    if ulid[-1] != "z":
        return ulid[:-1] + _NEXT[ulid[-1]]
    kept = ulid.rstrip("z")
    return kept[:-1] + _NEXT[kept[-1]] + "0" * (len(ulid) - len(kept))
