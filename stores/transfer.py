"""Backup, restore and copy: all of a store as JSON lines, and from store to store.

A line is one resource: kind, id, position, revision, the message as JSON, and its wire bytes (base64) in those cases
in which the JSON doesn't give them back exactly. `sqlite-utils insert x.db resources FILE --nl` takes such a file.
Positions and revisions are for reading; a restored resource gets new ones, in the old order.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
from google.protobuf.message import DecodeError, Message

from stores.canonical import canonical_bytes
from stores.codecs import JsonNativeCodec, Undecodable
from stores.contract import InvalidOperation, Put, Record, Store, StoreError
from stores.schema import KINDS, Schema

BATCH_RESOURCES = 200
"""Resources in one commit of a restore: they share an fsync, and a batch stays small beside the memory."""
_JSON = JsonNativeCodec()

Progress = Callable[[int], None]
"""Called with the number of resources that are done."""


class BadBackup(StoreError):
    """A file isn't a backup of ours, or is damaged. Says which line."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A resource that two stores hold differently; `reason` says how."""

    kind: str
    id: str
    reason: str


def records(store: Store, schema: Schema = KINDS) -> Iterator[Record]:
    """Yield all resources of a store in the order of creation, over all kinds."""
    return merge(*(store.scan(kind) for kind in schema), key=lambda record: record.position)


def export_store(store: Store, path: Path, progress: Progress = lambda _: None) -> int:
    """Write all resources to a file; return how many. The file appears when it is complete.

    Each kind is read from one consistent state; nobody else should write meanwhile.
    """
    partial = path.with_name(path.name + ".partial")
    done = 0
    with partial.open("wb") as file:
        for record in records(store):
            file.write(line_of(record) + b"\n")
            done += 1
            progress(done)
    partial.replace(path)
    return done


def line_of(record: Record) -> bytes:
    """Return a resource as one line of JSON, without the line end."""
    message_type = KINDS[record.kind].message_type
    message = message_type.FromString(record.data)
    exact = False
    readable: Any = None
    try:
        stored = _JSON.encode(message, record.data)
        readable = orjson.loads(stored)
        exact = _JSON.wire(message_type, stored) == record.data
    except (InvalidOperation, Undecodable):
        readable = None  # an Any of an unknown type, for example: the wire bytes tell all
    return orjson.dumps(
        {
            "kind": record.kind,
            "id": record.id,
            "position": record.position,
            "revision": record.revision,
            "message": readable,
            "wire": None if exact else base64.b64encode(record.data).decode(),
        }
    )


def import_store(store: Store, path: Path, progress: Progress = lambda _: None) -> int:
    """Create all resources of a file in a store; return how many.

    Raises Conflict if one of them is there already: what was written before it stays. Raises BadBackup.
    """
    with path.open("rb") as file:
        return _create(store, (_put_of(line, number) for number, line in enumerate(file, 1)), progress)


def copy_store(source: Store, target: Store, progress: Progress = lambda _: None) -> int:
    """Create all resources of one store in another; return how many. Raises Conflict as `import_store` does."""
    return _create(target, (_put_of_record(record) for record in records(source)), progress)


def differences(source: Store, target: Store) -> Iterator[Difference]:
    """Yield the resources of `source` that `target` hasn't, or whose messages aren't byte-equal in canonical form."""
    for record in records(source):
        other = target.get_bytes(record.kind, record.id)
        if other is None:
            yield Difference(record.kind, record.id, "it is missing")
        elif other != record.data and _canonical(record.kind, other) != _canonical(record.kind, record.data):
            lost = "" if target.capabilities.keeps_unknown_fields else "; the target's codec keeps no unknown fields"
            yield Difference(record.kind, record.id, f"its message differs{lost}")


def _create(store: Store, puts: Iterable[Put], progress: Progress) -> int:
    done, waiting = 0, iter(puts)
    while batch := list(islice(waiting, BATCH_RESOURCES)):
        store.commit(batch)
        done += len(batch)
        progress(done)
    return done


def _put_of_record(record: Record) -> Put:
    message = KINDS[record.kind].message_type.FromString(record.data)
    return Put(record.kind, record.id, message, "absent", data=record.data)


def _put_of(line: bytes, number: int) -> Put:
    try:
        row = orjson.loads(line)
        kind, id_, wire = row["kind"], row["id"], row.get("wire")
        message_type = KINDS[kind].message_type
        if wire is None:
            message: Message = _JSON.message(message_type, orjson.dumps(row["message"]))
            return Put(kind, id_, message, "absent")
        data = base64.b64decode(wire, validate=True)
        return Put(kind, id_, message_type.FromString(data), "absent", data=data)
    except (ValueError, KeyError, TypeError, AttributeError, Undecodable, DecodeError, binascii.Error) as error:
        reason = f"unknown kind {error}" if isinstance(error, KeyError) else str(error)
        raise BadBackup(
            f"line {number} is no resource: {reason}", hint="was the file made by `parity stores export`, and whole?"
        ) from error


def _canonical(kind: str, data: bytes) -> bytes:
    return canonical_bytes(KINDS[kind].message_type.FromString(data))
