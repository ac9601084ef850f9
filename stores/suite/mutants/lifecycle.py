"""Stores that fail under threads, when closed, or when opened again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable

from stores.contract import (
    Batch,
    Delete,
    Put,
)
from stores.keyvalue import layout
from stores.memory import Draft, MemoryStore
from stores.suite.dict_engine import DictEngine, Rows


class ChecksWithoutLock(MemoryStore):
    """Checks unique keys and preconditions first, and writes later, with others in between."""

    def commit(self, batch: Batch) -> int:
        """See `Store`."""
        with self._lock:
            self._check_unique(self._draft_only(batch))
        time.sleep(0.0005)
        with self._lock:
            self._check_open()
            draft = self._draft([_trusting(op) for op in batch if isinstance(op, Put | Delete)])
            for name, kept in draft.items():
                self._remove(name)
                if kept is not None:
                    self._insert(name, kept)
            return self._position

    def _draft_only(self, batch: Batch) -> Draft:
        numbers = self._position, self._revision
        try:
            return self._draft(batch)
        finally:
            self._position, self._revision = numbers


def _trusting(operation: Put | Delete) -> Put | Delete:
    return operation._replace(precondition="any", expect=None)


class AnswersWhenClosed(MemoryStore):
    """Goes on reading after `close`."""

    def _check_open(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            super()._check_open()


class LosesLastWrite(DictEngine):
    """Keeps the last write in a buffer that is forgotten at `close`."""

    def __init__(self, rows: Rows) -> None:
        super().__init__(rows)
        self._disk = rows
        self.rows = rows.copy()

    def write(self, changes: Iterable[tuple[bytes, bytes | None]], *, sync: bool) -> None:
        """See `Engine`."""
        self._disk.clear()
        self._disk.update(self.rows)
        super().write(changes, sync=sync)


class ForgetsNumbers(DictEngine):
    """Doesn't write the last position and revision."""

    def write(self, changes: Iterable[tuple[bytes, bytes | None]], *, sync: bool) -> None:
        """See `Engine`."""
        super().write([(key, value) for key, value in changes if key != layout.STATE_KEY], sync=sync)


class ForgetsRemovals(DictEngine):
    """Writes values, and never removes a key."""

    def write(self, changes: Iterable[tuple[bytes, bytes | None]], *, sync: bool) -> None:
        """See `Engine`."""
        super().write([(key, value) for key, value in changes if value is not None], sync=sync)
