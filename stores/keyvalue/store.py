"""A Store over any ordered key-value engine. A new engine is one class: see `engine.py`.

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

A `c` row also says that a key is empty, or how many rows to read: an iterator may have to pass what was removed there.

Everything of variable length is prefixed with its length or ends the key, so no key is a prefix of a stranger's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import NamedTuple, Self

from stores.codecs import Codec
from stores.contract import (
    Access,
    Batch,
    Capabilities,
    CorruptRecord,
    Delete,
    Durability,
    InvalidOperation,
    Put,
    SizeOnDisk,
    StoreDamaged,
    StoreError,
    StoreNotFound,
    StoreReadOnly,
    StoreUnavailable,
)
from stores.high_water import FOLDER_MARK, HighWaterMark
from stores.keyvalue import layout
from stores.keyvalue.engine import Compacts, Engine, EngineCorrupt, PreparesBatches
from stores.keyvalue.inserts import Inserts, NotInsertOnly, Tails
from stores.keyvalue.reads import KeyValueReads
from stores.keyvalue.reopening import Reopening
from stores.keyvalue.rows import RowChanges, Rows
from stores.keyvalue.upper_bounds import UpperBounds
from stores.planning import Plan, attempt
from stores.prepared_write import PreparedWrite
from stores.schema import KINDS, Schema

COUNTERS_KNOWN_MAX = 4096


class _Planned(NamedTuple):
    """What some batches come to: an outcome for each, the rows to write, and what is known once they are written."""

    outcomes: list[int | StoreError]
    rows: RowChanges
    state: layout.State
    counters: dict[bytes, bytes | None]
    tails: Tails
    greatest: dict[str, bytes]


class KeyValueStore(KeyValueReads):
    """The Store contract over an `Engine` and a `Codec`."""

    def __init__(
        self,
        engine: Engine,
        codec: Codec,
        durability: Durability,
        schema: Schema = KINDS,
        access: Access = Access.CREATE,
        reopening: Reopening | None = None,
    ) -> None:
        """Take over the engine, also its closing. With `reopening` the store can recover, and keeps a high-water mark.

        Raises FormatMismatch, StoreNotFound for an empty database, StoreDamaged for one that has come back older.
        """
        super().__init__(engine, codec, schema)
        self._access = access
        self._mark = None
        if reopening is not None:
            self._mark = HighWaterMark(
                reopening.folder / FOLDER_MARK,
                layout.meta_value(codec.name),
                durable=durability is Durability.DURABLE,
                writable=access is not Access.READ,
            )
        self._sync = durability is Durability.DURABLE
        self._checksum = not engine.has_checksums
        self._lock = threading.Lock()
        self._reopening = reopening
        self._has_engine = True
        self._failure: str | None = None
        self._meta_in_log = self._mark is None
        """The first commit writes the meta row again: `engines/trial.py` wants it in the log, beside the state."""
        self._counters: dict[bytes, bytes | None] = {}
        """Index counters as the engine has them, those that the last creations read: most come again."""
        self._tails: Tails = {}
        """Each kind's last order row as the engine has it, once something was created: the next creation adds to it."""
        self.capabilities = Capabilities(
            engine=engine.name,
            codec=codec.name,
            durability=durability,
            keeps_unknown_fields=codec.keeps_unknown_fields,
            compactable=isinstance(engine, Compacts),
            tunables=dict(engine.tunables),
        )
        self._take(engine)

    def _take(self, engine: Engine) -> None:
        """Work over an engine just opened. Raises FormatMismatch, and closes the engine then."""
        self._engine = engine
        self._prepare = engine.prepare if isinstance(engine, PreparesBatches) else None
        self._upper_bounds = UpperBounds(engine, self._layouts)
        self._counters, self._tails = {}, {}
        try:
            self._state = self._open()
        except BaseException:
            engine.close()
            raise

    def _open(self) -> layout.State:
        """Check the database's format, or write it into an empty database, and return the state."""
        meta = self._engine.get(layout.META_KEY)
        state = layout.State()
        if meta is not None:
            layout.check_meta(meta, self._codec.name)
            state = layout.read_state(self._engine.get(layout.STATE_KEY))
        if self._mark is not None:
            self._mark.check(layout.high_water(state))
        if meta is None:
            snapshot = self._engine.snapshot()
            try:
                layout.check_empty(snapshot.range(b"", b"\xff"))
            finally:
                snapshot.close()
            if self._access is not Access.CREATE:
                raise StoreNotFound(f"the {self._engine.name} database is empty: no store was ever made in it")
            self._engine.write([(layout.META_KEY, layout.meta_value(self._codec.name))], sync=self._sync)
        return state

    def forget_high_water(self) -> None:
        """Let the high-water mark begin anew, after the database was repaired. Raises OSError."""
        if self._mark is not None:
            self._mark.forget()

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

    def prepare_write(self, batches: Sequence[Batch]) -> PreparedWrite:
        """Do `commit_many` up to the write itself, which another thread can do; until then no one else commits.

        Raises what `commit_many` raises before it writes. Then `write` or `abandon` of what it returns must be called.
        """
        self._gate.enter()
        try:
            self._lock.acquire()
            try:
                self._check_writable()
                planned = self._plan(batches)
                write = self._prepare(planned.rows, sync=self._sync) if self._prepare and planned.rows else None
            except BaseException:
                self._lock.release()
                raise
        except BaseException:
            self._gate.leave()
            raise
        return PreparedWrite(planned.outcomes, partial(self._write_prepared, planned, write), self._end_prepared)

    def _write_prepared(self, planned: _Planned, write: Callable[[], None] | None) -> None:
        try:
            self._write(planned, write)
        finally:
            self._end_prepared()

    def _end_prepared(self) -> None:
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
        if self._access is Access.READ:
            raise StoreReadOnly
        if self._failure:
            raise StoreUnavailable(
                f"an earlier write failed ({self._failure}), so what is on disk is unknown",
                hint="open the store again: that reads back what was really written",
            )

    def _plan(self, batches: Sequence[Batch]) -> _Planned:
        planned = self._plan_inserts(batches) or self._plan_changes(batches)
        if planned.rows and not self._meta_in_log:
            planned.rows.insert(0, (layout.META_KEY, layout.meta_value(self._codec.name)))
        return planned

    def _plan_inserts(self, batches: Sequence[Batch]) -> _Planned | None:
        """Plan insert-only batches; None if one is not."""
        counters = self._counters if len(self._counters) < COUNTERS_KNOWN_MAX else {}
        tails = self._tails
        self._counters, self._tails = {}, {}  # known again once all is written
        inserts = Inserts(
            self._engine.get, self._layouts, self._codec, self._state, counters, tails, self._upper_bounds,
            checksum=self._checksum,
        )  # fmt: skip
        try:
            outcomes: list[int | StoreError] = [inserts.add(batch) for batch in batches]
            rows, state = inserts.finish()
        except (NotInsertOnly, EngineCorrupt, layout.Damaged):  # the general planner says of which resource
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
        self._upper_bounds.raise_to(planned.greatest)
        self._meta_in_log = True
        if self._mark is not None:
            self._mark.raise_to(layout.high_water(planned.state))

    # ---- after a write that failed

    def recover(self) -> None:
        """See `Recovers`. Without `reopening` the store has to be opened again by its user."""
        if self._reopening is None:
            self._check_writable()
            return
        self._reopening.check_space()
        if self._failure is None:
            return
        self._gate.pause("is being opened again, as a write has failed")
        with self._lock:
            if not self._gate.closed:
                self._reopen(self._reopening)
        self._gate.resume()

    def _reopen(self, reopening: Reopening) -> None:
        """Open the engine again, and prove by a write that it takes them. Raises StoreUnavailable.

        If it can't be opened, the gate stays paused and the next `recover` tries again.
        """
        for scan in list(self._scans):
            scan.cut_off()
        acknowledged = self._state
        if self._has_engine:
            self._has_engine = False
            with suppress(
                StoreUnavailable
            ):  # what it can't write any more stands in its log, or was never acknowledged
                self._engine.close()
            self._left_over.clear()
        self._access = Access.WRITE  # a database that is gone isn't made anew
        self._take(reopening.open(self._access))
        self._has_engine = True
        if self._state.position < acknowledged.position or self._state.revision < acknowledged.revision:
            self._state = acknowledged
            raise StoreDamaged(f"{reopening.folder}: what was acknowledged isn't there when it is opened again")
        try:
            self._engine.write([(layout.META_KEY, layout.meta_value(self._codec.name))], sync=self._sync)
        except StoreUnavailable:
            self._gate.resume()  # it can be read
            raise
        self._failure = None

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
            if self._access is Access.READ:
                raise StoreReadOnly
            if isinstance(self._engine, Compacts):
                self._engine.compact()
        finally:
            self._gate.leave()

    def close(self) -> None:
        """See `Store`. Scans under way end with StoreClosed."""
        if self._gate.close():
            for scan in list(self._scans):
                scan.close()
            with self._lock:
                if self._has_engine:
                    self._engine.close()
                self._left_over.clear()
                if self._mark is not None:
                    self._mark.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _is_about(batch: Batch, damage: CorruptRecord) -> bool:
    return any(isinstance(each, Put | Delete) and (each.kind, each.id) == (damage.kind, damage.id) for each in batch)
