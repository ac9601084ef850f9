"""Scans of an SQLite store."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from stores.contract import CorruptIndex, Record
from stores.gate import Gate
from stores.sqlite.connections import Connections, is_corruption, translation

RecordOf = Callable[[str, tuple[Any, ...]], Record]
"""Makes a Record of a kind and a row (id, position, revision, checksum, data). Raises CorruptRecord."""


class SqliteScan:
    """A scan under way: one statement that holds its state of the database until the end or `close`."""

    def __init__(
        self,
        path: Path,
        record_of: RecordOf,
        kind: str,
        connections: Connections,
        gate: Gate,
        statement: str,
        values: tuple[object, ...],
    ) -> None:
        self._path = path
        self._record_of = record_of
        self._kind = kind
        self._connections = connections
        self._gate = gate
        self._connection: sqlite3.Connection | None = connections.borrow()
        self._rows = self._connection.cursor()
        # sqlite3 takes the first step here, which fixes the state that is read.
        self._rows.execute(statement, values)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Record:
        self._gate.enter()
        try:
            row = self._next_row()
            if row is None:
                self.close()
                raise StopIteration
            return self._record_of(self._kind, row)
        finally:
            self._gate.leave()

    def _next_row(self) -> tuple[Any, ...] | None:
        if self._connection is None:
            return None
        try:
            row: tuple[Any, ...] | None = self._rows.fetchone()
        except sqlite3.Error as error:
            if is_corruption(error):
                raise CorruptIndex(self._kind, f"a page of the listing can't be read: {error}") from error
            raise translation(error, self._path) from error
        return row

    def close(self) -> None:
        """Give the connection back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._rows.close()
            self._connections.give_back(connection)

    def __del__(self) -> None:
        self.close()
