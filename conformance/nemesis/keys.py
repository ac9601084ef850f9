"""The resources that the clients of a nemesis run share: few at a time, so that calls meet, and new ones over time.

Half of them have one id, chosen by the client, for all their lives; the others get ids from the server.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from ulid_transform import ulid_now

AT_A_TIME = 5
CALLS_MAX = 60
"""Calls of one resource before another takes its place: how long a history can be judged in no time."""
UNKNOWN_MAX = 4
"""Creates and deletes of one resource of which nobody knows how they ended: each doubles what is possible."""


@dataclass
class Key:
    """One slug."""

    slug: str
    chosen_id: str
    """The id that creates ask for; empty: the server chooses."""
    known_id: str = ""
    """The id that was answered last."""
    calls: int = 0
    unknown: int = 0


@dataclass
class Keys:
    """All slugs of a run. Safe to use from many threads."""

    prefix: str
    random: Random
    all: dict[str, Key] = field(default_factory=dict)
    _active: list[Key] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _values: Iterator[int] = field(default_factory=itertools.count)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def pick(self) -> Key:
        """Return one of those in use."""
        with self._lock:
            self._active = [key for key in self._active if key.calls < CALLS_MAX and key.unknown < UNKNOWN_MAX]
            while len(self._active) < AT_A_TIME:
                self._active.append(self._new())
            key = self.random.choice(self._active)
            key.calls += 1
            return key

    def last(self) -> Key:
        """Return a slug that nobody has used."""
        with self._lock:
            return self._new()

    def _new(self) -> Key:
        number = next(self._numbers)
        key = Key(f"{self.prefix}-{number}", f"agt-{ulid_now().lower()}" if number % 2 else "")
        self.all[key.slug] = key
        return key

    def value(self) -> str:
        """Return a value that no other write has."""
        with self._lock:
            return f"v{next(self._values)}"
