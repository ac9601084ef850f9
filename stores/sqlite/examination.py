"""Whether an SQLite database is whole, asked before a connection may write to it.

A connection that writes moves the log into the database when it ends, also after a refusal; so this looks through one
that only reads. A database that was closed is trusted but for its length, its format and the high-water mark: to read
all of it would cost more the larger it is. One that wasn't closed is read by SQLite's `quick_check`.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from stores.codecs import Codec
from stores.contract import Durability, StoreDamaged
from stores.high_water import HighWater, HighWaterMark
from stores.sqlite.connections import Connections, identity_of, open_database, translated
from stores.sqlite.files import JOURNAL, SHARED_MEMORY, WAL, beside, waiting_logs
from stores.sqlite.wal import check_wal

_PAGE_BYTES_AT, _CHANGED_AT, _PAGES_AT, _VALID_FOR_AT = 16, 24, 28, 92
"""Places in the header: https://www.sqlite.org/fileformat.html#the_database_header"""
_HEADER_BYTES = 100
COUNT = "SELECT coalesce(sum(count), 0) FROM counts WHERE index_name = ''"


def examine(path: Path, codec: Codec, durability: Durability, mark: HighWaterMark) -> None:
    """Compare what a database holds with itself and with its mark.

    Raises StoreDamaged, FormatMismatch, StoreUnavailable, and StoreNotFound for a file without tables.
    """
    logs = waiting_logs(path)
    if beside(path, JOURNAL) in logs:
        return  # its very first open was interrupted; opening it for writing rolls that back
    if not logs:
        _check_length(path)
    elif durability is Durability.DURABLE:
        check_wal(beside(path, WAL))
    with _no_map_left(path), translated(path), closing(Connections(path, immutable=not logs)) as connections:
        reader = connections.borrow("ro")
        connections.give_back(reader)
        if logs:
            _quick_check(path, reader)
        position, revision = open_database(reader, codec.name, is_text=codec.is_text, create=False)
        mark.check_identity(identity_of(reader))
        mark.check(HighWater(position, revision, reader.execute(COUNT).fetchone()[0]))


def _check_length(path: Path) -> None:
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if len(header) < _HEADER_BYTES:
        raise StoreDamaged(f"the SQLite database {path} is cut: it has {len(header)} bytes")
    (page_bytes,) = struct.unpack_from(">H", header, _PAGE_BYTES_AT)
    changed, pages = struct.unpack_from(">II", header, _CHANGED_AT)
    (valid_for,) = struct.unpack_from(">I", header, _VALID_FOR_AT)
    size, due = path.stat().st_size, pages * (65536 if page_bytes == 1 else page_bytes)
    if changed == valid_for and size < due:
        raise StoreDamaged(f"the SQLite database {path} is cut: it has {size} bytes of {due}")


def _quick_check(path: Path, reader: sqlite3.Connection) -> None:
    found = [row[0].decode(errors="replace") for row in reader.execute("PRAGMA quick_check(3)")]
    if found != ["ok"]:
        raise StoreDamaged(f"the SQLite database {path} wasn't closed, and is damaged: {'; '.join(found)}")


@contextmanager
def _no_map_left(path: Path) -> Iterator[None]:
    """Remove the map of the log that SQLite makes, also to read, where the database is refused."""
    shared_memory = beside(path, SHARED_MEMORY)
    there = shared_memory.exists()
    try:
        yield
    except BaseException:
        if not there:
            shared_memory.unlink(missing_ok=True)
        raise
