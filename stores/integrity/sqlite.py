"""What a database in SQLite tables holds: every row is read, and put into the words of `contents.py`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from stores.codecs import Codec, Undecodable
from stores.contract import IndexKey
from stores.format import checksum_of
from stores.integrity.contents import Count, Entry, Resource, Unreadable
from stores.integrity.findings import Finding
from stores.keyvalue.layout import State
from stores.schema import Kind, Schema
from stores.sqlite.connections import is_corruption
from stores.sqlite.rows import key_text, read_key_list

Row = tuple[Any, ...]
_TABLES = ("resources", "entries", "unique_entries", "counts")
_RESOURCES = "SELECT position, id, revision, index_keys, checksum, data FROM resources NOT INDEXED WHERE kind = ?"
_ENTRIES = "SELECT index_name, key, position, id FROM {} WHERE kind = ?"
_COUNTS = "SELECT index_name, key, count FROM counts WHERE kind = ? AND index_name != ''"
_KIND_COUNTS = "SELECT kind, count FROM counts WHERE index_name = ''"


class SqliteContents:
    """See `Contents`. Everything is read in one transaction of a connection that nobody else uses meanwhile."""

    keeps_order = False

    def __init__(self, connection: sqlite3.Connection, codec: Codec, schema: Schema) -> None:
        """Read from a connection whose texts are bytes."""
        self.schema = schema
        self._connection = connection
        self._codec = codec

    def pack(self, key: IndexKey) -> bytes:
        """See `Contents`."""
        return key_text(key).encode()

    def state(self) -> State:
        """See `Contents`."""
        numbers = self._connection.execute("SELECT position, revision FROM state WHERE id = 1").fetchone()
        counts = {kind.decode(): int(count) for kind, count in self._connection.execute(_KIND_COUNTS)}
        return State(int(numbers[0]), int(numbers[1]), counts)

    def whole(self) -> Iterator[Finding]:
        """See `Contents`. SQLite looks at every page, and compares its own indexes with the tables."""
        for (problem,) in self._connection.execute("PRAGMA integrity_check"):
            text = problem.decode(errors="replace")
            if text != "ok":
                yield Finding("tree-index" if "index" in text else "area-unreadable", "", "", f"SQLite: {text}")
        marks = ", ".join("?" * len(self.schema))
        for table in _TABLES:
            query = f"SELECT DISTINCT kind FROM {table} WHERE kind NOT IN ({marks})"  # noqa: S608 - names of our own
            for row in self._rows("", query, tuple(self.schema)):
                kind = row if isinstance(row, Finding) else _text(row[0])
                yield kind if isinstance(kind, Finding) else Finding("row-unknown", kind, "", f"table {table}")

    def _rows(self, kind: str, query: str, values: tuple[object, ...]) -> Iterator[Row | Finding]:
        """Yield the rows of a query; in the end a finding, if SQLite can't read on."""
        number = 0
        try:
            with closing(self._connection.execute(query, values)) as rows:
                for row in rows:
                    number += 1
                    yield row
        except sqlite3.Error as error:
            if not is_corruption(error):
                raise
            table = query.partition(" FROM ")[2].partition(" ")[0]
            yield Finding("area-unreadable", kind, "", f"table {table}, behind {number} rows: {error}")

    def resources(self, kind: str) -> Iterator[Resource | Unreadable | Finding]:
        """See `Contents`."""
        for row in self._rows(kind, _RESOURCES, (kind,)):
            if isinstance(row, Finding):
                yield row
                continue
            try:
                yield self._resource(self.schema[kind], row)
            except (ValueError, TypeError, AttributeError, Undecodable) as error:
                yield Unreadable(_text(row[1]), str(error))

    def _resource(self, kind: Kind, row: Row) -> Resource:
        position, id_, revision, index_keys, checksum, data = row
        if checksum_of(data) != checksum:
            raise Undecodable("its checksum doesn't match")
        message = self._codec.message(kind.message_type, data)
        return Resource(id_.decode(), int(position), int(revision), read_key_list(index_keys), message)

    def entries(self, kind: str) -> Iterator[Entry | Finding]:
        """See `Contents`."""
        for table in ("entries", "unique_entries"):
            for row in self._rows(kind, _ENTRIES.format(table), (kind,)):
                if isinstance(row, Finding):
                    yield row
                    continue
                index, key, position, id_ = row
                try:
                    yield Entry(index.decode(), bytes(key), int(position), id_.decode())
                except (ValueError, TypeError, AttributeError) as error:
                    yield Finding("row-unreadable", kind, _text(id_), f"table {table}: {error}")

    def counted(self, kind: str) -> frozenset[str]:
        """See `Contents`: those that the schema says."""
        return self.schema[kind].counted

    def counts(self, kind: str) -> Iterator[Count | Finding]:
        """See `Contents`."""
        for row in self._rows(kind, _COUNTS, (kind,)):
            if isinstance(row, Finding):
                yield row
                continue
            index, key, number = row
            try:
                yield Count(index.decode(), bytes(key), int(number))
            except (ValueError, TypeError, AttributeError) as error:
                yield Finding("row-unreadable", kind, "", f"table counts: {error}")

    def order(self, kind: str) -> Iterator[tuple[int, str] | Finding]:  # noqa: ARG002 - a row's number is its position
        """See `Contents`."""
        return iter(())


def _text(value: object) -> str:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)
