"""Listings of a PostgreSQL store.

Nearly all are short: one statement reads a page, and if that was all, it is the whole listing. A longer one is read
through a cursor in a transaction that keeps its state of the database, and a connection, until its end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Self

import psycopg

from stores.contract import Record
from stores.gate import Gate
from stores.postgresql.connections import Connections, Session

PAGE_ROWS = 256
PAGE_BYTES = 4 * 1024 * 1024
"""Messages of one page, but for one that is larger by itself."""
_CURSOR_ROWS = 16
"""Rows that a cursor gives at once: messages have 10 MiB at most."""
_PAGE = (
    "SELECT name, long_id, position, revision, checksum, data, listed FROM (SELECT *, count(*) OVER () AS listed, "
    "sum(octet_length(data)) OVER (ORDER BY position) - octet_length(data) AS bytes_before "
    "FROM ({} LIMIT %s) AS rows) AS page WHERE coalesce(bytes_before, 0) < %s ORDER BY position"
)
RecordOf = Callable[[str, tuple[Any, ...]], Record]
"""Makes a Record of a kind and a row of a listing. Raises CorruptRecord."""


class PostgresqlScan:
    """A listing under way."""

    def __init__(
        self,
        record_of: RecordOf,
        kind: str,
        connections: Connections,
        gate: Gate,
        statement: str,
        values: tuple[object, ...],
        limit: int | None,
    ) -> None:
        self._connection: Session | None = None
        self._record_of = record_of
        self._kind = kind
        self._connections = connections
        self._gate = gate
        most = PAGE_ROWS + 1 if limit is None else min(limit, PAGE_ROWS + 1)
        rows = connections.rows(_page(statement), (*values, most, PAGE_BYTES)) if most else []
        self._rows: deque[tuple[Any, ...]] = deque(rows)
        is_cut = bool(rows) and (rows[-1][-1] != len(rows) or (len(rows) > PAGE_ROWS and limit != len(rows)))
        if is_cut:
            self._begin(statement, values, limit)

    def _begin(self, statement: str, values: tuple[object, ...], limit: int | None) -> None:
        """Begin anew through a cursor, in one state of the database."""
        with self._connections.translated():
            connection = self._connections.take()
            try:
                connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                self._cursor = psycopg.ServerCursor(connection, "listing")
                self._cursor.itersize = _CURSOR_ROWS
                self._cursor.execute(f"{statement} LIMIT %s", (*values, limit), binary=True)
                self._rows = deque(self._cursor.fetchmany(_CURSOR_ROWS))
            except BaseException:
                self._connections.give_back(connection)
                raise
            self._connection = connection

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Record:
        self._gate.enter()
        try:
            if not self._rows and self._connection is not None:
                with self._connections.translated():
                    self._rows.extend(self._cursor.fetchmany(_CURSOR_ROWS))
            if not self._rows:
                self.close()
                raise StopIteration
            return self._record_of(self._kind, self._rows.popleft()[:6])
        finally:
            self._gate.leave()

    def close(self) -> None:
        """Give the connection back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                self._cursor.close()
                connection.rollback()
            except psycopg.Error:
                connection.close()
            self._connections.give_back(connection)

    def __del__(self) -> None:
        self.close()


def _page(statement: str) -> str:
    """Return the statement of the first page: its rows up to so many bytes, each with how many rows there were."""
    return _PAGE.format(statement)
