"""RocksDB through rocksdict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rocksdict import (
    BlockBasedOptions,
    Cache,
    DBCompressionType,
    DBRecoveryMode,
    Options,
    Rdict,
    RdictIter,
    WriteBatch,
    WriteOptions,
)

from stores.contract import Access, SizeOnDisk, StoreLocked, StoreUnavailable
from stores.engines.folders import ROCKSDB, check_folder, enter_folder, hint_for, told
from stores.engines.logs import check_logs, check_manifest
from stores.files import size_of
from stores.keyvalue.engine import NO_LIMIT, EngineCorrupt
from stores.shadow import told_of

MIB = 1024 * 1024
WRITE_BUFFER_BYTES = 64 * MIB
CACHE_BYTES = 256 * MIB
BLOOM_BITS = 10
"""The same three numbers as for LevelDB, so that a comparison compares the engines."""
_FIRST_PAGE_ROWS = 2
"""A lookup needs one row."""
_PAGE_ROWS = 128
_LAST_KEY = b"\xff" * 8
"""Behind every key of the layout; rocksdict compacts nothing when both ends are None."""


_NEVER_REWRITTEN = r"\d+\.(sst|ldb|blob)"


class RocksDbEngine:
    """One RocksDB folder. RocksDB itself locks it, checks its blocks, and replays its log after a crash."""

    name = "rocksdb"
    has_checksums = True

    def __init__(self, path: Path, access: Access = Access.CREATE, *, strict: bool = True) -> None:
        """Open the database; what only reads gets a shadow of it, for RocksDB writes its log file even then.

        A log may have a torn end. With `strict` it may not be damaged before its end: RocksDB's own default would take
        all behind the damage for never written.

        Raises StoreNotFound, StoreDamaged, StoreLocked, FormatMismatch, StoreUnavailable.
        """
        self._path = path
        self.tunables: Mapping[str, str] = {
            "write_buffer_bytes": str(WRITE_BUFFER_BYTES),
            "cache_bytes": str(CACHE_BYTES),
            "bloom_bits": str(BLOOM_BITS),
            "compression": "snappy",
        }
        check_folder(path, ROCKSDB, access)
        with ExitStack() as opened:
            folder = enter_folder(opened, path, access, _NEVER_REWRITTEN)
            with told_of(path):
                check_manifest(folder)
                torn = check_logs(folder, strict=strict)
            with _translated(path):
                self._db = Rdict(str(folder), _options(access, torn=torn))
            self._opened = opened.pop_all()
        self._write_options = {sync: _write_options(sync=sync) for sync in (True, False)}

    def get(self, key: bytes) -> bytes | None:
        """See `Engine`."""
        try:
            value: bytes | None = self._db.get(key)
        except Exception as error:  # the driver raises nothing more exact
            raise _translation(error, self._path) from error
        return value

    def last_key(self, start: bytes, stop: bytes) -> bytes | None:
        """See `Engine`."""
        with _translated(self._path):
            rows = self._db.iter()
            rows.seek_for_prev(stop)
            if rows.valid() and rows.key() == stop:
                rows.prev()
            rows.status()
            key: bytes | None = rows.key() if rows.valid() else None
            return key if key is not None and key >= start else None

    def snapshot(self) -> RocksDbSnapshot:
        """See `Engine`."""
        with _translated(self._path):
            return RocksDbSnapshot(self._db.iter(), self._path)

    def write(self, changes: Iterable[tuple[bytes, bytes | None]], *, sync: bool) -> None:
        """See `Engine`."""
        batch = WriteBatch(raw_mode=True)
        for key, value in changes:
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        with _translated(self._path):
            self._db.write(batch, self._write_options[sync])

    def size_on_disk(self) -> SizeOnDisk:
        """See `Engine`."""
        return size_of(self._path)

    def compact(self) -> None:
        """See `Engine`."""
        with _translated(self._path):
            self._db.flush()
            self._db.compact_range(b"", _LAST_KEY)

    def close(self) -> None:
        """See `Engine`. Raises StoreUnavailable if what the driver still held can't be written."""
        with self._opened, _translated(self._path):
            self._db.close()


class RocksDbSnapshot:
    """One state of the database: an iterator pins it.

    The driver's own snapshots don't: their `[]` reads the pinned state, but their iterators read the newest one
    (rocksdict 0.3.29). One iterator serves gets and ranges in turn, so a range takes its rows in pages.
    """

    def __init__(self, rows: RdictIter, path: Path) -> None:
        self._rows: RdictIter | None = rows
        self._path = path

    def get(self, key: bytes) -> bytes | None:
        """See `Snapshot`."""
        rows = self._rows
        if rows is None:
            return None
        try:
            rows.seek(key)
            rows.status()
            value: bytes | None = rows.value() if rows.valid() and rows.key() == key else None
        except Exception as error:  # the driver raises nothing more exact
            raise _translation(error, self._path) from error
        return value

    def range(self, start: bytes, stop: bytes, limit: int = NO_LIMIT) -> Iterator[tuple[bytes, bytes]]:
        """See `Snapshot`."""
        page_rows = min(_FIRST_PAGE_ROWS, limit)
        while page_rows and (page := self._page(start, stop, page_rows)):
            yield from page
            if len(page) < page_rows:
                return
            start, limit = page[-1][0] + b"\0", limit - page_rows
            page_rows = min(_PAGE_ROWS, limit)

    def _page(self, start: bytes, stop: bytes, page_rows: int) -> list[tuple[bytes, bytes]]:
        """Return the first rows of a range, without a step behind the last."""
        rows = self._rows
        page: list[tuple[bytes, bytes]] = []
        if rows is None:
            return []
        with _translated(self._path):
            rows.seek(start)
            while rows.valid() and (key := rows.key()) < stop:
                page.append((key, rows.value()))
                if len(page) == page_rows:
                    break
                rows.next()
            rows.status()
        return page

    def close(self) -> None:
        """See `Snapshot`: the driver gives an iterator back when it is forgotten."""
        self._rows = None


def _options(access: Access, *, torn: bool) -> Options:
    options = Options(raw_mode=True)
    options.set_paranoid_checks(True)
    options.set_wal_recovery_mode(DBRecoveryMode.point_in_time() if torn else DBRecoveryMode.absolute_consistency())
    options.create_if_missing(access is Access.CREATE)
    options.set_write_buffer_size(WRITE_BUFFER_BYTES)
    options.set_compression_type(DBCompressionType.snappy())
    options.set_keep_log_file_num(1)
    table = BlockBasedOptions()
    table.set_block_cache(Cache(CACHE_BYTES))
    table.set_bloom_filter(BLOOM_BITS, block_based=False)
    options.set_block_based_table_factory(table)
    return options


def _write_options(*, sync: bool) -> WriteOptions:
    options = WriteOptions()
    options.sync = sync
    return options


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # the driver raises nothing more exact
        raise _translation(error, path) from error


def _translation(error: Exception, path: Path) -> StoreUnavailable:
    reason = told(error, path)
    if "Corruption" in reason:
        return EngineCorrupt(f"RocksDB {path}: {reason}")
    if "lock" in reason.lower():
        return StoreLocked(f"the database {path} is in use", hint="close the other program, or choose another path")
    return StoreUnavailable(f"RocksDB {path}: {reason}", hint=hint_for(reason))
