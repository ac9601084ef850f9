"""The reads of a SQLite store: on connections of their own, beside the one that writes."""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stores.contract import CorruptIndex, CorruptRecord, IndexKey, Record
from stores.rules import bounded
from stores.sqlite.connections import Connections, is_corruption, translated, translation
from stores.sqlite.rows import key_text
from stores.sqlite.scan import SqliteScan
from stores.table_reads import TableReads

ENTRIES = "SELECT position, id FROM {} WHERE kind = ? AND index_name = ? AND key = ? ORDER BY position"
_RESOURCE = "SELECT position, revision, checksum, data FROM resources WHERE kind = ? AND id = ?"
_COUNT = "SELECT count FROM counts WHERE kind = ? AND index_name = ? AND key = ?"
_COUNT_ENTRIES = "SELECT count(*) FROM entries WHERE kind = ? AND index_name = ? AND key = ?"
_SCAN = (
    "SELECT id, position, revision, checksum, data FROM resources WHERE kind = ? AND position > ? "
    "ORDER BY position LIMIT ?"
)
# The left side of a LEFT JOIN is read first, and few of its rows are many resources' entries; an entry whose resource
# is gone shows as one without a revision.
_SCAN_INDEX = (
    "SELECT e.id, e.position, r.revision, r.checksum, r.data FROM {} AS e LEFT JOIN resources AS r USING (position) "
    "WHERE e.kind = ? AND e.index_name = ? AND e.key = ? AND e.position > ? ORDER BY e.position LIMIT ?"
)


class SqliteReads(TableReads):
    """What a store reads. `SqliteStore` sets its attributes when it opens the database."""

    path: Path
    _connections: Connections
    _scans: weakref.WeakSet[SqliteScan]
    _position: int

    def _row(self, statement: str, values: tuple[object, ...]) -> tuple[Any, ...] | None:
        """Return the first row of a statement. Raises StoreClosed, StoreUnavailable."""
        self._gate.enter()
        try:
            connection = self._connections.borrow()
            try:
                row: tuple[Any, ...] | None = connection.execute(statement, values).fetchone()
                return row
            finally:
                self._connections.give_back(connection)
        except sqlite3.Error as error:
            if is_corruption(error):
                raise
            raise translation(error, self.path) from error
        finally:
            self._gate.leave()

    def _select(self, kind: str, id: str) -> tuple[Any, ...] | None:  # noqa: A002
        try:
            return self._row(_RESOURCE, (kind, id))
        except sqlite3.Error as error:
            raise CorruptRecord(kind, id, str(error)) from error

    def get_record(self, kind: str, id: str) -> Record | None:  # noqa: A002
        """See `Store`."""
        row = self._resource(kind, id)
        return None if row is None else Record(kind, id, row[0], row[1], self.wire(kind, id, row[3]))

    def _record_of(self, kind: str, row: tuple[Any, ...]) -> Record:
        """Make a Record of a row (id, position, revision, checksum, data). Raises CorruptRecord."""
        id_ = row[0].decode()
        if row[2] is None:
            raise CorruptRecord(kind, id_, "an index names it, but it is gone")
        self.check(kind, id_, row[3], row[4])
        return Record(kind, id_, row[1], row[2], self.wire(kind, id_, row[4]))

    def _index_row(self, kind: str, statement: str, index: str, text: str) -> tuple[Any, ...] | None:
        """Return the first row of a statement about an index key. Raises CorruptIndex."""
        try:
            return self._row(statement, (kind, index, text))
        except sqlite3.Error as error:
            raise CorruptIndex(kind, str(error)) from error

    def find(self, kind: str, index: str, key: IndexKey) -> str | None:
        """See `Store`."""
        self._check_index(kind, index, key)
        row = self._index_row(kind, ENTRIES.format(self._table(kind, index)) + " LIMIT 1", index, key_text(key))
        return None if row is None else str(row[1].decode())

    def count(self, kind: str, *, index: str | None = None, key: IndexKey | None = None) -> int:
        """See `Store`. One row of `counts`, or the unique entry itself, or the entries of an index without count."""
        self._check_scan(kind, index, key)
        if index is not None and key is not None and index in self._schema[kind].unique:
            return int(self.find(kind, index, key) is not None)
        statement = _COUNT if index is None or index in self._schema[kind].counted else _COUNT_ENTRIES
        row = self._index_row(kind, statement, index or "", key_text(key) if key is not None else "")
        return 0 if row is None else int(row[0])

    def scan(
        self,
        kind: str,
        *,
        index: str | None = None,
        key: IndexKey | None = None,
        after: int = 0,
        limit: int | None = None,
    ) -> Iterator[Record]:
        """See `Store`."""
        self._check_scan(kind, index, key)
        after, limit = bounded(after, limit)
        most = -1 if limit is None else limit
        if index is None or key is None:
            statement, values = _SCAN, (kind, after, most)
        else:
            statement = _SCAN_INDEX.format(self._table(kind, index))
            values = (kind, index, key_text(key), after, most)  # type: ignore[assignment] # parameters of the other query
        self._gate.enter()
        try:
            with translated(self.path):
                scan = SqliteScan(self.path, self._record_of, kind, self._connections, self._gate, statement, values)
            self._scans.add(scan)
            return scan
        finally:
            self._gate.leave()

    def last_position(self) -> int:
        """See `Store`."""
        self._gate.enter()
        self._gate.leave()
        return self._position
