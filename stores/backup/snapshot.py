"""What a backup holds: all of a store at one moment, or what changed since an earlier one.

`Snapshot` is taken while nobody writes, which takes no longer than opening some scans; it is read while others write.
An increment knows by the event channel what was changed or removed. Of kinds whose changes are no events it says more:
of policies, which are never changed, those that remain; of events, which go from the oldest on, where they begin; and
it holds all cursors anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from heapq import merge
from typing import Any

from google.protobuf import descriptor_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from protos.parity.v1.admin_pb2 import BackupBlock, BackupCount, BackupHeader, BackupName, BackupRecord
from stores.contract import Record, Store
from stores.schema import KINDS

FORMAT = 1
BLOCK_BYTES = 256 * 1024
"""A block is closed when it has as many: what is lost with one damaged byte, and what is held in memory at a time."""
EVENT, CURSOR, POLICY = "event", "cursor", "iam_policy"

Name = tuple[str, str]
"""Kind and id."""


@dataclass(slots=True)
class Changed:
    """What events say was changed or removed: kinds and ids, up to a position of the event channel."""

    position: int
    names: set[Name] = field(default_factory=set)

    def read(self, store: Store) -> None:
        """Read the events behind the position. Raises what a scan raises."""
        kinds = {kind.message_type.DESCRIPTOR.full_name: name for name, kind in KINDS.items()}
        for record in store.scan(EVENT, after=self.position):
            event = KINDS[EVENT].message_type.FromString(record.data)
            self.names.add((kinds[event.data.type_url.rpartition("/")[2]], event.subject))  # type: ignore[attr-defined]
            self.position = record.position


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A backup that only needs to be read."""

    header: BackupHeader
    records: Iterator[Record]
    """All, or those behind the increment's begin, in the order of creation."""
    changed: tuple[Record, ...] = ()
    removed: tuple[Name, ...] = ()
    policies: Iterable[Record] = ()
    """All, to see which remain."""
    first_event: int = 0
    """The position of the first event, if the backup is an increment."""

    def blocks(self) -> Iterator[BackupBlock]:
        """Yield the contents. Raises what a scan raises."""
        if self.header.since_position:
            yield from self._removals()
        yield from _blocks_of(self.changed)
        yield from _blocks_of(self.records)

    def _removals(self) -> Iterator[BackupBlock]:
        block = BackupBlock(removed=[BackupName(kind=kind, id=id_) for kind, id_ in self.removed])
        block.remaining.add(kind=EVENT, all_from=self.first_event)
        since = self.header.since_position
        remaining = block.remaining.add(kind=POLICY, all_from=since + 1)
        ids = hashlib.sha256()
        for record in self.policies:
            if record.position > since:
                break
            remaining.positions.append(record.position)
            ids.update(record.id.encode() + b"\n")
        remaining.ids_sha256 = ids.digest()
        yield block


def take_snapshot(store: Store, taken_at: Timestamp) -> Snapshot:
    """Take everything. Nobody may write until it returns."""
    return Snapshot(_header(store, taken_at, 0), _records(store, 0))


def take_increment(store: Store, taken_at: Timestamp, since: int, changed: Changed) -> Snapshot:
    """Take what changed since a position. Nobody may write until it returns.

    `changed` has been read before, so that only the last events are left to be read now. What was changed is held in
    memory until it is written.
    """
    changed.read(store)
    records = [record for record in store.scan(CURSOR) if record.position <= since]
    removed: list[Name] = []
    for name in sorted(changed.names):
        record = store.get_record(*name)
        if record is None:
            removed.append(name)
        elif record.position <= since:
            records.append(record)
    first_event = next((record.position for record in store.scan(EVENT, limit=1)), store.last_position() + 1)
    header, new = _header(store, taken_at, since), _records(store, since)
    return Snapshot(header, new, tuple(records), tuple(removed), store.scan(POLICY), first_event)


def _header(store: Store, taken_at: Timestamp, since: int) -> BackupHeader:
    counts = [BackupCount(kind=kind, resources=store.count(kind)) for kind in KINDS]
    return BackupHeader(
        format=FORMAT,
        contract=contract_digest(),
        taken_at=taken_at,
        since_position=since,
        position=store.last_position(),
        counts=counts,
    )


def _records(store: Store, after: int) -> Iterator[Record]:
    """Open the scans of all kinds at once; yield their resources in the order of creation."""
    return merge(*[store.scan(kind, after=after) for kind in KINDS], key=lambda record: record.position)


def _blocks_of(records: Iterable[Record]) -> Iterator[BackupBlock]:
    block, size = BackupBlock(), 0
    for kind, id_, position, _, data in records:
        block.records.append(BackupRecord(kind=kind, id=id_, position=position, data=data))
        size += len(data) + len(id_)
        if size >= BLOCK_BYTES:
            yield block
            block, size = BackupBlock(), 0
    if block.records:
        yield block


@cache
def contract_digest() -> str:
    """Return the SHA-256 of the descriptors of all kinds' messages, in hexadecimal."""
    files: dict[str, bytes] = {}
    waiting: list[Any] = [kind.message_type.DESCRIPTOR.file for kind in KINDS.values()]
    while waiting:
        file = waiting.pop()
        if file.name not in files:
            raw = descriptor_pb2.FileDescriptorProto()
            file.CopyToProto(raw)
            files[file.name] = raw.SerializeToString(deterministic=True)
            waiting += file.dependencies
    return hashlib.sha256(b"".join(files[name] for name in sorted(files))).hexdigest()
