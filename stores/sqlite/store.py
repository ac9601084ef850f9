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
from typing import Any, Self

from google.protobuf.message import Message

from stores.codecs import Codec, Undecodable
from stores.contract import (
    Access,
    Batch,
    Capabilities,
    CorruptIndex,
    CorruptRecord,
    Durability,
    IndexKey,
    InvalidOperation,
    Record,
    SizeOnDisk,
    StoreError,
    StoreNotFound,
    StoreReadOnly,
    StoreUnavailable,
)
from stores.files import FileLock, check_space, size_of
from stores.format import checksum_of
from stores.gate import Gate
from stores.high_water import FILE_MARK, HighWater, HighWaterMark
from stores.planning import Holdings, Plan, attempt
from stores.rules import Held, check_id, check_key
from stores.schema import KINDS, Schema, kind_of
from stores.sqlite.connections import (
    Connections,
    empty_log,
    is_corruption,
    open_database,
    translated,
    translation,
)
from stores.sqlite.examination import COUNT, examine
from stores.sqlite.files import LOCK, SHARED_MEMORY, WAL, beside, check_file, readable
from stores.sqlite.optimistic_insert import AssumedAbsent, Conflicts, only_creates
from stores.sqlite.rows import SqliteRows, key_text, read_key_list
from stores.sqlite.scan import SqliteScan

SPARE_BYTES = 4 * 1024 * 1024
"""So much room there must be before writes are tried again after a full disk."""
_ENTRIES = "SELECT position, id FROM {} WHERE kind = ? AND index_name = ? AND key = ? ORDER BY position"
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


class SqliteStore:
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
        for position, id_ in self._writer.execute(_ENTRIES.format(table), (kind, index, key_text(key))):
            yield position, id_.decode()

    def _table(self, kind: str, index: str) -> str:
        return "unique_entries" if index in self._schema[kind].unique else "entries"

    # ---- reads

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

    def _resource(self, kind: str, id: str) -> tuple[Any, ...] | None:  # noqa: A002
        """Return position, revision and checked stored message, or None. Raises CorruptRecord."""
        kind_of(self._schema, kind)
        check_id(kind, id)
        try:
            row = self._row(_RESOURCE, (kind, id))
        except sqlite3.Error as error:
            raise CorruptRecord(kind, id, str(error)) from error
        if row is not None:
            self.check(kind, id, row[2], row[3])
        return row

    def check(self, kind: str, id: str, checksum: object, stored: object) -> None:  # noqa: A002
        """Raise CorruptRecord unless a stored message is what was written."""
        if not isinstance(stored, bytes) or checksum_of(stored) != checksum:
            raise CorruptRecord(kind, id, "its checksum doesn't match")

    def get(self, kind: str, id: str) -> Message | None:  # noqa: A002
        """See `Store`."""
        row = self._resource(kind, id)
        try:
            return None if row is None else self._codec.message(self._schema[kind].message_type, row[3])
        except Undecodable as error:
            raise CorruptRecord(kind, id, str(error)) from error

    def get_bytes(self, kind: str, id: str) -> bytes | None:  # noqa: A002
        """See `Store`."""
        row = self._resource(kind, id)
        return None if row is None else self.wire(kind, id, row[3])

    def get_record(self, kind: str, id: str) -> Record | None:  # noqa: A002
        """See `Store`."""
        row = self._resource(kind, id)
        return None if row is None else Record(kind, id, row[0], row[1], self.wire(kind, id, row[3]))

    def wire(self, kind: str, id: str, stored: bytes) -> bytes:  # noqa: A002
        """Return the wire bytes of a stored message. Raises CorruptRecord."""
        try:
            return self._codec.wire(self._schema[kind].message_type, stored)
        except Undecodable as error:
            raise CorruptRecord(kind, id, str(error)) from error

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
        row = self._index_row(kind, _ENTRIES.format(self._table(kind, index)) + " LIMIT 1", index, key_text(key))
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
        most = -1 if limit is None else max(limit, 0)
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

    def _check_scan(self, kind: str, index: str | None, key: IndexKey | None) -> None:
        kind_of(self._schema, kind)
        if index is not None and key is not None:
            self._check_index(kind, index, key)
        elif index is not None or key is not None:
            raise InvalidOperation("an index needs a key, and a key needs an index")

    def _check_index(self, kind: str, index: str, key: IndexKey) -> None:
        check_key(kind_of(self._schema, kind).index(index).name, key)

    def last_position(self) -> int:
        """See `Store`."""
        self._gate.enter()
        self._gate.leave()
        return self._position

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
