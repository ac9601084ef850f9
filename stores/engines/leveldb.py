"""LevelDB through plyvel."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from stores.contract import Access, SizeOnDisk, StoreLocked, StoreUnavailable
from stores.engines import plyvel_driver as plyvel
from stores.engines.folders import LEVELDB, check_folder, enter_folder, hint_for, told
from stores.engines.logs import check_logs
from stores.files import size_of
from stores.keyvalue.engine import NO_LIMIT, EngineCorrupt
from stores.shadow import told_of

MIB = 1024 * 1024
WRITE_BUFFER_BYTES = 64 * MIB
"""A larger memory table: fewer files at level 0 under load. Costs up to twice this in memory."""
CACHE_BYTES = 256 * MIB
"""Blocks kept uncompressed; with the default of 8 MiB reads of 6 KiB records take twice as long."""
FIRST_KEY, LAST_KEY = b"\x00", b"\xff" * 8
"""Bounds around every key: keys begin with an ASCII letter."""
BLOOM_BITS = 10
"""One false positive in a hundred: an absent id or free slug costs no disk read."""


_NEVER_REWRITTEN = r"\d+\.(ldb|sst)"


class LevelDbEngine:
    """One LevelDB folder. LevelDB itself locks it, checks its blocks, and replays its log after a crash."""

    name = "leveldb"
    has_checksums = True

    def __init__(self, path: Path, access: Access = Access.CREATE, *, strict: bool = True) -> None:
        """Open the database; LevelDB can't but write when it opens, so what only reads gets a shadow of it.

        A log may have a torn end, which LevelDB passes over without paranoid checks only. With `strict` it may not be
        damaged before its end.

        Raises StoreNotFound, StoreDamaged, StoreLocked, FormatMismatch, StoreUnavailable.
        """
        self._path = path
        self.tunables: Mapping[str, str] = {
            "write_buffer_bytes": str(WRITE_BUFFER_BYTES),
            "cache_bytes": str(CACHE_BYTES),
            "bloom_bits": str(BLOOM_BITS),
            "compression": "snappy",
        }
        check_folder(path, LEVELDB, access)
        with ExitStack() as opened:
            folder = enter_folder(opened, path, access, _NEVER_REWRITTEN)
            with told_of(path):
                torn = check_logs(folder, strict=strict)
            with _translated(path):
                self._db = plyvel.DB(
                    str(folder),
                    create_if_missing=access is Access.CREATE,
                    paranoid_checks=not torn,
                    write_buffer_size=WRITE_BUFFER_BYTES,
                    lru_cache_size=CACHE_BYTES,
                    bloom_filter_bits=BLOOM_BITS,
                )
            self._opened = opened.pop_all()

    def get(self, key: bytes) -> bytes | None:
        """See `Engine`."""
        try:
            value: bytes | None = self._db.get(key, verify_checksums=True)
        except plyvel.Error as error:
            raise _translation(error, self._path) from error
        return value

    def last_key(self, start: bytes, stop: bytes) -> bytes | None:
        """See `Engine`."""
        with (
            _translated(self._path),
            self._db.iterator(start=start, stop=stop, reverse=True, include_value=False) as keys,
        ):
            return next(keys, None)

    def snapshot(self) -> LevelDbSnapshot:
        """See `Engine`."""
        return LevelDbSnapshot(self._db, self._path)

    def write(self, changes: Iterable[tuple[bytes, bytes | None]], *, sync: bool) -> None:
        """See `Engine`."""
        self.prepare(changes, sync=sync)()

    def prepare(self, changes: Iterable[tuple[bytes, bytes | None]], *, sync: bool) -> Callable[[], None]:
        """See `Engine`. LevelDB itself holds the lock of no thread while it writes."""
        batch = self._db.write_batch(sync=sync)
        put, delete = batch.put, batch.delete
        for key, value in changes:
            if value is None:
                delete(key)
            else:
                put(key, value)
        return partial(self._write, batch)

    def _write(self, batch: Any) -> None:  # noqa: ANN401 - a write batch, whose class the driver keeps to itself
        try:
            batch.write()
        except plyvel.Error as error:
            raise _translation(error, self._path) from error

    def size_on_disk(self) -> SizeOnDisk:
        """See `Engine`."""
        return size_of(self._path)

    def compact(self) -> None:
        """See `Engine`."""
        with _translated(self._path):
            # Without bounds plyvel hands LevelDB the empty range, and nothing at all is compacted.
            self._db.compact_range(start=FIRST_KEY, stop=LAST_KEY)

    def close(self) -> None:
        """See `Engine`."""
        with self._opened:
            self._db.close()


class LevelDbSnapshot:
    """One state of the database."""

    def __init__(self, db: plyvel.DB, path: Path) -> None:
        self._path = path
        self._snapshot = db.snapshot()

    def get(self, key: bytes) -> bytes | None:
        """See `Snapshot`."""
        try:
            value: bytes | None = self._snapshot.get(key, verify_checksums=True)
        except plyvel.Error as error:
            raise _translation(error, self._path) from error
        return value

    def range(self, start: bytes, stop: bytes, limit: int = NO_LIMIT) -> Iterator[tuple[bytes, bytes]]:
        """See `Snapshot`. LevelDB's iterators know no bound: plyvel compares with `stop` what they come to."""
        with _translated(self._path), self._snapshot.iterator(start=start, stop=stop, verify_checksums=True) as rows:
            yield from islice(rows, limit)

    def close(self) -> None:
        """See `Snapshot`."""
        self._snapshot.close()


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except plyvel.Error as error:
        raise _translation(error, path) from error


def _translation(error: plyvel.Error, path: Path) -> StoreUnavailable:
    reason = told(error, path)
    if "/LOCK: " in reason and re.search("already held|temporarily unavailable", reason):
        return StoreLocked(f"the database {path} is in use", hint="close the other program, or choose another path")
    if isinstance(error, plyvel.CorruptionError):
        return EngineCorrupt(f"LevelDB {path}: {reason}")
    if re.search(r"\.(ldb|sst): (Invalid argument|No such device|No such file|Is a directory)", reason):
        return EngineCorrupt(f"LevelDB {path}: a table is too short to be one, or none: {reason}")
    return StoreUnavailable(f"LevelDB {path}: {reason}", hint=hint_for(reason))
