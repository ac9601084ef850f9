"""Stores that fail under threads, when closed, or when opened again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from stores.contract import (
    Batch,
    Delete,
    Present,
    Put,
    Record,
    StoreError,
)
from stores.keyvalue import layout
from stores.memory import Draft, MemoryStore
from stores.suite.dict_engine import DictEngine, Rows

MOMENT_SECONDS = 0.0005
"""So long a store of a race lets others in."""


class ChecksWithoutLock(MemoryStore):
    """Checks unique keys and preconditions first, and writes later, with others in between."""

    def commit(self, batch: Batch) -> int:
        """See `Store`."""
        with self._lock:
            self._check_unique(self._draft_only(batch))
        time.sleep(MOMENT_SECONDS)
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


class AnswersNothingWhenClosed(MemoryStore):
    """Looks whether it is open only where there is something to do."""

    def commit_many(self, batches: Sequence[Batch]) -> list[int | StoreError]:
        """See `Store`."""
        return super().commit_many(batches) if batches else []

    def scan(self, kind: str, **rest: Any) -> Iterator[Record]:  # noqa: ANN401 - as `Store`
        """See `Store`."""
        return super().scan(kind, **rest) if rest.get("limit") != 0 else iter(())


class ShowsKindByKind(MemoryStore):
    """Lets others read between the kinds of a batch."""

    def commit(self, batch: Batch) -> int:
        """See `Store`."""
        with self._lock:
            self._check_open()
            before = self._position
            draft = self._draft(batch)
            self._check_unique(draft)
        for name, kept in sorted(draft.items(), key=lambda item: item[0][0]):
            with self._lock:
                self._remove(name)
                if kept is not None:
                    self._insert(name, kept)
            time.sleep(MOMENT_SECONDS)
        return self._position if self._position > before else 0


class ChecksPresentFirst(MemoryStore):
    """Looks whether what `Present` names is there, and commits a moment later."""

    def commit(self, batch: Batch) -> int:
        """See `Store`."""
        present = [operation for operation in batch if isinstance(operation, Present)]
        super().commit(present)
        time.sleep(MOMENT_SECONDS)
        return super().commit([operation for operation in batch if not isinstance(operation, Present)])


class CachesAReadersPast(MemoryStore):
    """Drops bytes from its cache before it commits; a reader in between puts the old ones back, for good."""

    def __init__(self) -> None:
        super().__init__()
        self._cache: dict[tuple[str, str], bytes] = {}

    def commit(self, batch: Batch) -> int:
        """See `Store`."""
        for operation in batch:
            if isinstance(operation, Put | Delete):
                self._cache.pop((operation.kind, operation.id), None)
        time.sleep(MOMENT_SECONDS)
        return super().commit(batch)

    def get_bytes(self, kind: str, id: str) -> bytes | None:  # noqa: A002 - as `Store`
        """See `Store`."""
        data = self._cache.get((kind, id))
        if data is None and (data := super().get_bytes(kind, id)) is not None:
            self._cache[kind, id] = data
        return data


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
