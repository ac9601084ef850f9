"""The contract over a PostgreSQL database that other processes may write at the same time.

Tables (`tables.sql`): `resources` holds the messages, `entries` and `unique_entries` the indexes, `counts` how many
entries an index key has, `state` the last numbers given out, `writes` what became of each write. All stand in one
PostgreSQL schema, so that a database can hold several stores, and other tables.

Positions are handed out in commit order: whoever commits first locks the row of `state`, so the write that is given a
position is also the next to become visible. See docs/adr/0019-positions-in-commit-order.md.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from stores.codecs import Codec
from stores.contract import (
    Access,
    Batch,
    Capabilities,
    Durability,
    SizeOnDisk,
    StoreError,
    StoreReadOnly,
)
from stores.gate import Gate
from stores.postgresql.address import Address
from stores.postgresql.connections import CONNECTIONS_MAX, Connections
from stores.postgresql.leading import Leading
from stores.postgresql.listening import Listening
from stores.postgresql.opening import open_tables
from stores.postgresql.reads import PostgresqlReads
from stores.postgresql.scan import PostgresqlScan
from stores.postgresql.writer import Lately, Writer
from stores.schema import KINDS, Schema

_SIZE = (
    "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class AS c "
    "JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = current_schema() AND c.relkind = 'r'"
)
_INDEX_SIZE = _SIZE.replace("pg_total_relation_size", "pg_indexes_size")
_LOG = "SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint"
_COMPACTING_SECONDS = 3600.0


class PostgresqlStore(PostgresqlReads):
    """A store in the tables of one PostgreSQL schema."""

    def __init__(
        self,
        address: Address,
        codec: Codec,
        durability: Durability,
        schema: Schema = KINDS,
        access: Access = Access.CREATE,
    ) -> None:
        """Connect, and check or make the tables. Raises StoreNotFound, FormatMismatch, StoreUnavailable."""
        self._address = address
        self._codec = codec
        self._schema = schema
        self._access = access
        self._lock = threading.Lock()
        self._gate = Gate(f"the PostgreSQL store {address.shown}")
        self._scans: weakref.WeakSet[PostgresqlScan] = weakref.WeakSet()
        self._lately: Lately = {}
        self._connections = Connections(address)
        with ExitStack() as opened:
            opened.callback(self._connections.close)
            with self._connections.borrowed() as connection:
                open_tables(connection, address, codec.name, access)
                version = connection.info.server_version
            opened.pop_all()
        self._writer = Writer(self._connections, schema, codec, self._lately)
        self._listenings: list[Listening] = []
        self._leading = Leading(self._connections)
        self.capabilities = Capabilities(
            engine="postgresql",
            codec=codec.name,
            durability=durability,
            keeps_unknown_fields=codec.keeps_unknown_fields,
            exclusive=False,
            compactable=False,
            shared_writers=True,
            tunables={
                "synchronous_commit": "on" if durability is Durability.DURABLE else "off",
                "connections_max": str(CONNECTIONS_MAX),
                "server_version": str(version),
            },
        )

    def commit(self, batch: Batch) -> int:
        """See `Store`."""
        (outcome,) = self.commit_many((batch,))
        if isinstance(outcome, StoreError):
            raise outcome
        return outcome

    def commit_many(self, batches: Sequence[Batch]) -> list[int | StoreError]:
        """See `Store`. One call of the database, and one that reads before it where resources change unread."""
        self._gate.enter()
        try:
            if self._access is Access.READ:
                raise StoreReadOnly
            with self._lock:
                return self._writer.commit_many(batches)
        finally:
            self._gate.leave()

    def listen(self, on_change: Callable[[], None], on_away: Callable[[str], None]) -> Callable[[], None]:
        """See `SharedWriters`."""
        listening = Listening(self._connections, on_change, on_away)
        self._listenings.append(listening)
        return listening.close

    def try_lead(self) -> bool:
        """See `SharedWriters`."""
        self._gate.enter()
        try:
            return self._leading.try_lead()
        finally:
            self._gate.leave()

    def recover(self) -> None:
        """See `Recovers`: the database is asked whether it takes writes."""
        self._gate.enter()
        try:
            if self._access is Access.READ:
                raise StoreReadOnly
            self._connections.close()  # those that wait there may be as dead as the one that failed
            with self._connections.borrowed() as connection:
                connection.execute("UPDATE state SET revision = revision + 1")
        finally:
            self._gate.leave()

    def size_on_disk(self) -> SizeOnDisk:
        """See `Store`: tables and indexes, as the database counts them."""
        row = self._row(_SIZE, ())
        size = 0 if row is None else int(row[0])
        return SizeOnDisk(size, size)

    def index_bytes(self) -> int:
        """Return what of its size is indexes."""
        row = self._row(_INDEX_SIZE, ())
        return 0 if row is None else int(row[0])

    def log_position(self) -> int:
        """Return how many bytes of log the whole database server has ever written."""
        row = self._row(_LOG, ())
        return 0 if row is None else int(row[0])

    def compact(self) -> None:
        """See `Store`: let the database use the space of removed rows again (it does so by itself as well)."""
        self._gate.enter()
        try:
            if self._access is Access.READ:
                raise StoreReadOnly
            with self._connections.borrowed() as connection:
                connection.execute("SET statement_timeout = 0")
                try:
                    connection.wait_seconds_max = _COMPACTING_SECONDS
                    connection.execute("VACUUM (ANALYZE) resources, entries, unique_entries, counts, state, writes")
                finally:
                    connection.close()
        finally:
            self._gate.leave()

    def close(self) -> None:
        """See `Store`. Listings under way end with StoreClosed."""
        if self._gate.close():
            for listening in self._listenings:
                listening.close()
            self._leading.close()
            for scan in list(self._scans):
                scan.close()
            self._connections.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
