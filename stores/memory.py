"""A store in the process's memory: the simplest correct one, and so the oracle that others must agree with.

It shares no rule with `planning.py`: the contract is stated here a second time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from google.protobuf.message import Message
from sortedcontainers import SortedDict

from stores.contract import (
    POSITION_MAX,
    Batch,
    Capabilities,
    Conflict,
    Delete,
    Durability,
    IndexKey,
    InvalidOperation,
    Keys,
    Present,
    Put,
    Record,
    RevisionConflict,
    SizeOnDisk,
    StoreClosed,
    StoreError,
    Vacant,
)
from stores.schema import KINDS, Kind, Schema, kind_of

Name = tuple[str, str]
_NONE: SortedDict[int, str] = SortedDict()


@dataclass(frozen=True, slots=True)
class _Kept:
    record: Record
    keys: Keys


Draft = dict[Name, _Kept | None]
"""The resources that a batch touches, as they are after it, in the order of their last operations."""


class MemoryStore:
    """The contract over dicts. What it holds ends with it."""

    capabilities = Capabilities(
        engine="memory",
        codec="protobuf",
        durability=Durability.RELAXED,
        persistent=False,
        exclusive=False,
        compactable=False,
    )

    def __init__(self, schema: Schema = KINDS) -> None:
        self._schema = schema
        self._lock = threading.RLock()
        self._closed = False
        self._position = 0
        self._revision = 0
        self._kept: dict[Name, _Kept] = {}
        self._order: dict[str, SortedDict[int, str]] = {kind: SortedDict() for kind in schema}
        self._entries: dict[tuple[str, str, IndexKey], SortedDict[int, str]] = {}

    # ---- commits

    def commit(self, batch: Batch) -> int:
        """See `Store`."""
        with self._lock:
            self._check_open()
            position, revision = self._position, self._revision
            try:
                draft = self._draft(batch)
                self._check_unique(draft)
                for operation in batch:
                    if isinstance(operation, Vacant | Present):
                        self._check_condition(operation, draft)
            except StoreError:
                self._position, self._revision = position, revision
                raise
            for name, kept in draft.items():
                self._remove(name)
                if kept is not None:
                    self._insert(name, kept)
            return self._position if self._position > position else 0

    def commit_many(self, batches: Sequence[Batch]) -> list[int | StoreError]:
        """See `Store`."""
        outcomes: list[int | StoreError] = []
        with self._lock:
            self._check_open()
            for batch in batches:
                try:
                    outcomes.append(self.commit(batch))
                except StoreError as error:
                    outcomes.append(error)
        return outcomes

    def _draft(self, batch: Batch) -> Draft:
        draft: Draft = {}
        for operation in batch:
            kind = kind_of(self._schema, operation.kind)
            if isinstance(operation, Vacant | Present):
                continue
            _check_id(operation.kind, operation.id)
            if isinstance(operation, Put):
                _check_put(kind, operation)
            name = (operation.kind, operation.id)
            now = draft.pop(name) if name in draft else self._kept.get(name)
            _check_preconditions(operation, now)
            draft[name] = self._written(operation, now) if isinstance(operation, Put) else None
        return draft

    def _written(self, put: Put, now: _Kept | None) -> _Kept:
        self._revision += 1
        if now is None and put.position is not None and put.position <= self._position:
            raise InvalidOperation(f"position {put.position} is not beyond {self._position}")
        if now is None:
            self._position = self._position + 1 if put.position is None else put.position
        position = self._position if now is None else now.record.position
        if put.data is None and put.message is not None:
            data = put.message.SerializeToString(deterministic=True)
        else:
            data = put.data or b""
        keys = self._schema[put.kind].entries(put.message) if put.keys is None else put.keys
        keys = tuple(sorted(set(keys), key=list(keys).index))
        return _Kept(Record(put.kind, put.id, position, self._revision, data), keys)

    def _check_unique(self, draft: Draft) -> None:
        claimed: dict[tuple[str, str, IndexKey], str] = {}
        for (kind, id_), kept in draft.items():
            for index, key in kept.keys if kept else ():
                if index not in self._schema[kind].unique:
                    continue
                for holder in self._under(kind, index, key).values():
                    if holder != id_ and _holds(draft, self._kept, (kind, holder), (index, key)):
                        raise Conflict(kind, key, holder, index=index)
                first = claimed.setdefault((kind, index, key), id_)
                if first != id_:
                    raise Conflict(kind, key, first, index=index)

    def _check_condition(self, condition: Vacant | Present, draft: Draft) -> None:
        kind = kind_of(self._schema, condition.kind)
        if isinstance(condition, Present):
            _check_id(kind.name, condition.id)
            name = (kind.name, condition.id)
            if (draft[name] if name in draft else self._kept.get(name)) is None:
                raise Conflict(kind.name, condition.id, None)
            return
        _check_key(kind.index(condition.index).name, condition.key)
        after: dict[str, _Kept | None] = {name[1]: self._kept[name] for name in self._names_under(condition)}
        after |= {id_: kept for (of, id_), kept in draft.items() if of == kind.name}
        entry = (condition.index, condition.key)
        holders = [
            kept.record.position
            for id_, kept in after.items()
            if kept is not None and entry in kept.keys and id_ != condition.unless
        ]
        if holders:
            first = min(holders)
            holder = next(id_ for id_, kept in after.items() if kept is not None and kept.record.position == first)
            raise Conflict(kind.name, condition.key, holder, index=condition.index)

    # ---- what is kept

    def _under(self, kind: str, index: str, key: IndexKey) -> SortedDict[int, str]:
        return self._entries.get((kind, index, key), _NONE)

    def _names_under(self, vacant: Vacant) -> list[Name]:
        return [(vacant.kind, id_) for id_ in self._under(vacant.kind, vacant.index, vacant.key).values()]

    def _remove(self, name: Name) -> None:
        kept = self._kept.pop(name, None)
        if kept is None:
            return
        position = kept.record.position
        del self._order[name[0]][position]
        for index, key in kept.keys:
            entries = self._entries[name[0], index, key]
            del entries[position]
            if not entries:
                del self._entries[name[0], index, key]

    def _insert(self, name: Name, kept: _Kept) -> None:
        kind, id_ = name
        self._kept[name] = kept
        self._order[kind][kept.record.position] = id_
        for index, key in kept.keys:
            self._entries.setdefault((kind, index, key), SortedDict())[kept.record.position] = id_

    # ---- reads

    def get(self, kind: str, id: str) -> Message | None:  # noqa: A002 - the field's name in the wire contract
        """See `Store`."""
        data = self.get_bytes(kind, id)
        return None if data is None else self._schema[kind].message_type.FromString(data)

    def get_bytes(self, kind: str, id: str) -> bytes | None:  # noqa: A002
        """See `Store`."""
        record = self.get_record(kind, id)
        return None if record is None else record.data

    def get_record(self, kind: str, id: str) -> Record | None:  # noqa: A002
        """See `Store`."""
        kind_of(self._schema, kind)
        _check_id(kind, id)
        with self._lock:
            self._check_open()
            kept = self._kept.get((kind, id))
        return None if kept is None else kept.record

    def find(self, kind: str, index: str, key: IndexKey) -> str | None:
        """See `Store`."""
        return next((record.id for record in self.scan(kind, index=index, key=key, limit=1)), None)

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
        with self._lock:
            positions = self._select(kind, index, key)
            chosen: list[Record] = []
            for position in positions.irange(minimum=after, inclusive=(False, True)):
                if limit is not None and len(chosen) >= limit:
                    break
                chosen.append(self._kept[kind, positions[position]].record)
        return self._yield(chosen)

    def _yield(self, records: Sequence[Record]) -> Iterator[Record]:
        for record in records:
            self._check_open()
            yield record

    def count(self, kind: str, *, index: str | None = None, key: IndexKey | None = None) -> int:
        """See `Store`."""
        with self._lock:
            return len(self._select(kind, index, key))

    def _select(self, kind: str, index: str | None, key: IndexKey | None) -> SortedDict[int, str]:
        """Return position -> id of a kind or an index key, after checking the arguments."""
        self._check_open()
        known = kind_of(self._schema, kind)
        if index is None and key is None:
            return self._order[kind]
        if index is None or key is None:
            raise InvalidOperation("an index needs a key, and a key needs an index")
        _check_key(known.index(index).name, key)
        return self._under(kind, index, key)

    def last_position(self) -> int:
        """See `Store`."""
        with self._lock:
            self._check_open()
            return self._position

    # ---- the whole store

    def size_on_disk(self) -> SizeOnDisk:
        """See `Store`: nothing."""
        self._check_open()
        return SizeOnDisk(0, 0)

    def compact(self) -> None:
        """See `Store`: nothing to do."""
        self._check_open()

    def close(self) -> None:
        """See `Store`."""
        with self._lock:
            self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosed("the memory store is closed", hint="what it held is gone; open a new one")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _holds(draft: Draft, stored: dict[Name, _Kept], name: Name, entry: tuple[str, IndexKey]) -> bool:
    """Say whether a resource has an index key after the batch."""
    kept = draft[name] if name in draft else stored.get(name)
    return kept is not None and entry in kept.keys


def _check_preconditions(operation: Put | Delete, now: _Kept | None) -> None:
    match operation.precondition:
        case "absent" if now is not None:
            raise Conflict(operation.kind, operation.id, operation.id)
        case "present" if now is None:
            raise Conflict(operation.kind, operation.id, None)
        case "any" | "absent" | "present":
            pass
        case unknown:
            raise InvalidOperation(f"unknown precondition {unknown!r}; there are: any, absent, present")
    if operation.expect is not None and (now is None or now.record.revision != operation.expect):
        raise RevisionConflict(operation.kind, operation.id, operation.id if now else None)


def _check_put(kind: Kind, put: Put) -> None:
    _check_id(kind.name, put.id)
    if (put.position or 0) > POSITION_MAX:
        raise InvalidOperation(f"position {put.position} is beyond {POSITION_MAX}")
    for index, key in put.keys or ():
        _check_key(kind.index(index).name, key)
    is_bytes = put.message is None and put.data is not None and put.keys is not None
    if not (is_bytes or isinstance(put.message, kind.message_type)):
        raise InvalidOperation(f"{kind.name} {put.id!r} is put without a message of its kind")


def _check_id(kind: str, id_: str) -> None:
    if id_ == "" or not _is_text(id_):
        raise InvalidOperation(f"{kind}: {id_!r} is no id")


def _check_key(index: str, key: object) -> None:
    if not (isinstance(key, tuple) and key and all(isinstance(part, str) and _is_text(part) for part in key)):
        raise InvalidOperation(f"index {index!r}: {key!r} is no key")


def _is_text(text: str) -> bool:
    """Say whether it can be written as UTF-8: it has no half of a surrogate pair."""
    return text.isascii() or not any("\ud800" <= each <= "\udfff" for each in text)
