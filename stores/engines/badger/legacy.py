"""Reads the layout of the migration to BadgerDB: keys `Kind/id`, values the resource's raw protobuf bytes.

Nothing else stands in such a database: no order of creation, no indexes. `import_legacy` brings its resources into a
store of this project in the order of their audit's creation time. The database is opened for reading only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import DecodeError, Message

from stores.contract import Conflict, FormatMismatch, Put, Store, StoreError
from stores.engines.badger.engine import BadgerEngine, BadgerReader, Settings
from stores.engines.badger.rooms import NeedsWriting
from stores.schema import KINDS, Schema

_BATCH_RESOURCES = 200
_BATCH_BYTES = 4 * 1024 * 1024
"""Well under what one transaction of any engine here takes."""
_NAMED_MAX = 5

When = tuple[int, int]
"""Seconds and nanoseconds since 1970; (0, 0) where a resource has no audit."""


class LegacyError(StoreError):
    """The database can't be imported; the message names the keys that stand in the way."""


@dataclass(frozen=True, slots=True)
class LegacyRecord:
    """One resource of the old layout: its key, what the key says, and the raw bytes."""

    key: bytes
    kind: str
    id: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did, by kind. `present` were in the store already, with equal bytes."""

    written: dict[str, int]
    present: dict[str, int]


class LegacyDatabase:
    """A database in the old layout, open for reading."""

    def __init__(self, folder: Path, *, recover: bool = False, schema: Schema = KINDS) -> None:
        """Open it. With `recover`, for writing: Badger then completes what a killed process left unfinished.

        Raises FormatMismatch when there is no Badger database, StoreLocked when a program has it open,
        NeedsWriting when it wasn't closed cleanly and `recover` is false.
        """
        if not (folder / "MANIFEST").is_file():
            raise FormatMismatch(
                f"{folder} is no Badger database: it has no MANIFEST",
                hint="give the folder that BadgerDB was opened with",
            )
        self.folder = folder
        self._types = {kind.message_type.DESCRIPTOR.name: kind for kind in schema.values()}
        try:
            settings = Settings(sync_writes=False)
            self._engine = BadgerEngine(folder, settings) if recover else BadgerReader(folder, settings, recover=False)
        except NeedsWriting as error:
            raise NeedsWriting(
                f"{folder} was not closed cleanly: {error}", hint="copy the folder, then read the copy with --recover"
            ) from error

    def records(self) -> Iterator[LegacyRecord | bytes]:
        """Yield every record in the order of its key; a key that isn't `Kind/id` of a known kind comes as it is."""
        snapshot = self._engine.snapshot()
        try:
            for key, value in snapshot.range(b"", b""):
                yield self._record(key, value) or key
        finally:
            snapshot.close()

    def _record(self, key: bytes, value: bytes) -> LegacyRecord | None:
        name, slash, raw_id = key.partition(b"/")
        kind = self._types.get(name.decode(errors="replace"))
        if kind is None or not slash or not raw_id:
            return None
        try:
            return LegacyRecord(key, kind.name, raw_id.decode(), value)
        except UnicodeDecodeError:
            return None

    def get(self, key: bytes) -> bytes:
        """Return the value of a key that `records` gave."""
        value = self._engine.get(key)
        if value is None:
            raise LegacyError(f"{self.folder}: {key!r} vanished while it was read", hint="is a program writing to it?")
        return value

    def close(self) -> None:
        """Close it."""
        self._engine.close()


@dataclass(frozen=True, slots=True)
class _Planned:
    when: When
    id: str
    kind: str
    key: bytes


def import_legacy(
    source: LegacyDatabase, target: Store, *, skip_unknown: bool = False, schema: Schema = KINDS
) -> Imported:
    """Write every resource of the old layout into a store, oldest first; what is there with equal bytes stays.

    Everything is checked before anything is written, so a second run after a repaired problem is safe. Raises
    LegacyError with the keys that aren't resources (unless `skip_unknown`), that don't parse, or whose message has
    another id; and with the resources that are in the store with other bytes, or whose unique keys are taken.
    """
    planned, problems = _plan(source, schema, skip_unknown=skip_unknown)
    _refuse(
        source.folder, problems, "nothing was written; repair these records, or leave out unknown keys (--skip-unknown)"
    )
    written: Counter[str] = Counter()
    present: Counter[str] = Counter()
    batch: list[Put] = []
    size = 0
    for each in sorted(planned, key=lambda one: (one.when, one.id, one.kind)):
        data = source.get(each.key)
        there = target.get_bytes(each.kind, each.id)
        if there is not None and _same(schema[each.kind].message_type, there, data):
            present[each.kind] += 1
            continue
        batch.append(Put(each.kind, each.id, schema[each.kind].message_type.FromString(data), "absent", data=data))
        size += len(data)
        if len(batch) >= _BATCH_RESOURCES or size >= _BATCH_BYTES:
            written.update(_commit(target, batch, sum(written.values())))
            batch, size = [], 0
    written.update(_commit(target, batch, sum(written.values())))
    return Imported(dict(written), dict(present))


def _plan(source: LegacyDatabase, schema: Schema, *, skip_unknown: bool) -> tuple[list[_Planned], list[str]]:
    planned: list[_Planned] = []
    problems: list[str] = []
    for record in source.records():
        if isinstance(record, bytes):
            if not skip_unknown:
                problems.append(f"{record[:80]!r} is not Kind/id of a known kind")
            continue
        try:
            message = schema[record.kind].message_type.FromString(record.data)
        except DecodeError:
            problems.append(f"{record.key!r} doesn't hold a {record.kind}")
            continue
        own = _own_id(message)
        if own and own != record.id:
            problems.append(f"{record.key!r} holds a resource whose id is {own!r}")
        planned.append(_Planned(_created_at(message), record.id, record.kind, record.key))
    return planned, problems


def _own_id(message: Message) -> str:
    if "metadata" in message.DESCRIPTOR.fields_by_name:
        return str(message.metadata.id)  # type: ignore[attr-defined] # looked up just before
    return ""


def _created_at(message: Message) -> When:
    status = message.DESCRIPTOR.fields_by_name.get("status")
    if status is None or status.message_type is None or "audit" not in status.message_type.fields_by_name:
        return (0, 0)
    created = message.status.audit.spec_audit.created_at  # type: ignore[attr-defined] # looked up just before
    return (created.seconds, created.nanos)


def _same(message_type: type[Message], there: bytes, data: bytes) -> bool:
    return there == data or message_type.FromString(there) == message_type.FromString(data)


def _commit(target: Store, batch: Sequence[Put], before: int) -> Counter[str]:
    try:
        target.commit(batch)
    except Conflict as conflict:
        raise LegacyError(
            f"{conflict}, and the old database has another resource for it ({before} resources were written before)",
            hint="remove or rename one of the two, then import again: what is there already is passed over",
        ) from conflict
    return Counter(put.kind for put in batch)


def _refuse(folder: Path, problems: Sequence[str], hint: str) -> None:
    if problems:
        more = f", and {len(problems) - _NAMED_MAX} more" if len(problems) > _NAMED_MAX else ""
        raise LegacyError(f"{folder}: {'; '.join(problems[:_NAMED_MAX])}{more}", hint=hint)
