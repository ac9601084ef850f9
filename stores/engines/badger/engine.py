"""The Engine over BadgerDB. See `library.py` for forks and signals, the folder `bridge` for the Go side."""

from __future__ import annotations

import json
import os
import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path

from stores.codecs import codec_of
from stores.contract import Access, Durability, SizeOnDisk, Store, StoreNotFound, StoreUnavailable
from stores.engines.badger.build import BADGER_VERSION
from stores.engines.badger.library import Library, load
from stores.engines.badger.rooms import Code, NeedsWriting, error_of
from stores.engines.folders import BADGER, check_folder
from stores.files import FileLock, check_descriptors, size_of, unreadable
from stores.keyvalue.engine import NO_LIMIT
from stores.keyvalue.reopening import Reopening
from stores.keyvalue.store import KeyValueStore
from stores.schema import KINDS, Schema
from stores.shadow import Shadow, told_of

_ROW = struct.Struct("<II")
DESCRIPTORS_TO_WORK = 16
"""Beside one for each file that is there: for new logs and tables. Badger tries for ever to write a memory table, and
where it comes upon the limit it may end the process."""
_LOG_HEADER_BYTES = 20
_NONE = r"(?!)"
_CLOSED = -1
"""No handle has this number; 0 would stand for the newest state."""
_PAGE_HEADER_BYTES = 16
_FIRST_PAGE_ROWS = 16
"""A lookup reads one row, so the first page is small; each next one is four times as long."""
_PAGE_ROWS_MAX = 4096


@dataclass(frozen=True, slots=True)
class Settings:
    """How Badger is opened. What isn't named here has Badger's default."""

    sync_writes: bool
    read_only: bool = False
    memtable_mb: int = 64
    """Badger's default. A transaction holds 15 % of it (9.6 MiB); larger batches go through the bridge's journal."""
    cache_mb: int = 256
    """Badger's default, and what the LevelDB engine has."""
    value_log_mb: int = 256
    """Instead of 1023: space is given back file by file, and each file is mapped twice as large as this. It is also
    the largest batch and the largest value."""
    value_threshold: int = 1024 * 1024
    """Badger's default, the largest allowed. Smaller values live in the tree, where they are compressed."""
    compression: str = "snappy"
    """Badger's default, and LevelDB's."""
    reserve_mb: int = 160
    """Commits are refused while less is free: two memory tables and some. Badger writes through mapped files, and on
    a full disk such a write ends the process."""
    verify_on_open: bool = True
    """Check all tables and logs before the database is opened (`verify=open`). A block that is damaged is otherwise
    taken by Badger v4.5.0 for one that doesn't have the key: records would be missing without a word."""


class BadgerEngine:
    """One Badger folder. Badger itself locks it, checks what it reads, and replays its log after a crash."""

    name = "badger"
    has_checksums = True

    def __init__(
        self, path: Path, settings: Settings, access: Access = Access.CREATE, *, verified: bool = False
    ) -> None:
        """Open the database. Where its tables are `verified` already they aren't checked again.

        Raises StoreNotFound, StoreLocked, FormatMismatch, EngineCorrupt, StoreUnavailable, and NeedsWriting for
        a database to be read that wasn't closed.
        """
        self._library = load()
        self._library.check_process()
        self._path = path
        self._where = str(path)
        """What errors call the database."""
        self._closed = False
        self.tunables: Mapping[str, str] = {
            "badger": BADGER_VERSION,
            **{name: str(value).lower() for name, value in asdict(settings).items()},
        }
        check_folder(path, BADGER, Access.READ if settings.read_only else access)
        if not settings.read_only and not os.access(path, os.W_OK):
            raise StoreUnavailable(f"the folder {path} can't be written", hint="correct its permissions, or its mount")
        check_descriptors(_files_in(path) + DESCRIPTORS_TO_WORK)
        chosen = replace(settings, verify_on_open=settings.verify_on_open and not verified)
        text, name, room = json.dumps(asdict(chosen)).encode(), str(path).encode(), self._library.rooms.room
        handle = self._library.open(name, len(name), text, len(text), room.address, room.size)
        if handle < 0:
            raise room.error(handle, str(path))
        self._handle = handle
        self._rooms = self._library.rooms
        self._calls = self._library.calls

    def get(self, key: bytes) -> bytes | None:
        """See `Engine`."""
        return self.get_at(0, key)

    def get_at(self, snapshot: int, key: bytes) -> bytes | None:
        """Get from a snapshot, or from the newest state (0)."""
        if not self._library.forked:
            value = self._calls.get(self._handle, snapshot, key)
            if not isinstance(value, int):
                return value
        return self._get_large(snapshot, key)

    def _get_large(self, snapshot: int, key: bytes) -> bytes | None:
        """Get with a buffer of the value's size; says what went wrong if that isn't it."""
        self._library.check_process()
        room = self._rooms.room
        while True:
            size = self._library.get(self._handle, snapshot, key, len(key), room.address, room.size)
            if size >= 0:
                return bytes(room.view[:size])
            if size == Code.NOT_FOUND:
                return None
            if size != Code.BUFFER_TOO_SMALL:
                raise room.error(size, self._where)
            room = self._rooms.of(room.number(0))

    def last_key(self, start: bytes, stop: bytes) -> bytes | None:
        """See `Engine`."""
        snapshot = self.snapshot()
        try:
            return next((key for key, _ in snapshot.range(start, stop, keys_only=True, reverse=True)), None)
        finally:
            snapshot.close()

    def snapshot(self) -> BadgerSnapshot:
        """See `Engine`."""
        self._library.check_process()
        room = self._rooms.room
        handle = self._library.snapshot(self._handle, room.address, room.size)
        if handle < 0:
            raise room.error(handle, self._where)
        return BadgerSnapshot(self, self._library, self._handle, handle, self._where)

    def write(self, changes: Iterable[tuple[bytes, bytes | None]], *, sync: bool) -> None:
        """See `Engine`. One call into Go, one transaction."""
        self._library.check_process()
        failure = self._calls.commit(self._handle, changes, sync)
        if failure is not None:
            raise error_of(*failure, self._where)

    def size_on_disk(self) -> SizeOnDisk:
        """See `Engine`. Holes count nothing, not even as apparent bytes: Badger makes its logs too large."""
        files = [size_of(file) for file in self._path.iterdir()]
        return SizeOnDisk(
            apparent_bytes=sum(min(size.apparent_bytes, size.allocated_bytes) for size in files),
            allocated_bytes=sum(size.allocated_bytes for size in files),
        )

    def compact(self) -> None:
        """See `Engine`. Memory tables to disk, all levels into one, then value log files without their garbage."""
        self._library.check_process()
        room = self._rooms.room
        result = self._library.compact(self._handle, room.address, room.size)
        if result < 0:
            raise room.error(result, self._where)

    def close(self) -> None:
        """See `Engine`. In a forked child it does nothing: the database is the parent's."""
        if self._closed or self._library.forked:
            return
        self._closed = True
        room = self._rooms.room
        result = self._library.close(self._handle, room.address, room.size)
        if result < 0:
            raise room.error(result, self._where)


class BadgerReader(BadgerEngine):
    """A Badger folder that isn't changed: Badger sees a shadow of it only.

    Opened for reading, Badger v4.5.0 sorts its file of discards, gives an empty log its size, cuts a log with nothing
    but a header, and removes both that and tables that the MANIFEST doesn't name. So all others are links. Of a
    database that wasn't closed all is copied and opened for writing: Badger cuts a table before it removes it.
    """

    def __init__(self, path: Path, settings: Settings, access: Access = Access.READ, *, recover: bool = True) -> None:
        """Open the database. Raises what BadgerEngine raises, and NeedsWriting only without `recover`."""
        check_folder(path, BADGER, access)
        with ExitStack() as opened:
            opened.enter_context(FileLock(path, shared=True))
            try:
                _check_closed(path)
                self._open_shadow(path, replace(settings, read_only=True), access, _never_cut(path), opened)
            except NeedsWriting:
                if not recover:
                    raise
                self._open_shadow(path, settings, Access.WRITE, _NONE, opened)
            self._where = str(path)
            self._opened = opened.pop_all()

    def _open_shadow(self, path: Path, settings: Settings, access: Access, linked: str, opened: ExitStack) -> None:
        shadow = Shadow((file for file in path.iterdir() if file.name != "LOCK"), linked)
        try:
            with told_of(path):
                super().__init__(shadow.path, settings, access)
        except BaseException:
            shadow.remove()
            raise
        opened.callback(shadow.remove)

    def close(self) -> None:
        """See `Engine`."""
        try:
            super().close()
        finally:
            self._opened.close()


def _files_in(folder: Path) -> int:
    try:
        return len(list(folder.iterdir()))
    except OSError as error:
        raise unreadable(f"the folder {folder}", error) from error


def _never_cut(path: Path) -> str:
    """Return a pattern of the names that a shadow may link, as Badger only reads such files when it only reads."""
    names = [file.name for file in path.iterdir() if file.is_file() and file.stat().st_size > _LOG_HEADER_BYTES]
    return "|".join(re.escape(name) for name in names if name != "DISCARD") or _NONE


def _check_closed(path: Path) -> None:
    """Raise NeedsWriting where Badger can't open what it opens for writing even to read, or would give it a size."""
    for file in path.iterdir():
        is_log = file.suffix in {".vlog", ".mem"}
        if is_log and file.is_file() and not file.stat().st_size:
            raise NeedsWriting(f"{file} is empty")
        if (is_log or file.name == "DISCARD") and not os.access(file, os.W_OK):
            raise NeedsWriting(f"{file} can't be written")


class BadgerSnapshot:
    """One state of the database. A range under way keeps it until it is exhausted or closed."""

    def __init__(self, engine: BadgerEngine, library: Library, database: int, handle: int, where: str) -> None:
        self._engine = engine
        self._library = library
        self._database = database
        self._handle = handle
        self._where = where

    def get(self, key: bytes) -> bytes | None:
        """See `Snapshot`."""
        return self._engine.get_at(self._handle, key)

    def range(
        self, start: bytes, stop: bytes, limit: int = NO_LIMIT, *, keys_only: bool = False, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """See `Snapshot`; an empty stop means no end. With keys_only values are empty and not read from disk.

        Badger stops at the first mark of a removed key that doesn't begin as both bounds do.
        """
        yield from islice(self._pages(start, stop, reverse | keys_only << 1), limit)

    def _pages(self, start: bytes, stop: bytes, flags: int) -> Iterator[tuple[bytes, bytes]]:
        limit, cursor = _FIRST_PAGE_ROWS, 0
        try:
            page, cursor = self._page(start, stop, flags, limit)
            yield from _rows(page)
            while cursor:
                limit = min(limit * 4, _PAGE_ROWS_MAX)
                page, cursor = self._next_page(cursor, limit)
                yield from _rows(page)
        finally:
            if cursor and not self._library.forked:
                self._library.cursor_close(cursor)

    def _page(self, start: bytes, stop: bytes, flags: int, limit: int) -> tuple[bytes, int]:
        self._library.check_process()
        room = self._library.rooms.room
        used = self._library.scan(
            self._database, self._handle, start, len(start), stop, len(stop), flags, limit, room.address, room.size
        )
        if used == Code.BUFFER_TOO_SMALL:
            return self._next_page(room.number(0), limit, room.number(1))
        if used < 0:
            raise room.error(used, self._where)
        return bytes(room.view[:used]), room.number(0)

    def _next_page(self, cursor: int, limit: int, needed: int = 0) -> tuple[bytes, int]:
        self._library.check_process()
        while True:
            room = self._library.rooms.of(needed)
            used = self._library.next(cursor, limit, room.address, room.size)
            if used >= 0:
                return bytes(room.view[:used]), room.number(0)
            if used != Code.BUFFER_TOO_SMALL:
                self._library.cursor_close(cursor)
                raise room.error(used, self._where)
            needed = room.number(1)

    def close(self) -> None:
        """See `Snapshot`."""
        if self._handle != _CLOSED and not self._library.forked:
            self._library.snapshot_close(self._handle)
        self._handle = _CLOSED


def _rows(page: bytes) -> Iterator[tuple[bytes, bytes]]:
    place, end, unpack = _PAGE_HEADER_BYTES, len(page), _ROW.unpack_from
    while place < end:
        key_size, value_size = unpack(page, place)
        key = place + _ROW.size
        value = key + key_size
        place = value + value_size
        yield page[key:value], page[value:place]


def open_badger(path: str, options: Mapping[str, str], schema: Schema = KINDS, access: Access = Access.CREATE) -> Store:
    """Open a store over Badger. Raises what BadgerEngine and KeyValueStore raise.

    A database is opened for reading first: opened for writing, Badger cuts logs at the first damage and rewrites its
    MANIFEST, and what a refusal comes upon only then is lost.
    """
    folder, codec, durability = Path(path), codec_of(options["codec"]), Durability(options["durability"])
    settings = Settings(sync_writes=durability is Durability.DURABLE, verify_on_open=options["verify"] == "open")
    tried = False

    def engine(access: Access) -> BadgerEngine:
        if access is Access.READ:
            return BadgerReader(folder, settings, access)
        return BadgerEngine(folder, settings, access, verified=tried)

    def opened(access: Access) -> Store:
        reopening = Reopening(folder, engine)
        return KeyValueStore(reopening.open(access), codec, durability, schema, access, reopening)

    if access is not Access.READ and (folder / BADGER.head).exists():
        with suppress(StoreNotFound):  # it is empty: to be made, or to be refused by what follows
            opened(Access.READ).close()
            tried = True
    store = opened(access)
    tried = False
    return store
