"""A Store in SQLite tables, which any SQLite tool opens: with a JSON codec the messages are readable text.

The tables are made with sqlite-utils; commits and reads go through sqlite3 with statements that stay prepared.

- `resources`: one row for each resource; its row number is its position.
- `entries` and `unique_entries`: the indexes. `key` is a JSON array of strings.
- `counts`: how many entries an index key has; with an empty index name, how many resources a kind has.
- `state`: last position and revision given out. `meta`: the codec. `PRAGMA user_version`: the format.
"""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from stores.codecs import Codec
from stores.contract import (
    Access,
    Batch,
    Capabilities,
    CorruptRecord,
    Durability,
    IndexKey,
    SizeOnDisk,
    StoreError,
    StoreNotFound,
    StoreReadOnly,
    StoreUnavailable,
)
from stores.files import FileLock, check_space, size_of
from stores.gate import Gate
from stores.high_water import FILE_MARK, HighWater, HighWaterMark
from stores.planning import Holdings, Plan, attempt
from stores.rules import Held
from stores.schema import KINDS, Schema
from stores.shadow import told_of
from stores.sqlite.connections import (
    Connections,
    empty_log,
    identity_of,
    open_database,
    translated,
)
from stores.sqlite.examination import COUNT, examine
from stores.sqlite.files import LOCK, SHARED_MEMORY, WAL, beside, check_file, readable
from stores.sqlite.optimistic_insert import AssumedAbsent, Conflicts, only_creates
from stores.sqlite.reads import ENTRIES, SqliteReads
from stores.sqlite.rows import SqliteRows, key_text, read_key_list
from stores.sqlite.scan import SqliteScan

SPARE_BYTES = 4 * 1024 * 1024
"""So much room there must be before writes are tried again after a full disk."""


class SqliteStore(SqliteReads):
    """The contract over one SQLite file in WAL mode: one writing connection, and a pool of reading ones."""

    def __init__(
        self,
        path: Path,
        codec: Codec,
        durability: Durability,
        schema: Schema = KINDS,
        access: Access = Access.CREATE,
    ) -> None:
        """Open the database. Raises StoreNotFound, StoreDamaged, StoreLocked, FormatMismatch, StoreUnavailable."""
        self.path = path
        self._codec = codec
        self._schema = schema
        self._lock = threading.Lock()
        self._gate = Gate(f"the SQLite store {path}")
        self._scans: weakref.WeakSet[SqliteScan] = weakref.WeakSet()
        self._failure: str | None = None
        self._access = access
        self._durability = durability
        check_file(path, access)
        with ExitStack() as opened:
            opened.enter_context(FileLock(beside(path, LOCK), shared=access is Access.READ))
            file, immutable = (path, False) if access is not Access.READ else readable(opened, path)
            self._mark = self._high_water_mark(durability)
            opened.callback(self._mark.close)
            with told_of(path.parent):
                create = self._examine(file, durability)
                self._connections = Connections(file, immutable=immutable)
                opened.callback(self._connections.close)
                self._open_writer(create=create)
            self._opened = opened.pop_all()
        self.capabilities = Capabilities(
            engine="sqlite",
            codec=codec.name,
            durability=durability,
            keeps_unknown_fields=codec.keeps_unknown_fields,
            tunables=self._connections.tunables(durability),
        )

    def _open_writer(self, *, create: bool) -> None:
        codec = self._codec
        self._writer = self._connections.open_writer(self._durability)
        with translated(self.path):
            self._position, self._revision = open_database(
                self._writer, codec.name, is_text=codec.is_text, create=create
            )
            self._mark.check_identity(identity_of(self._writer))
            self._count = self._writer.execute(COUNT).fetchone()[0]

    @property
    def parts(self) -> tuple[Connections, Codec]:
        """Connections and codec: for those who look behind the store, to verify or repair it."""
        return self._connections, self._codec

    def forget_high_water(self) -> None:
        """Let the high-water mark begin anew, after the database was repaired. Raises OSError."""
        self._mark.forget()

    def _examine(self, file: Path, durability: Durability) -> bool:
        """Look at the database before it is opened; return whether a new one is to be made. Raises as `__init__`."""
        create = self._access is Access.CREATE
        if not file.exists() or not file.stat().st_size:
            return create
        try:
            examine(file, self._codec, durability, self._mark)
        except StoreNotFound:
            self._mark.check(HighWater(0, 0, 0))
            if not create:
                raise
        return create

    def _high_water_mark(self, durability: Durability) -> HighWaterMark:
        return HighWaterMark(
            beside(self.path, FILE_MARK),
            self._codec.name.encode(),
            durable=durability is Durability.DURABLE,
            writable=self._access is not Access.READ,
        )

    # ---- commits

    def commit(self, batch: Batch) -> int:
        """See `Store`."""
        (outcome,) = self.commit_many((batch,))
        if isinstance(outcome, StoreError):
            raise outcome
        return outcome

    def commit_many(self, batches: Sequence[Batch]) -> list[int | StoreError]:
        """See `Store`. One transaction."""
        self._gate.enter()
        try:
            with self._lock:
                if all(map(only_creates, batches)):
                    with suppress(Conflicts):
                        return self._commit(batches, AssumedAbsent(self))
                return self._commit(batches, self)
        finally:
            self._gate.leave()

    def _commit(self, batches: Sequence[Batch], holdings: Holdings) -> list[int | StoreError]:
        """Commit what a plan over `holdings` comes to. Raises Conflicts if they are `AssumedAbsent`, wrongly."""
        unread = holdings is not self
        with self._transaction():
            plan = Plan(self._schema, holdings, self._codec, self._position, self._revision)
            outcomes = [attempt(plan, batch) for batch in batches]
            if unread and any(isinstance(outcome, StoreError) for outcome in outcomes):
                raise Conflicts  # what it is refused for may not be the first thing that is wrong with it
            try:
                if plan.changes:
                    self._write(plan)
            except sqlite3.IntegrityError as error:
                if unread:
                    raise Conflicts from error
                raise
        self._position, self._revision = plan.position, plan.revision
        if plan.changes:
            changes = plan.changes.values()
            self._count += sum((change.after is not None) - (change.before is not None) for change in changes)
            self._mark.raise_to(HighWater(self._position, self._revision, self._count))
        self._connections.keep_log_short()
        return outcomes

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        if self._access is Access.READ:
            raise StoreReadOnly
        if self._failure:
            raise StoreUnavailable(
                f"an earlier write failed ({self._failure}), so what is on disk is unknown",
                hint="open the store again: that reads back what was really written",
            )
        with translated(self.path):
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._writer.execute("COMMIT")
            except BaseException as error:
                self._roll_back(error)
                raise

    def _roll_back(self, error: BaseException) -> None:
        """Undo the transaction; after an I/O error that can't be trusted to have worked, so commits end here."""
        if isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_IOERR:
            self._failure = str(error)
        try:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
        except sqlite3.Error as second:
            self._failure = f"{error}; {second}"

    def recover(self) -> None:
        """See `Recovers`. SQLite goes on by itself after a full disk; an I/O error asks for a new connection."""
        self._gate.enter()
        try:
            check_space(self.path.parent, SPARE_BYTES)
            with self._lock, translated(self.path):
                if self._failure is not None:
                    self._writer.close()
                    check_file(self.path, Access.WRITE)
                    self._open_writer(create=False)
                    self._failure = None
                with self._transaction():
                    self._writer.execute("UPDATE state SET revision = revision + 1")
                self._revision += 1
        finally:
            self._gate.leave()

    def _write(self, plan: Plan) -> None:
        rows = SqliteRows(is_text=self._codec.is_text)
        for change in plan.changes.values():
            rows.add(change)
        rows.execute(self._writer, plan.position, plan.revision)

    # ---- what a plan asks, within the transaction

    def held(self, kind: str, id: str) -> Held | None:  # noqa: A002 - the field's name in the wire contract
        """See `Holdings`."""
        row = self._writer.execute(
            "SELECT position, revision, index_keys FROM resources WHERE kind = ? AND id = ?", (kind, id)
        ).fetchone()
        if row is None:
            return None
        try:
            return Held(row[0], row[1], read_key_list(row[2]))
        except (ValueError, TypeError) as error:
            raise CorruptRecord(kind, id, f"its index keys can't be read: {error}") from error

    def holder(self, kind: str, index: str, key: IndexKey) -> str | None:
        """See `Holdings`."""
        return next((id_ for _, id_ in self.entries(kind, index, key)), None)

    def entries(self, kind: str, index: str, key: IndexKey) -> Iterator[tuple[int, str]]:
        """See `Holdings`."""
        table = self._table(kind, index)
        for position, id_ in self._writer.execute(ENTRIES.format(table), (kind, index, key_text(key))):
            yield position, id_.decode()

    # ---- the whole database

    def size_on_disk(self) -> SizeOnDisk:
        """See `Store`: the file and its write-ahead log."""
        self._gate.enter()
        try:
            return size_of(self.path, *(beside(self.path, end) for end in (WAL, SHARED_MEMORY)))
        finally:
            self._gate.leave()

    def compact(self) -> None:
        """See `Store`: rewrite the file, and empty the write-ahead log."""
        self._gate.enter()
        try:
            if self._access is Access.READ:
                raise StoreReadOnly
            with self._lock, translated(self.path):
                self._writer.execute("VACUUM")
                empty_log(self._writer)
        finally:
            self._gate.leave()

    def close(self) -> None:
        """See `Store`. Scans under way end with StoreClosed."""
        if self._gate.close():
            for scan in list(self._scans):
                scan.close()
            self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
