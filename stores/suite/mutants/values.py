"""Stores that spoil numbers, messages or ids."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson
from google.protobuf import json_format
from google.protobuf.message import Message

from stores.codecs import JsonOrjsonCodec
from stores.contract import (
    Batch,
    Delete,
    Put,
    Record,
)
from stores.memory import MemoryStore

IDS_BELOW = 65536


class ListsShortIds(MemoryStore):
    """Keeps the length of an id in 16 bits, and lists of a longer one what these bits say."""

    def scan(self, kind: str, **rest: Any) -> Iterator[Record]:  # noqa: ANN401 - as `Store`
        """See `Store`."""
        return map(_shortened, super().scan(kind, **rest))


def _shortened(record: Record) -> Record:
    length = len(record.id.encode())
    return record if length < IDS_BELOW else record._replace(id=record.id[: length % IDS_BELOW])


class UpdateMovesToEnd(MemoryStore):
    """An update gives a new position."""

    def _written(self, put: Put, now: Any) -> Any:  # noqa: ANN401, ARG002 - the sin is not to look at what was there
        return super()._written(put, None)


class ReusesPositions(MemoryStore):
    """The next position is one behind the last that is still in use."""

    def commit(self, batch: Batch) -> int:
        """See `Store`."""
        self._position = max((position for order in self._order.values() for position in order), default=0)
        return super().commit(batch)


class RevisionRestarts(MemoryStore):
    """Counts a resource's revisions from 1, also when it is created again."""

    def _written(self, put: Put, now: Any) -> Any:  # noqa: ANN401 - the memory store's own record
        kept = super()._written(put, now)
        return replace(kept, record=kept.record._replace(revision=1 if now is None else now.record.revision + 1))


class SharesMessages(MemoryStore):
    """Answers every get of an unchanged resource with one and the same message."""

    def get(self, kind: str, id: str) -> Message | None:  # noqa: A002 - the field's name in the wire contract
        """See `Store`."""
        record = self.get_record(kind, id)
        cache: dict[object, Message | None] = self.__dict__.setdefault("_messages", {})
        name = (kind, id, record and record.revision)
        if name not in cache:
            cache[name] = super().get(kind, id)
        return cache[name]


class DropsUnknownFields(MemoryStore):
    """Forgets fields that the schema doesn't know, though it says that it keeps them."""

    def commit(self, batch: Batch) -> int:
        """See `Store`."""
        return super().commit([_known_only(op) if isinstance(op, Put) else op for op in batch])


def _known_only(put: Put) -> Put:
    if put.message is None:
        return put
    message = type(put.message)()
    message.CopyFrom(put.message)
    message.DiscardUnknownFields()
    return put._replace(message=message, data=None)


class ForgetsGivenKeys(MemoryStore):
    """Doesn't index what comes without its message."""

    def commit(self, batch: Batch) -> int:
        """See `Store`."""
        without = [op._replace(keys=()) if isinstance(op, Put) and op.message is None else op for op in batch]
        return super().commit(without)


class TakesHalfPuts(MemoryStore):
    """Makes up what a put without message lacks."""

    def commit(self, batch: Batch) -> int:
        """See `Store`."""
        return super().commit([_whole(op) if isinstance(op, Put) and op.message is None else op for op in batch])


def _whole(put: Put) -> Put:
    return put._replace(data=put.data or b"", keys=put.keys or ())


class CutsIdsAtNul(MemoryStore):
    """Takes an id as C does: up to the first NUL."""

    def commit(self, batch: Batch) -> int:
        """See `Store`."""
        return super().commit([op._replace(id=_cut(op.id)) if isinstance(op, Put | Delete) else op for op in batch])

    def get_record(self, kind: str, id: str) -> Record | None:  # noqa: A002
        """See `Store`."""
        return super().get_record(kind, _cut(id) if id else id)


def _cut(id_: str) -> str:
    return (id_.partition("\0")[0] or "_") if id_ else id_


class RoundsNumbers(JsonOrjsonCodec):
    """Reads 64-bit integers as JavaScript does: as floating point numbers."""

    def _load(self, message_type: type[Message], stored: bytes) -> Message:
        return json_format.ParseDict(_rounded(orjson.loads(stored)), message_type())


def _rounded(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    if isinstance(value, str) and value.lstrip("-").isdigit() and abs(int(value)) > 2**53:
        return str(int(float(value)) - (1 if float(value) >= 2**63 else 0))
    return value
