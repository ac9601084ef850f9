"""The connections of an SQLite store, its schema, and the translation of its errors."""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import sqlite_utils

from stores.contract import Durability, FormatMismatch, StoreDamaged, StoreNotFound, StoreUnavailable
from stores.files import check_descriptors
from stores.format import PRODUCT, check_format

FORMAT_VERSION = 3
"""Of the tables and what stands in them."""
APPLICATION_ID = 0x50415254
"""Written into the file's header ("PART"), so that tools can tell what the file is."""
CACHE_KIB = 64 * 1024
LOG_BYTES_MAX = 16 * 1024 * 1024
"""Four times what SQLite lets the write-ahead log grow to (1000 pages) while no listing reads from it."""
LOG_RETRY_SECONDS = 1.0
"""So long a log that a listing keeps long is left alone."""
BUSY_TIMEOUT_MS = 10_000
"""Waits for a tool that holds a lock for a moment."""
FILES = 3
"""The database, its log, and the log's index: before SQLite notices that it can't open all, it has written to one."""
_SYNCHRONOUS = {Durability.DURABLE: "FULL", Durability.RELAXED: "NORMAL"}


class Connections:
    """Makes the writing connection, and keeps reading ones for reuse, as many as threads read at once."""

    def __init__(self, path: Path, *, immutable: bool = False) -> None:
        """Take the database's path. With `immutable` SQLite only reads the file, and makes none beside it."""
        self._path = path
        self._immutable = immutable
        self._idle: deque[sqlite3.Connection] = deque()
        self._writer: sqlite3.Connection | None = None
        self._log = path.with_name(path.name + "-wal")
        self._log_is_kept_until = 0.0
        self._is_closed = False

    def open_writer(self, durability: Durability) -> sqlite3.Connection:
        """Open the connection that writes, with this durability. Raises StoreUnavailable, FormatMismatch."""
        if not self._immutable:
            check_descriptors(FILES)
        with translated(self._path):
            self._writer = self._connect("rwc")
            if self._immutable:
                return self._writer
            self._writer.execute("PRAGMA journal_mode = WAL")
            self._writer.execute(f"PRAGMA synchronous = {_SYNCHRONOUS[durability]}")
            self._writer.execute(f"PRAGMA journal_size_limit = {LOG_BYTES_MAX}").fetchall()
            return self._writer

    def keep_log_short(self) -> None:
        """After a commit: empty the write-ahead log if a listing, now over, has made it long.

        SQLite's own checkpoints don't give the space back, and say to nobody that they couldn't end.
        """
        now = time.monotonic()
        if self._writer is None or now < self._log_is_kept_until or _size(self._log) <= LOG_BYTES_MAX:
            return
        with suppress(sqlite3.Error):  # the commit stands; what is wrong with the medium the next one says
            if not empty_log(self._writer):
                self._log_is_kept_until = now + LOG_RETRY_SECONDS

    def borrow(self, mode: str = "rw") -> sqlite3.Connection:
        """Return a connection for reading; give it back. One of the mode `ro` leaves the log where it is."""
        try:
            return self._idle.pop()
        except IndexError:
            return self._connect(mode)

    def give_back(self, connection: sqlite3.Connection) -> None:
        """Keep a connection for the next reader; once all are closed there is none."""
        if self._is_closed:
            connection.close()
        else:
            self._idle.append(connection)

    def close(self) -> None:
        """Close all connections, once nobody uses one."""
        self._is_closed = True
        if self._writer is not None:
            self._writer.close()
        while self._idle:
            self._idle.pop().close()

    def tunables(self, durability: Durability) -> dict[str, str]:
        """Return the settings for benchmark results."""
        return {
            "journal_mode": "wal",
            "synchronous": _SYNCHRONOUS[durability].lower(),
            "cache_kib": str(CACHE_KIB),
            "log_bytes_max": str(LOG_BYTES_MAX),
            "sqlite_version": sqlite3.sqlite_version,
        }

    def _connect(self, mode: str) -> sqlite3.Connection:
        how = "mode=ro&immutable=1" if self._immutable else f"mode={mode}"
        connection = sqlite3.connect(
            f"file:{quote(str(self._path.absolute()))}?{how}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=BUSY_TIMEOUT_MS / 1000,
        )
        # JSON text goes to the codec as bytes; decoding it first would cost as much as reading it.
        connection.text_factory = bytes
        try:
            connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        except sqlite3.Error:
            connection.close()
            raise
        return connection


def empty_log(writer: sqlite3.Connection) -> bool:
    """Move all of the write-ahead log into the database and give its space back; False if a listing still reads it."""
    writer.execute("PRAGMA busy_timeout = 0")
    try:
        ((is_busy, _, _),) = writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        writer.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    return not is_busy


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn the driver's errors into StoreUnavailable, or FormatMismatch for a file that is no SQLite database."""
    try:
        yield
    except sqlite3.Error as error:
        raise translation(error, path) from error


def translation(error: sqlite3.Error, path: Path) -> StoreUnavailable:
    """Return the store's error for a driver's."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_NOTADB:
        return FormatMismatch(f"{path} is no SQLite database", hint="choose another path")
    if code == sqlite3.SQLITE_CORRUPT:
        return StoreDamaged(f"SQLite {path}: {error}")
    hint = {
        sqlite3.SQLITE_FULL: "free space on the disk, then try again",
        sqlite3.SQLITE_BUSY: "another program holds a lock on the database; close it",
        sqlite3.SQLITE_CANTOPEN: "is the path right and writable?",
        sqlite3.SQLITE_READONLY: "is the path writable?",
    }.get(code)
    return StoreUnavailable(f"SQLite {path}: {error}", hint=hint)


def is_corruption(error: sqlite3.Error) -> bool:
    """Say whether the error means that a page can't be read back."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


# ---- schema


def open_database(writer: sqlite3.Connection, codec: str, *, is_text: bool, create: bool = True) -> tuple[int, int]:
    """Make the tables in an empty database, or check an existing one; return last position and revision.

    Raises FormatMismatch, and StoreNotFound for an empty database in which none are to be made.
    """
    writer.execute("BEGIN IMMEDIATE" if create else "BEGIN")
    try:
        if writer.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            _check_empty(writer, create=create)
            _make_tables(writer, codec, is_text=is_text)
        numbers = _check(writer, codec)
        writer.execute("COMMIT")
    except BaseException:
        if writer.in_transaction:  # Ctrl-C may come when the commit has just succeeded
            writer.execute("ROLLBACK")
        raise
    return numbers


def _check_empty(writer: sqlite3.Connection, *, create: bool) -> None:
    if writer.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise FormatMismatch("the SQLite file holds tables that aren't ours", hint="choose another path")
    if not create:
        raise StoreNotFound("the SQLite file is empty: no store was ever made in it")


def _make_tables(writer: sqlite3.Connection, codec: str, *, is_text: bool) -> None:
    database = sqlite_utils.Database(writer, execute_plugins=False)
    resources = {
        "position": int,
        "kind": str,
        "id": str,
        "revision": int,
        "index_keys": str,
        "checksum": int,
        "data": str if is_text else bytes,
    }
    database.table("resources").create(resources, pk="position", not_null=set(resources))
    # An index ends with the row number, which is the position: this one lists a kind in order.
    database.table("resources").create_index(["kind"])
    database.table("resources").create_index(["kind", "id"], unique=True)
    # Rows of an index stand in the tree of its key itself: a table beside that tree would be written as well.
    for table, key in (("entries", "kind, index_name, key, position"), ("unique_entries", "kind, index_name, key")):
        writer.execute(
            f"CREATE TABLE {table} (kind TEXT NOT NULL, index_name TEXT NOT NULL, key TEXT NOT NULL, "
            f"position INTEGER NOT NULL, id TEXT NOT NULL, PRIMARY KEY ({key})) WITHOUT ROWID"
        )
    writer.execute(
        "CREATE TABLE counts (kind TEXT NOT NULL, index_name TEXT NOT NULL, key TEXT NOT NULL, "
        "count INTEGER NOT NULL, PRIMARY KEY (kind, index_name, key)) WITHOUT ROWID"
    )
    database.table("state").create({"id": int, "position": int, "revision": int}, pk="id")
    database.table("meta").create({"name": str, "value": str}, pk="name")
    writer.execute("INSERT INTO state (id, position, revision) VALUES (1, 0, 0)")
    writer.executemany(
        "INSERT INTO meta (name, value) VALUES (?, ?)",
        [("product", PRODUCT), ("codec", codec), ("database", secrets.token_hex(8))],
    )
    writer.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    writer.execute(f"PRAGMA user_version = {FORMAT_VERSION}")


def identity_of(connection: sqlite3.Connection) -> bytes:
    """Return the codec and the number that name a database; of one of an earlier release the codec alone."""
    rows = connection.execute("SELECT value FROM meta WHERE name IN ('codec', 'database') ORDER BY name")
    return b" ".join(value for (value,) in rows)


def _check(writer: sqlite3.Connection, codec: str) -> tuple[int, int]:
    version = writer.execute("PRAGMA user_version").fetchone()[0]
    try:
        meta = {name.decode(): value.decode() for name, value in writer.execute("SELECT name, value FROM meta")}
        numbers = writer.execute("SELECT position, revision FROM state WHERE id = 1").fetchone()
    except sqlite3.OperationalError as error:
        meta, numbers = {}, None
        reason = str(error)
    else:
        reason = "a row is missing"
    check_format(meta.get("product", PRODUCT), version, meta.get("codec"), codec, FORMAT_VERSION)
    if numbers is None:
        raise FormatMismatch(f"the database's tables can't be read: {reason}", hint="restore it from a backup")
    return int(numbers[0]), int(numbers[1])
