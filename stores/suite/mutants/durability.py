"""Stores that say they are durable, and aren't: seen from outside only, by counting syncs and by killing processes.

They are opened by URL in processes of their own, as a third party's store is: `SCHEME` is for an entry point `wrong` in
the group `parity.stores`, and `wrong:PATH?sin=NAME` a store with one sin of `SINS`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from stores.codecs import ProtobufCodec
from stores.contract import Access, Batch, Delete, Durability, Store, StoreError
from stores.engines.leveldb import LevelDbEngine
from stores.keyvalue import layout
from stores.keyvalue.engine import Engine
from stores.keyvalue.store import KeyValueStore
from stores.registry import Option, Options, Scheme
from stores.schema import Schema
from stores.suite.file_engine import FileEngine

Changes = Iterable[tuple[bytes, bytes | None]]
INDEX_ROWS = (b"u", b"i", b"c", b"o")
"""What the keys of index rows begin with; see `stores/keyvalue/store.py`."""
PART_OPERATIONS = 500


class Honest(LevelDbEngine):
    """Not wrong: every write goes through `write`, as in its heirs."""

    def write(self, changes: Changes, *, sync: bool) -> None:
        """See `Engine`."""
        super().prepare(changes, sync=sync)()

    def prepare(self, changes: Changes, *, sync: bool) -> Callable[[], None]:
        """See `PreparesBatches`."""
        rows = list(changes)
        return lambda: self.write(rows, sync=sync)


class NeverSyncs(Honest):
    """Leaves it to the system when a write reaches the disk."""

    def write(self, changes: Changes, *, sync: bool) -> None:  # noqa: ARG002 - the sin
        """See `Engine`."""
        super().write(changes, sync=False)


class SyncsEverySecond(Honest):
    """Syncs each second write."""

    _writes = 0

    def write(self, changes: Changes, *, sync: bool) -> None:
        """See `Engine`."""
        self._writes += 1
        super().write(changes, sync=sync and self._writes % 2 == 0)


class SyncsOnClose(NeverSyncs):
    """Leaves it to the system, until it is closed."""

    def close(self) -> None:
        """See `Engine`."""
        for log in self._path.glob("*.log"):
            with log.open("rb") as file:
                os.fsync(file)
        super().close()


class SyncsBefore(Honest):
    """Syncs what was written before, and then writes."""

    def write(self, changes: Changes, *, sync: bool) -> None:
        """See `Engine`."""
        for log in self._path.glob("*.log") if sync else ():
            with log.open("rb") as file:
                os.fsync(file)
        super().write(changes, sync=False)


class FlushesOnClose(FileEngine):
    """Keeps everything in the process until it is closed; what it syncs meanwhile is an empty folder."""

    _latest = b""

    def keep(self, data: bytes) -> None:
        """See `FileEngine`."""
        self._latest = data
        self.sync(self._folder)

    def close(self) -> None:
        """See `Engine`."""
        if self._latest:
            super().keep(self._latest)


class IndexRowsOneBehind(FileEngine):
    """Writes the rows of the indexes with the next write, or on close."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._behind: dict[bytes, bytes] = {}

    def rows_kept(self) -> Iterable[tuple[bytes, bytes]]:
        """See `FileEngine`."""
        behind, self._behind = self._behind, {k: v for k, v in self.rows.items() if k.startswith(INDEX_ROWS)}
        return [*((k, v) for k, v in self.rows.items() if not k.startswith(INDEX_ROWS)), *behind.items()]

    def close(self) -> None:
        """See `Engine`."""
        self.write([], sync=True)


class NumbersOnClose(FileEngine):
    """Writes the last revision on close; until then that of the newest resource stands for it."""

    _is_closing = False

    def rows_kept(self) -> Iterable[tuple[bytes, bytes]]:
        """See `FileEngine`."""
        rows = dict(super().rows_kept())
        if layout.STATE_KEY in rows and not self._is_closing:
            revisions = (layout.numbers_of(value)[1] for key, value in rows.items() if key.startswith(b"r"))
            state = layout.read_state(rows[layout.STATE_KEY])._replace(revision=max(revisions, default=0))
            rows[layout.STATE_KEY] = layout.pack_state(state)
        return rows.items()

    def close(self) -> None:
        """See `Engine`."""
        self._is_closing = True
        self.write([], sync=True)


class TwoParts(Honest):
    """Writes the rows of a batch in two parts, each of them synced."""

    def write(self, changes: Changes, *, sync: bool) -> None:
        """See `Engine`."""
        rows = list(changes)
        super().write(rows[: len(rows) // 2], sync=sync)
        super().write(rows[len(rows) // 2 :], sync=sync)


class IndexRowsLater(Honest):
    """Writes the rows of the indexes after the records."""

    def write(self, changes: Changes, *, sync: bool) -> None:
        """See `Engine`."""
        rows = list(changes)
        super().write([row for row in rows if not row[0].startswith(INDEX_ROWS)], sync=sync)
        super().write([row for row in rows if row[0].startswith(INDEX_ROWS)], sync=False)


class LargeInParts(KeyValueStore):
    """Commits a batch of more than 500 operations part by part."""

    def commit(self, batch: Batch) -> int:
        """See `Store`."""
        parts = [batch[start : start + PART_OPERATIONS] for start in range(0, len(batch), PART_OPERATIONS)]
        return max((super(LargeInParts, self).commit(part) for part in parts), default=0)


class SyncsSometimes(KeyValueStore):
    """Syncs unless a thread says otherwise."""

    @property
    def _sync(self) -> bool:
        return self.__dict__["is_durable"] and getattr(self._of_thread, "syncs", True)

    @_sync.setter
    def _sync(self, is_durable: bool) -> None:
        self.__dict__["is_durable"] = is_durable
        self._of_thread = threading.local()
        self._leading = threading.Lock()


class GroupUnsynced(SyncsSometimes):
    """Syncs what is committed alone, and not what is committed in a group."""

    def commit_many(self, batches: Sequence[Batch]) -> list[int | StoreError]:
        """See `Store`."""
        self._of_thread.syncs = False
        try:
            return super().commit_many(batches)
        finally:
            self._of_thread.syncs = True


class RemovalsUnsynced(SyncsSometimes):
    """Doesn't sync a batch that only removes: there is nothing of it to lose."""

    def commit(self, batch: Batch) -> int:
        """See `Store`."""
        self._of_thread.syncs = not all(isinstance(operation, Delete) for operation in batch)
        return super().commit(batch)


class SyncsLeaderOnly(SyncsSometimes):
    """A commit that comes while another is under way isn't synced."""

    def commit(self, batch: Batch) -> int:
        """See `Store`."""
        self._of_thread.syncs = leads = self._leading.acquire(blocking=False)
        try:
            return super().commit(batch)
        finally:
            if leads:
                self._leading.release()


Sin = tuple[Callable[[Path], Engine], type[KeyValueStore]]
SINS: dict[str, Sin] = {
    "none": (Honest, KeyValueStore),
    "never-syncs": (NeverSyncs, KeyValueStore),
    "syncs-every-second": (SyncsEverySecond, KeyValueStore),
    "syncs-on-close": (SyncsOnClose, KeyValueStore),
    "syncs-before": (SyncsBefore, KeyValueStore),
    "syncs-leader-only": (Honest, SyncsLeaderOnly),
    "group-unsynced": (Honest, GroupUnsynced),
    "removals-unsynced": (Honest, RemovalsUnsynced),
    "numbers-on-close": (NumbersOnClose, KeyValueStore),
    "flushes-on-close": (FlushesOnClose, KeyValueStore),
    "two-parts": (TwoParts, KeyValueStore),
    "index-rows-later": (IndexRowsLater, KeyValueStore),
    "index-rows-one-behind": (IndexRowsOneBehind, KeyValueStore),
    "large-in-parts": (Honest, LargeInParts),
}
"""Engine and store of each; the first is right, and must pass what the others fail."""


def _open(path: str, options: Options, schema: Schema, access: Access) -> Store:
    engine, store = SINS[options["sin"]]
    return store(engine(Path(path)), ProtobufCodec(), Durability.DURABLE, schema, access)


SCHEME = Scheme("wrong", "a store that isn't as durable as it says", _open, (Option("sin", tuple(SINS), "none"),))
