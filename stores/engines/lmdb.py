"""LMDB through py-lmdb: a memory-mapped B+ tree. Reads are the fastest here, and files the largest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import lmdb

from stores.contract import Access, SizeOnDisk, StoreLocked, StoreUnavailable
from stores.engines.folders import LMDB, check_folder, hint_for
from stores.engines.lmdb_pages import check_pages
from stores.files import FileLock, size_of
from stores.high_water import FOLDER_MARK, read_mark
from stores.keyvalue.engine import NO_LIMIT, EngineCorrupt

MAP_BYTES = 1 << 38
"""Address space set aside (256 GiB), not disk: the file grows as pages are used."""
READERS_MAX = 1024
"""Snapshots open at the same time, listings included."""
SPARE_READERS = 16
"""Read transactions kept for reuse; a new one costs more than the read."""


class LmdbEngine:
    """One LMDB folder. Several processes could share it; the store's counters could not, so it is locked."""

    name = "lmdb"
    has_checksums = False

    def __init__(self, path: Path, access: Access = Access.CREATE, *, durable: bool) -> None:
        """Open the database. Raises StoreNotFound, StoreDamaged, StoreLocked, FormatMismatch, StoreUnavailable.

        Whether commits are synced is set for the environment: writing the root page before the data is on disk,
        as LMDB does without sync, can't be made good by a later sync if the power fails in between.
        """
        self._path = path
        self._durable = durable
        self.tunables: Mapping[str, str] = {
            "map_bytes": str(MAP_BYTES),
            "readers_max": str(READERS_MAX),
            "lmdb_version": ".".join(map(str, lmdb.version())),
        }
        check_folder(path, LMDB, access)
        reading = access is Access.READ
        self._lock = FileLock(path / "parity.lock", shared=reading)
        try:
            head, mark = path / LMDB.head, read_mark(path / FOLDER_MARK)
            made = access is Access.CREATE and mark is None  # or begun to be made, by a process that was killed
            if head.exists() and not (made and not head.stat().st_size):
                check_pages(head, all_pages=reading or mark is None or not mark.closed)
            with _translated(path):
                self._environment = lmdb.open(
                    str(path),
                    map_size=MAP_BYTES,
                    sync=durable,
                    metasync=durable,
                    readonly=reading,
                    create=access is Access.CREATE,
                    lock=not reading,
                    max_readers=READERS_MAX,
                    max_spare_txns=SPARE_READERS,
                )
        except BaseException:
            self._lock.release()
            raise

    def get(self, key: bytes) -> bytes | None:
        """See `Engine`."""
        if not key:
            return None
        try:
            with self._environment.begin() as transaction:
                value: bytes | None = transaction.get(key)
                return value
        except lmdb.Error as error:
            raise _translation(error, self._path) from error

    def last_key(self, start: bytes, stop: bytes) -> bytes | None:
        """See `Engine`."""
        with _translated(self._path), self._environment.begin() as transaction, transaction.cursor() as cursor:
            if not (cursor.prev() if cursor.set_range(stop) else cursor.last()):
                return None
            key: bytes = cursor.key()
            return key if key >= start else None

    def snapshot(self) -> LmdbSnapshot:
        """See `Engine`."""
        with _translated(self._path):
            return LmdbSnapshot(self._environment.begin(), self._path)

    def write(self, changes: Iterable[tuple[bytes, bytes | None]], *, sync: bool) -> None:
        """See `Engine`."""
        if sync and not self._durable:
            raise StoreUnavailable(f"LMDB {self._path} was opened without sync", hint="open it durable")
        with _translated(self._path), self._environment.begin(write=True) as transaction:
            for key, value in changes:
                if value is None:
                    transaction.delete(key)
                else:
                    transaction.put(key, value)

    def size_on_disk(self) -> SizeOnDisk:
        """See `Engine`."""
        return size_of(self._path)

    def close(self) -> None:
        """See `Engine`."""
        self._environment.close()
        self._lock.release()


class LmdbSnapshot:
    """One state of the database."""

    def __init__(self, transaction: Any, path: Path) -> None:  # noqa: ANN401 - the driver's transaction has no exported type
        self._transaction = transaction
        self._path = path

    def get(self, key: bytes) -> bytes | None:
        """See `Snapshot`."""
        try:
            value: bytes | None = self._transaction.get(key)
        except lmdb.Error as error:
            raise _translation(error, self._path) from error
        return value

    def range(self, start: bytes, stop: bytes, limit: int = NO_LIMIT) -> Iterator[tuple[bytes, bytes]]:
        """See `Snapshot`."""
        with _translated(self._path), self._transaction.cursor() as cursor:
            if not (cursor.set_range(start) if start else cursor.first()):
                return
            for key, value in islice(cursor, limit):
                if key >= stop:
                    return
                yield key, value

    def close(self) -> None:
        """See `Snapshot`."""
        self._transaction.abort()


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except lmdb.Error as error:
        raise _translation(error, path) from error


def _translation(error: lmdb.Error, path: Path) -> StoreUnavailable:
    if "already open in this process" in str(error):
        return StoreLocked(f"the database {path} is in use by this process", hint="close it first")
    corrupt = (lmdb.CorruptedError, lmdb.PageNotFoundError, lmdb.InvalidError, lmdb.PanicError)
    if isinstance(error, corrupt):
        return EngineCorrupt(f"LMDB {path}: {error}")
    return StoreUnavailable(f"LMDB {path}: {error}", hint=hint_for(str(error)))
