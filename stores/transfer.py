"""Backup, restore and copy: all of a store into a file, out of it, and from store to store.

Positions and revisions are for reading; a restored resource gets new ones, in the old order. For the file see
`stores.export_file`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from pathlib import Path

from stores.canonical import canonical_bytes
from stores.contract import Conflict, Put, Record, Store, StoreDamaged, StoreError
from stores.export_file import Missing, read_export, read_partly, write_export
from stores.schema import KINDS, Schema

BATCH_RESOURCES = 200
"""Resources in one commit of a restore: they share an fsync, and a batch stays small beside the memory."""

Progress = Callable[[int], None]
"""Called with the number of resources that are done."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A resource that two stores hold differently; `reason` says how."""

    kind: str
    id: str
    reason: str


class AlreadyThere(StoreError):
    """A resource can't be created, as the store has it, or its unique key. What was created before it stays."""

    hint = "choose a new database, or one that has none of these resources"


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did: resources created, what of them the target can't hold, and what the file lacks."""

    created: int
    lost: tuple[Difference, ...] = ()
    missing: tuple[str, ...] = ()


def records(store: Store, schema: Schema = KINDS) -> Iterator[Record]:
    """Yield all resources of a store in the order of creation, over all kinds."""
    return merge(*(store.scan(kind) for kind in schema), key=lambda record: record.position)


def complete_records(store: Store, schema: Schema = KINDS) -> Iterator[Record]:
    """Yield what `records` yields, and raise StoreDamaged at the end unless these are as many as the store counts.

    Damage that no checksum covers (a key, a page of an index) can hide a resource from a listing.
    """
    listed = dict.fromkeys(schema, 0)
    for record in records(store, schema):
        listed[record.kind] += 1
        yield record
    for kind, number in listed.items():
        counted = store.count(kind)
        if number != counted:
            raise StoreDamaged(f"{kind}: {number} resources can be read, but {counted} were stored")


def resources_of(store: Store, schema: Schema = KINDS) -> int:
    """Return how many resources a store has, of all kinds."""
    return sum(store.count(kind) for kind in schema)


def export_store(store: Store, path: Path, progress: Progress = lambda _: None, *, force: bool = False) -> int:
    """Write all resources to a file; return how many. The file appears when it is complete.

    Each kind is read from one consistent state; nobody else should write meanwhile. Raises BadExport if there is a file
    already and `force` isn't given, StoreDamaged.
    """
    return write_export(_told(complete_records(store), progress), path, force=force)


def import_store(store: Store, path: Path, progress: Progress = lambda _: None, *, partial: bool = False) -> Imported:
    """Create all resources of a file in a store. With `partial` those that can be read of a damaged one.

    Raises BadExport before anything is created. Raises AlreadyThere if a resource is there already: what was written
    before it stays.
    """
    missing = Missing()
    puts = read_partly(path, missing) if partial else read_export(path)
    lost: list[Difference] = []
    created = _create(store, puts, progress, lambda batch: lost.extend(_lost(store, batch)))
    return Imported(created, tuple(lost), tuple(missing.found))


def copy_store(source: Store, target: Store, progress: Progress = lambda _: None) -> int:
    """Create all resources of one store in another; return how many. Raises AlreadyThere as `import_store` does."""
    return _create(target, (_put_of_record(record) for record in complete_records(source)), progress)


def differences(source: Store, target: Store, progress: Progress = lambda _: None) -> Iterator[Difference]:
    """Yield the resources of `source` that `target` hasn't, or whose messages aren't byte-equal in canonical form."""
    for record in _told(records(source), progress):
        yield from _difference(target, record.kind, record.id, record.data)


def _difference(target: Store, kind: str, id: str, data: bytes) -> Iterator[Difference]:  # noqa: A002 - as in Difference
    other = target.get_bytes(kind, id)
    if other is None:
        yield Difference(kind, id, "it is missing")
    elif other != data and _canonical(kind, other) != _canonical(kind, data):
        lost = "" if target.capabilities.keeps_unknown_fields else "; the target's codec keeps no unknown fields"
        yield Difference(kind, id, f"its message differs{lost}")


def _lost(store: Store, batch: Iterable[Put]) -> Iterator[Difference]:
    """Yield what was just created and isn't as it was: only a codec that keeps no unknown fields does that."""
    if not store.capabilities.keeps_unknown_fields:
        for put in batch:
            if put.data is not None:
                yield from _difference(store, put.kind, put.id, put.data)


def _told(source: Iterable[Record], progress: Progress) -> Iterator[Record]:
    for number, record in enumerate(source, 1):
        yield record
        progress(number)


def _create(
    store: Store, puts: Iterable[Put], progress: Progress, created: Callable[[list[Put]], None] = lambda _: None
) -> int:
    done, waiting = 0, iter(puts)
    while batch := list(islice(waiting, BATCH_RESOURCES)):
        try:
            store.commit(batch)
        except Conflict as conflict:
            raise AlreadyThere(
                f"{conflict}: it is in the store already, or twice in the source; {done} resources were created before"
            ) from conflict
        created(batch)
        done += len(batch)
        progress(done)
    return done


def _put_of_record(record: Record) -> Put:
    message = KINDS[record.kind].message_type.FromString(record.data)
    return Put(record.kind, record.id, message, "absent", data=record.data)


def _canonical(kind: str, data: bytes) -> bytes:
    return canonical_bytes(KINDS[kind].message_type.FromString(data))
