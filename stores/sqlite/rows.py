"""From a plan's changes to the rows that SQLite writes for them, table by table."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

import orjson

from stores.contract import IndexKey, Keys
from stores.format import checksum_of
from stores.planning import Change

_INSERT_RESOURCE = (
    "INSERT INTO resources (position, kind, id, revision, index_keys, checksum, data) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_UPDATE_RESOURCE = "UPDATE resources SET revision = ?, index_keys = ?, checksum = ?, data = ? WHERE position = ?"
_ADD_COUNT = (
    "INSERT INTO counts (kind, index_name, key, count) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (kind, index_name, key) DO UPDATE SET count = count + excluded.count"
)


class SqliteRows:
    """Collects the row changes of one transaction; `execute` writes removals before additions.

    A unique key can pass from one resource to another within a transaction, hence that order.
    """

    def __init__(self, *, is_text: bool) -> None:
        self._is_text = is_text
        self._removed: list[tuple[int]] = []
        self._created: list[tuple[object, ...]] = []
        self._updated: list[tuple[object, ...]] = []
        self._entries_lost: list[tuple[object, ...]] = []
        self._entries_new: list[tuple[object, ...]] = []
        self._unique_lost: list[tuple[object, ...]] = []
        self._unique_new: list[tuple[object, ...]] = []
        self._counts: dict[tuple[str, str, str], int] = {}

    def add(self, change: Change) -> None:
        """Enter one resource's change."""
        before, after = change.before, change.after
        if before and not change.stays:
            self._removed.append((before.position,))
            self._count(change.kind.name, "", "", -1)
        if after:
            columns = (after.revision, key_list_text(after.keys), checksum_of(change.stored), self._data(change))
            if change.stays:
                self._updated.append((*columns, after.position))
            else:
                self._created.append((after.position, change.kind.name, change.id, *columns))
                self._count(change.kind.name, "", "", 1)
        lost, gained = change.index_changes()
        if before:
            self._unindex(change, before.position, lost)
        if after:
            self._index(change, after.position, gained)

    def add_derived(self, change: Change) -> None:
        """Enter what is derived from a resource that stands in its table: index entries and counts."""
        if change.after:
            self._count(change.kind.name, "", "", 1)
            self._index(change, change.after.position, change.after.keys)

    def execute(self, writer: sqlite3.Connection, position: int, revision: int) -> None:
        """Write everything, and the last numbers given out."""
        for statement, rows in (
            ("DELETE FROM resources WHERE position = ?", self._removed),
            ("DELETE FROM unique_entries WHERE kind = ? AND index_name = ? AND key = ?", self._unique_lost),
            ("DELETE FROM entries WHERE kind = ? AND index_name = ? AND key = ? AND position = ?", self._entries_lost),
            (_INSERT_RESOURCE, self._created),
            (_UPDATE_RESOURCE, self._updated),
            (
                "INSERT INTO unique_entries (kind, index_name, key, position, id) VALUES (?, ?, ?, ?, ?)",
                self._unique_new,
            ),
            ("INSERT INTO entries (kind, index_name, key, position, id) VALUES (?, ?, ?, ?, ?)", self._entries_new),
            (_ADD_COUNT, [(*name, delta) for name, delta in self._counts.items() if delta]),
            ("DELETE FROM counts WHERE kind = ? AND index_name = ? AND key = ? AND count = 0", self._counts_falling()),
        ):
            if rows:
                writer.executemany(statement, rows)
        writer.execute("UPDATE state SET position = ?, revision = ? WHERE id = 1", (position, revision))

    def _data(self, change: Change) -> bytes | str:
        return change.stored.decode() if self._is_text else change.stored

    def _index(self, change: Change, position: int, gained: Keys) -> None:
        kind = change.kind.name
        for index, key in gained:
            text = key_text(key)
            if index in change.kind.unique:
                self._unique_new.append((kind, index, text, position, change.id))
            else:
                self._entries_new.append((kind, index, text, position, change.id))
                if index in change.kind.counted:
                    self._count(kind, index, text, 1)

    def _unindex(self, change: Change, position: int, lost: Keys) -> None:
        kind = change.kind.name
        for index, key in lost:
            text = key_text(key)
            if index in change.kind.unique:
                self._unique_lost.append((kind, index, text))
            else:
                self._entries_lost.append((kind, index, text, position))
                if index in change.kind.counted:
                    self._count(kind, index, text, -1)

    def _count(self, kind: str, index: str, text: str, delta: int) -> None:
        name = (kind, index, text)
        self._counts[name] = self._counts.get(name, 0) + delta

    def _counts_falling(self) -> list[tuple[str, str, str]]:
        return [name for name, delta in self._counts.items() if delta < 0]


def key_text(key: IndexKey) -> str:
    """Return an index key as the JSON array that the tables hold."""
    return orjson.dumps(key).decode()


def key_list_text(keys: Keys) -> str:
    """Return a resource's index keys as the JSON that the tables hold."""
    return orjson.dumps(keys).decode()


def read_key_list(raw: bytes) -> Keys:
    """Return a resource's index keys. Raises ValueError, TypeError."""
    pairs: Iterable[tuple[str, list[str]]] = orjson.loads(raw)
    return tuple((index, tuple(key)) for index, key in pairs)
