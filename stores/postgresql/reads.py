"""The reads of a PostgreSQL store: one statement each, which sees what was committed before it began."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from typing import Any

from stores.contract import CorruptRecord, IndexKey, Record
from stores.postgresql.arrays import Blobs, Texts
from stores.postgresql.connections import Connections
from stores.postgresql.holdings import held_of
from stores.postgresql.names import id_of, key_bytes, name_of
from stores.postgresql.scan import PostgresqlScan
from stores.postgresql.writer import Lately
from stores.rules import bounded
from stores.table_reads import TableReads

LATELY_MAX = 1024
"""So many resources that were read lately are known by position, revision and keys, for the write that follows."""
_RESOURCE = "SELECT position, revision, checksum, data, index_keys FROM resources WHERE kind = %s AND name = %b"
_FIND = (
    "SELECT e.position, r.name, r.long_id FROM {} AS e LEFT JOIN resources AS r ON r.position = e.position "
    "WHERE e.kind = %s AND e.index_name = %s AND e.key = %b ORDER BY e.position LIMIT 1"
)
_COUNT = "SELECT number FROM counts WHERE kind = %s AND index_name = %s AND key = %b"
_COUNT_ENTRIES = "SELECT count(*) FROM entries WHERE kind = %s AND index_name = %s AND key = %b"
_SCAN = (
    "SELECT name, long_id, position, revision, checksum, data FROM resources "
    "WHERE kind = %s AND position > %s ORDER BY position"
)
_SCAN_INDEX = (
    "SELECT r.name, r.long_id, e.position, r.revision, r.checksum, r.data FROM {} AS e "
    "LEFT JOIN resources AS r ON r.position = e.position "
    "WHERE e.kind = %s AND e.index_name = %s AND e.key = %b AND e.position > %s ORDER BY e.position"
)
TOGETHER_MAX = 64
"""Resources under one key that are read together with those under others."""
_TOGETHER = """
SELECT asked.n, r.name, r.long_id, held.position, r.revision, r.checksum, r.data
  FROM unnest((SELECT %b::text[]), (SELECT %b::bytea[])) WITH ORDINALITY AS asked (index_name, key, n)
  CROSS JOIN LATERAL (
    SELECT position FROM (
      SELECT position FROM entries AS e
        WHERE e.kind = %s AND e.index_name = asked.index_name AND e.key = asked.key
      UNION ALL SELECT position FROM unique_entries AS u
        WHERE u.kind = %s AND u.index_name = asked.index_name AND u.key = asked.key
    ) AS both_tables ORDER BY position LIMIT %s
  ) AS held
  LEFT JOIN resources AS r ON r.position = held.position
  ORDER BY asked.n, held.position
"""
"""The arrays stand in sub-selects so that no plan depends on their length: it is then made once, not for each call."""


class PostgresqlReads(TableReads):
    """What a store reads. `PostgresqlStore` sets its attributes when it opens the database."""

    _connections: Connections
    _scans: weakref.WeakSet[PostgresqlScan]
    _lately: Lately

    def _row(self, statement: str, values: tuple[object, ...]) -> tuple[Any, ...] | None:
        """Return the first row of a statement. Raises StoreClosed, StoreUnavailable."""
        self._gate.enter()
        try:
            return self._connections.row(statement, values)
        finally:
            self._gate.leave()

    def _select(self, kind: str, id: str) -> tuple[Any, ...] | None:  # noqa: A002
        return self._row(_RESOURCE, (kind, name_of(id)))

    def get_record(self, kind: str, id: str) -> Record | None:  # noqa: A002
        """See `Store`. Whoever wants to know the revision is likely to write the resource next."""
        row = self._resource(kind, id)
        if row is None:
            return None
        self._lately[kind, id] = held_of(kind, id, row[0], row[1], row[4])
        while len(self._lately) > LATELY_MAX:
            self._lately.pop(next(iter(self._lately), (kind, id)), None)
        return Record(kind, id, row[0], row[1], self.wire(kind, id, row[3]))

    def _record_of(self, kind: str, row: tuple[Any, ...]) -> Record:
        """Make a Record of a row of a listing. Raises CorruptRecord."""
        name, long_id, position, revision, checksum, stored = row
        if name is None:
            raise CorruptRecord(kind, f"at position {position}", "an index names it, but it is gone")
        id_ = id_of(name, long_id)
        self.check(kind, id_, checksum, stored)
        return Record(kind, id_, position, revision, self.wire(kind, id_, stored))

    def find(self, kind: str, index: str, key: IndexKey) -> str | None:
        """See `Store`."""
        self._check_index(kind, index, key)
        row = self._row(_FIND.format(self._table(kind, index)), (kind, index, key_bytes(key)))
        if row is not None and row[1] is None:
            raise CorruptRecord(kind, f"at position {row[0]}", f"the index {index!r} names it, but it is gone")
        return None if row is None else id_of(row[1], row[2])

    def count(self, kind: str, *, index: str | None = None, key: IndexKey | None = None) -> int:
        """See `Store`. One row of `counts`, or the unique entry itself, or the entries of an index without count."""
        self._check_scan(kind, index, key)
        if index is not None and key is not None and index in self._schema[kind].unique:
            return int(self.find(kind, index, key) is not None)
        statement = _COUNT if index is None or index in self._schema[kind].counted else _COUNT_ENTRIES
        row = self._row(statement, (kind, index or "", key_bytes(key) if key is not None else b""))
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
        if index is None or key is None:
            statement, values = _SCAN, (kind, after)
        else:
            statement = _SCAN_INDEX.format(self._table(kind, index))
            values = (kind, index, key_bytes(key), after)  # type: ignore[assignment] # parameters of the other query
        self._gate.enter()
        try:
            scan = PostgresqlScan(self._record_of, kind, self._connections, self._gate, statement, values, limit)
            self._scans.add(scan)
            return scan
        finally:
            self._gate.leave()

    def read_together(
        self, kind: str, keys: Sequence[tuple[str, IndexKey]]
    ) -> dict[tuple[str, IndexKey], list[Record]]:
        """See `ReadsTogether`."""
        for index, key in keys:
            self._check_index(kind, index, key)
        self._gate.enter()
        try:
            asked = (Texts(index for index, _ in keys), Blobs(key_bytes(key) for _, key in keys))
            rows = self._connections.rows(_TOGETHER, (*asked, kind, kind, TOGETHER_MAX + 1))
        finally:
            self._gate.leave()
        found: dict[tuple[str, IndexKey], list[Record]] = {each: [] for each in keys}
        for number, *row in rows:
            found[keys[number - 1]].append(self._record_of(kind, tuple(row)))
        return {each: records for each, records in found.items() if len(records) <= TOGETHER_MAX}

    def last_position(self) -> int:
        """See `Store`."""
        row = self._row("SELECT position FROM state", ())
        return 0 if row is None else int(row[0])
