"""The drivers with nothing around them: one key, one value. What a store costs over them is its overhead.

Each is set as the store sets it (same durability, same caches), so that only the store's own work differs. LevelDB and
SQLite are the drivers themselves; the others are the store's engine class with nothing above it, which adds a call.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

from stores.keyvalue.store import KeyValueStore
from stores.registry import open_store

MIB = 1024 * 1024


class RawDriver(Protocol):
    """One key-value table of a driver."""

    def put(self, key: str, value: bytes) -> None:
        """Write one value, durably or not as it was opened."""
        ...

    def get(self, key: str) -> bytes | None:
        """Read one value."""
        ...

    def close(self) -> None:
        """Close the database."""
        ...


class RawLevelDb:
    """plyvel as the store opens it."""

    def __init__(self, folder: Path, *, durable: bool) -> None:
        """Open a new database."""
        from stores.engines import plyvel_driver as plyvel  # noqa: PLC0415 - its wheels aren't there for every system

        self._sync = durable
        self._db = plyvel.DB(
            str(folder / "raw"),
            create_if_missing=True,
            write_buffer_size=64 * MIB,
            lru_cache_size=256 * MIB,
            bloom_filter_bits=10,
        )

    def put(self, key: str, value: bytes) -> None:
        """See RawDriver."""
        self._db.put(key.encode(), value, sync=self._sync)

    def get(self, key: str) -> bytes | None:
        """See RawDriver."""
        value: bytes | None = self._db.get(key.encode(), verify_checksums=True)
        return value

    def close(self) -> None:
        """See RawDriver."""
        self._db.close()


class RawSqlite:
    """sqlite3 in WAL mode with one rowid table and a unique key."""

    def __init__(self, folder: Path, *, durable: bool) -> None:
        """Open a new database."""
        self._db = sqlite3.connect(folder / "raw.sqlite", isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        self._db.execute(
            "CREATE TABLE resources (position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, data NOT NULL)"
        )

    def put(self, key: str, value: bytes) -> None:
        """See RawDriver."""
        self._db.execute("INSERT INTO resources (id, data) VALUES (?, ?)", (key, value))

    def get(self, key: str) -> bytes | None:
        """See RawDriver."""
        row = self._db.execute("SELECT data FROM resources WHERE id = ?", (key,)).fetchone()
        return row[0] if row else None

    def close(self) -> None:
        """See RawDriver."""
        self._db.close()


class RawEngine:
    """An engine of a key-value store, one row at a time."""

    def __init__(self, folder: Path, *, durable: bool, engine: str) -> None:
        """Open a new database. Raises StoreUnavailable where the driver is missing."""
        mode = "durable" if durable else "relaxed"
        self._store = open_store(f"{engine}:{folder / 'raw'}?durability={mode}", create=True)
        if not isinstance(self._store, KeyValueStore):
            raise TypeError(f"{engine} is no key-value engine")
        self._engine, _, self._sync = self._store.parts

    def put(self, key: str, value: bytes) -> None:
        """See RawDriver."""
        self._engine.write([(key.encode(), value)], sync=self._sync)

    def get(self, key: str) -> bytes | None:
        """See RawDriver."""
        return self._engine.get(key.encode())

    def close(self) -> None:
        """See RawDriver."""
        self._store.close()


RAW_DRIVERS: dict[str, Callable[..., RawDriver]] = {
    "leveldb": RawLevelDb,
    "sqlite": RawSqlite,
    **{engine: partial(RawEngine, engine=engine) for engine in ("lmdb", "rocksdb", "badger")},
}
