"""A Store over any ordered key-value engine. A new engine is one class (`keyvalue_engine.py`).

What stands in the engine (all numbers big-endian; *kind* is one length byte and the kind's name):

| key                                         | value                                                            |
|---------------------------------------------|------------------------------------------------------------------|
| `M`                                         | JSON: product, format version, codec                             |
| `S`                                         | last position, last revision, and how many resources a kind has  |
| `r` kind id                                 | a record: header, index keys (JSON), the message by the codec    |
| `o` kind span                               | the order of creation: place and id of each in a span of         |
|                                             | positions                                                        |
| `u` kind index key                          | position, id: a unique index                                     |
| `i` kind index key position                 | id: an index that isn't unique                                   |
| `c` kind index key                          | how many entries such a key has; if it is only one, also its     |
|                                             | position and id, and there is no `i` row then                    |

Everything of variable length is prefixed with its length or ends the key, so no key is a prefix of a stranger's.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from types import TracebackType
from typing import NamedTuple, Self

from google.protobuf.message import Message

from stores import layout
from stores.codecs import Codec, Undecodable
from stores.contract import (
    Batch,
    Capabilities,
    CorruptRecord,
    Delete,
    Durability,
    IndexKey,
    InvalidOperation,
    Put,
    Record,
    SizeOnDisk,
    StoreError,
    StoreUnavailable,
)
from stores.gate import Gate
from stores.indexing import KINDS, Schema, kind_of
from stores.keyvalue_engine import Engine, EngineCorrupt, Prepare
from stores.keyvalue_inserts import Declined, Inserts, Tails
from stores.keyvalue_rows import RowChanges, Rows
from stores.keyvalue_scan import KeyValueScan, entries_under, ids_in_order, ids_under, unique_ids
from stores.keyvalue_tops import Tops
from stores.planning import Held, Plan, attempt, check_id, check_key
from stores.staged import StagedWrite

COUNTERS_KNOWN_MAX = 4096

_READ_ERRORS = (EngineCorrupt, layout.Damaged, Undecodable, KeyError, UnicodeEncodeError)
"""What can come up on the way of a read; `_read_error` says what each means."""


class _Planned(NamedTuple):
    """What some batches come to: an outcome for each, the rows to write, and what is known once they are written."""

    outcomes: list[int | StoreError]
    rows: RowChanges
    state: layout.State
    counters: dict[bytes, bytes | None]
    tails: Tails
    greatest: dict[str, bytes]


class KeyValueStore:
    """The Store contract over an `Engine` and a `Codec`."""

    def __init__(self, engine: Engine, codec: Codec, durability: Durability, schema: Schema = KINDS) -> None:
        """Take over the engine, also its closing. Raises FormatMismatch."""
        self._engine = engine
        self._codec = codec
        self._sync = durability is Durability.DURABLE
        self._checksum = not engine.has_checksums
        self._schema = schema
        self._message_types = {name: kind.message_type for name, kind in schema.items()}
        self._layouts = {name: layout.KindLayout(kind) for name, kind in schema.items()}
        self._lock = threading.Lock()
        self._gate = Gate(f"the {engine.name} store")
        self._scans: weakref.WeakSet[KeyValueScan] = weakref.WeakSet()
        self._failure: str | None = None
        self._counters: dict[bytes, bytes | None] = {}
        """Index counters as the engine has them, those that the last creations read: most come again."""
        self._tails: Tails = {}
        """Each kind's last order row as the engine has it, once something was created: the next creation adds to it."""
        self._tops = Tops(engine, self._layouts)
        self.capabilities = Capabilities(
            engine=engine.name,
            codec=codec.name,
            durability=durability,
            keeps_unknown_fields=codec.keeps_unknown_fields,
            compactable=getattr(engine, "compactable", True),
            tunables=dict(engine.tunables),
        )
        try:
            self._state = self._open()
        except BaseException:
            engine.close()
            raise

    def _open(self) -> layout.State:
        """Check the database's format, or write it into an empty database, and return the state."""
        meta = self._engine.get(layout.META_KEY)
        if meta is None:
            snapshot = self._engine.snapshot()
            try:
                layout.check_empty(snapshot.range(b"", b"\xff"))
            finally:
                snapshot.close()
            self._engine.write([(layout.META_KEY, layout.meta_value(self._codec.name))], sync=self._sync)
            return layout.State()
        layout.check_meta(meta, self._codec.name)
        return layout.read_state(self._engine.get(layout.STATE_KEY))

    @property
    def parts(self) -> tuple[Engine, Codec, bool]:
        """Engine, codec, and whether writes are synced: for measurements that look behind the store."""
        return self._engine, self._codec, self._sync

    # ---- commits

    def commit(self, batch: Batch) -> int:
        """See `Store`."""
        (outcome,) = self._commit((batch,))
        if isinstance(outcome, StoreError):
            raise outcome
        return outcome

    def commit_many(self, batches: Sequence[Batch]) -> list[int | StoreError]:
        """See `Store`."""
        return self._commit(batches)

    def stage(self, batches: Sequence[Batch]) -> StagedWrite:
        """Do `commit_many` up to the write itself, which another thread can do; until then no one else commits.

        Raises what `commit_many` raises before it writes. Then `write` or `abandon` of what it returns must be called.
        """
        self._gate.enter()
        try:
            self._lock.acquire()
            try:
                self._check_writable()
                planned = self._plan(batches)
                prepare: Prepare | None = getattr(self._engine, "prepare", None)
                write = prepare(planned.rows, sync=self._sync) if prepare and planned.rows else None
            except BaseException:
                self._lock.release()
                raise
        except BaseException:
            self._gate.leave()
            raise
        return StagedWrite(planned.outcomes, partial(self._write_staged, planned, write), self._end_staged)

    def _write_staged(self, planned: _Planned, write: Callable[[], None] | None) -> None:
        try:
            self._write(planned, write)
        finally:
            self._end_staged()

    def _end_staged(self) -> None:
        self._lock.release()
        self._gate.leave()

    def _commit(self, batches: Sequence[Batch]) -> list[int | StoreError]:
        self._gate.enter()
        try:
            with self._lock:
                self._check_writable()
                planned = self._plan(batches)
                self._write(planned)
                return planned.outcomes
        finally:
            self._gate.leave()

    def _check_writable(self) -> None:
        if self._failure:
            raise StoreUnavailable(
                f"an earlier write failed ({self._failure}), so what is on disk is unknown",
                hint="open the store again: that reads back what was really written",
            )

    def _plan(self, batches: Sequence[Batch]) -> _Planned:
        return self._plan_inserts(batches) or self._plan_changes(batches)

    def _plan_inserts(self, batches: Sequence[Batch]) -> _Planned | None:
        """Plan batches that only create, the short way; None if there is more to them."""
        counters = self._counters if len(self._counters) < COUNTERS_KNOWN_MAX else {}
        tails = self._tails
        self._counters, self._tails = {}, {}  # known again once all is written
        inserts = Inserts(
            self._engine.get, self._layouts, self._codec, self._state, counters, tails, self._tops,
            checksum=self._checksum,
        )  # fmt: skip
        try:
            outcomes: list[int | StoreError] = [inserts.add(batch) for batch in batches]
            rows, state = inserts.finish()
        except (Declined, EngineCorrupt):  # the long way says of which resource
            return None
        return _Planned(outcomes, rows if any(outcomes) else [], state, counters, tails, inserts.greatest)

    def _plan_changes(self, batches: Sequence[Batch]) -> _Planned:
        """Plan any batches, one after another, and what to write for all of them."""
        refused: dict[int, StoreError] = {}
        while True:
            plan = Plan(self._schema, self, self._codec, self._state.position, self._state.revision)
            outcomes = [refused.get(number) or attempt(plan, batch) for number, batch in enumerate(batches)]
            try:
                return self._laid_out(plan, outcomes)
            except CorruptRecord as damage:
                # A row that several resources share: only the batches that need it fail, so once more without them.
                needing = [
                    number
                    for number, batch in enumerate(batches)
                    if isinstance(outcomes[number], int) and _is_about(batch, damage)
                ]
                if not needing:
                    raise
                refused.update(dict.fromkeys(needing, damage))

    def _laid_out(self, plan: Plan, outcomes: list[int | StoreError]) -> _Planned:
        """Return the rows of a plan. Raises CorruptRecord for a resource whose rows can't be changed."""
        if not plan.changes:
            return _Planned(outcomes, [], self._state, {}, {}, {})
        counts = dict(self._state.counts)
        rows = Rows(self._engine.get, self._layouts, counts, checksum=self._checksum)
        greatest: dict[str, bytes] = {}
        for change in plan.changes.values():
            rows.add(change)
            if change.after:
                kind = change.kind.name
                greatest[kind] = max(greatest.get(kind, b""), self._layouts[kind].record(change.id))
        state = layout.State(plan.position, plan.revision, counts)
        return _Planned(outcomes, rows.finish(state), state, {}, {}, greatest)

    def _write(self, planned: _Planned, write: Callable[[], None] | None = None) -> None:
        """Write all rows in one engine batch. A write that fails makes the store read-only: see `commit`."""
        if not planned.rows:
            return
        try:
            if write is None:
                self._engine.write(planned.rows, sync=self._sync)
            else:
                write()
        except InvalidOperation:
            raise  # the engine refused it before it wrote anything: the store stays usable
        except BaseException as error:
            self._failure = str(error) or type(error).__name__
            raise
        self._state, self._counters, self._tails = planned.state, planned.counters, planned.tails
        self._tops.raise_to(planned.greatest)

    # ---- what a plan asks

    def held(self, kind: str, id: str) -> Held | None:  # noqa: A002
        """See `Holdings`."""
        value = self._value(kind, id)
        if value is None:
            return None
        try:
            return layout.held_of(value)
        except layout.Damaged as damage:
            raise CorruptRecord(kind, id, str(damage)) from damage

    def holder(self, kind: str, index: str, key: IndexKey) -> str | None:
        """See `Holdings`."""
        value = self._engine.get(self._layouts[kind].unique(index, layout.pack_key(key)))
        return None if value is None else layout.unpack_unique(value)[1]

    def entries(self, kind: str, index: str, key: IndexKey) -> Iterator[tuple[int, str]]:
        """See `Holdings`."""
        keys = self._layouts[kind]
        packed = layout.pack_key(key)
        if keys.indexes[index].unique:
            value = self._engine.get(keys.unique(index, packed))
            if value is not None:
                yield layout.unpack_unique(value)
            return
        counter = keys.counter(index, packed)
        if counter is not None:
            # Most keys have one entry or none, and this read costs less than an iterator.
            value = self._engine.get(counter)
            single = layout.single_of(value)
            if single is not None:
                yield layout.unpack_position(single[0]), single[1].decode()
            if value is None or single is not None:
                return
        snapshot = self._engine.snapshot()
        try:
            yield from entries_under(snapshot, keys, index, packed, 0)
        finally:
            snapshot.close()

    # ---- reads

    def _value(self, kind: str, id: str) -> bytes | None:  # noqa: A002
        """Return a record as stored, or None."""
        try:
            return self._engine.get(self._layouts[kind].record(id))
        except (EngineCorrupt, KeyError, UnicodeEncodeError) as error:
            raise self._read_error(kind, id, error) from error

    def _read_error(self, kind: str, id: str, error: Exception) -> Exception:  # noqa: A002
        """Return what a read raises for an error on its way: the checks of a good read cost nothing."""
        if isinstance(error, EngineCorrupt | layout.Damaged | Undecodable):
            return CorruptRecord(kind, id, str(error))
        kind_of(self._schema, kind)
        check_id(kind, id)
        return error

    def get(self, kind: str, id: str) -> Message | None:  # noqa: A002
        """See `Store`."""
        self._gate.enter()
        try:
            value = self._engine.get(self._layouts[kind].record(id))
            if value is None:
                return None
            return self._codec.message(self._message_types[kind], layout.message_of(value))
        except _READ_ERRORS as error:
            raise self._read_error(kind, id, error) from error
        finally:
            self._gate.leave()

    def get_bytes(self, kind: str, id: str) -> bytes | None:  # noqa: A002
        """See `Store`. With the codec protobuf: one engine get and one slice."""
        self._gate.enter()
        try:
            value = self._engine.get(self._layouts[kind].record(id))
            if value is None:
                return None
            return self._codec.wire(self._message_types[kind], layout.message_of(value))
        except _READ_ERRORS as error:
            raise self._read_error(kind, id, error) from error
        finally:
            self._gate.leave()

    def get_record(self, kind: str, id: str) -> Record | None:  # noqa: A002
        """See `Store`."""
        self._gate.enter()
        try:
            value = self._engine.get(self._layouts[kind].record(id))
            if value is None:
                return None
            data = self._codec.wire(self._message_types[kind], layout.message_of(value))
            return Record(kind, id, *layout.numbers_of(value), data)
        except _READ_ERRORS as error:
            raise self._read_error(kind, id, error) from error
        finally:
            self._gate.leave()

    def _record_of(self, kind: str, id: str, value: bytes) -> Record:  # noqa: A002
        """Make a Record of a stored value. Raises CorruptRecord."""
        try:
            data = self._codec.wire(self._schema[kind].message_type, layout.message_of(value))
        except (layout.Damaged, Undecodable) as error:
            raise CorruptRecord(kind, id, str(error)) from error
        return Record(kind, id, *layout.numbers_of(value), data)

    def find(self, kind: str, index: str, key: IndexKey) -> str | None:
        """See `Store`."""
        unique = self._check_index(kind, index, key)
        self._gate.enter()
        try:
            if unique:
                return self.holder(kind, index, key)
            return next((id_ for _, id_ in self.entries(kind, index, key)), None)
        finally:
            self._gate.leave()

    def count(self, kind: str, *, index: str | None = None, key: IndexKey | None = None) -> int:
        """See `Store`. One engine get; the entries are read where the index isn't counted."""
        unique = self._check_scan(kind, index, key)
        self._gate.enter()
        try:
            if index is None or key is None:
                return self._state.counts.get(kind, 0)
            if unique:
                return int(self.holder(kind, index, key) is not None)
            counter = self._layouts[kind].counter(index, layout.pack_key(key))
            if counter is None:
                return sum(1 for _ in self.entries(kind, index, key))
            return layout.unpack_count(self._engine.get(counter))
        finally:
            self._gate.leave()

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
        unique = self._check_scan(kind, index, key)
        self._gate.enter()
        try:
            keys = self._layouts[kind]
            snapshot = self._engine.snapshot()
            if index is None or key is None:
                ids = ids_in_order(snapshot.range(*keys.order_range(after)), after)
            elif unique:
                ids = unique_ids(snapshot.get(keys.unique(index, layout.pack_key(key))), after)
            else:
                ids = ids_under(snapshot, keys, index, layout.pack_key(key), after)
            if limit is not None:
                ids = islice(ids, max(limit, 0))
            scan = KeyValueScan(self._record_of, kind, keys, snapshot, ids, self._gate)
            self._scans.add(scan)
            return scan
        finally:
            self._gate.leave()

    def _check_scan(self, kind: str, index: str | None, key: IndexKey | None) -> bool:
        """Check the arguments of a scan or count; return whether the index is unique."""
        if index is not None and key is not None:
            return self._check_index(kind, index, key)
        kind_of(self._schema, kind)
        if (index is None) != (key is None):
            raise InvalidOperation("an index needs a key, and a key needs an index")
        return False

    def _check_index(self, kind: str, index: str, key: IndexKey) -> bool:
        try:
            unique = self._layouts[kind].indexes[index].unique
        except KeyError:
            unique = kind_of(self._schema, kind).index(index).unique  # says what there is
        check_key(index, key)
        return unique

    def last_position(self) -> int:
        """See `Store`."""
        self._gate.enter()
        self._gate.leave()
        return self._state.position

    # ---- the whole database

    def size_on_disk(self) -> SizeOnDisk:
        """See `Store`."""
        self._gate.enter()
        try:
            return self._engine.size_on_disk()
        finally:
            self._gate.leave()

    def compact(self) -> None:
        """See `Store`."""
        self._gate.enter()
        try:
            self._engine.compact()
        finally:
            self._gate.leave()

    def close(self) -> None:
        """See `Store`. Scans under way end with StoreClosed."""
        if self._gate.close():
            for scan in list(self._scans):
                scan.close()
            self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _is_about(batch: Batch, damage: CorruptRecord) -> bool:
    return any(isinstance(each, Put | Delete) and (each.kind, each.id) == (damage.kind, damage.id) for each in batch)
