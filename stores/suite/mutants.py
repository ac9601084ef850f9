"""Stores that are wrong on purpose, each named by its one sin. The suite must catch every one of them.

Most are the memory store with one method replaced; those whose sin is about reopening stand on `DictEngine`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
from google.protobuf import json_format
from google.protobuf.message import Message
from sortedcontainers import SortedDict

from stores import layout
from stores.codecs import Codec, JsonOrjsonCodec, ProtobufCodec
from stores.contract import (
    Batch,
    Delete,
    Durability,
    IndexKey,
    Present,
    Put,
    Record,
    Store,
    StoreError,
    Vacant,
)
from stores.keyvalue import KeyValueStore
from stores.memory import Draft, MemoryStore, Name
from stores.suite.dict_engine import DictEngine, Rows
from stores.suite.subject import FunctionSubject

# ---- preconditions and conditions


class LosesUpdate(MemoryStore):
    """Ignores `expect`: the later of two writers wins."""

    def commit(self, batch: Batch) -> int:
        """See `Store`."""
        return super().commit([op._replace(expect=None) if isinstance(op, Put | Delete) else op for op in batch])


class OverwritesOnCreate(MemoryStore):
    """Takes `absent` for `any`."""

    def commit(self, batch: Batch) -> int:
        """See `Store`."""
        return super().commit([_lenient(op, "absent") for op in batch])


class CreatesOnUpdate(MemoryStore):
    """Takes `present` for `any`."""

    def commit(self, batch: Batch) -> int:
        """See `Store`."""
        return super().commit([_lenient(op, "present") for op in batch])


class IgnoresVacant(MemoryStore):
    """Doesn't look whether a key is vacant."""

    def commit(self, batch: Batch) -> int:
        """See `Store`."""
        return super().commit([op for op in batch if not isinstance(op, Vacant)])


class IgnoresPresent(MemoryStore):
    """Doesn't look whether a resource is present."""

    def commit(self, batch: Batch) -> int:
        """See `Store`."""
        return super().commit([op for op in batch if not isinstance(op, Present)])


def _lenient(operation: Any, ignored: str) -> Any:  # noqa: ANN401 - any operation
    if isinstance(operation, Put | Delete) and operation.precondition == ignored:
        return operation._replace(precondition="any")
    return operation


# ---- batches


class TearsBatch(MemoryStore):
    """Applies a batch one operation after the other, and stops at the first that fails."""

    def commit(self, batch: Batch) -> int:
        """See `Store`."""
        conditions = [op for op in batch if isinstance(op, Vacant | Present)]
        created = [super(TearsBatch, self).commit([op]) for op in batch if not isinstance(op, Vacant | Present)]
        super().commit(conditions)
        return max(created, default=0)


class GroupFailsTogether(MemoryStore):
    """One failing batch of a group fails all."""

    def commit_many(self, batches: Sequence[Batch]) -> list[int | StoreError]:
        """See `Store`."""
        try:
            self.commit([op for batch in batches for op in batch])
        except StoreError as error:
            return [error for _ in batches]
        return super().commit_many([[] for _ in batches])


class GroupSkipsAfterFailure(MemoryStore):
    """Acknowledges the batches behind a failing one without writing them."""

    def commit_many(self, batches: Sequence[Batch]) -> list[int | StoreError]:
        """See `Store`."""
        outcomes: list[int | StoreError] = []
        failed = False
        for batch in batches:
            outcome = 0 if failed else super().commit_many([batch])[0]
            failed = failed or isinstance(outcome, StoreError)
            outcomes.append(outcome)
        return outcomes


# ---- indexes


class IgnoresUnique(MemoryStore):
    """Lets two resources have one unique key."""

    def _check_unique(self, draft: Draft) -> None:
        pass


class JudgesUniqueTooEarly(MemoryStore):
    """Judges unique keys against the state before the batch, so that keys can't be handed over."""

    def _check_unique(self, draft: Draft) -> None:
        for name, kept in draft.items():
            super()._check_unique({name: kept})
        super()._check_unique(draft)


class ForgetsIndexOnDelete(MemoryStore):
    """Leaves the index entries of a removed resource."""

    def find(self, kind: str, index: str, key: IndexKey) -> str | None:
        """See `Store`."""
        found = super().find(kind, index, key)
        gone: str | None = self._gone.get((kind, index, key))
        return found or gone

    def commit(self, batch: Batch) -> int:
        """See `Store`."""
        before = dict(self._kept)
        answer = super().commit(batch)
        for (kind, id_), kept in before.items():
            if (kind, id_) not in self._kept:
                self._gone.update({(kind, index, key): id_ for index, key in kept.keys})
        return answer

    @property
    def _gone(self) -> dict[tuple[str, str, IndexKey], str]:
        gone: dict[tuple[str, str, IndexKey], str] = self.__dict__.setdefault("_gone_entries", {})
        return gone


class KeepsOldIndexOnUpdate(MemoryStore):
    """An update adds the new index entries and leaves the old ones."""

    def _insert(self, name: Name, kept: Any) -> None:  # noqa: ANN401 - the memory store's own record
        ever = self.__dict__.setdefault("_ever", {})
        old = [key for key in ever.get(name, ()) if key not in kept.keys and key[0] not in ("slug_key", "tuple")]
        ever[name] = (*kept.keys, *old)
        super()._insert(name, replace(kept, keys=(*kept.keys, *old)))

    def _remove(self, name: Name) -> None:
        super()._remove(name)


class LeaksKeyPrefix(MemoryStore):
    """Lists by the beginning of a key: organization ns1 sees what ns10 has."""

    def scan(self, kind: str, **rest: Any) -> Iterator[Record]:  # noqa: ANN401 - as `Store`
        """See `Store`."""
        index, key = rest.get("index"), rest.get("key")
        if index is None or key is None or not super().count(kind, index=index, key=key):
            return super().scan(kind, **rest)
        keys = [k for of, name, k in self._entries if (of, name) == (kind, index) and k[-1].startswith(key[-1])]
        rest.pop("key")
        found = {r.position: r for k in sorted(keys) for r in super(LeaksKeyPrefix, self).scan(kind, key=k, **rest)}
        return iter([found[position] for position in sorted(found)])


class CountsCreatesOnly(MemoryStore):
    """Its count of a kind never falls."""

    def count(self, kind: str, *, index: str | None = None, key: IndexKey | None = None) -> int:
        """See `Store`."""
        now = super().count(kind, index=index, key=key)
        highest: dict[object, int] = self.__dict__.setdefault("_highest", {})
        highest[kind, index, key] = max(now, highest.get((kind, index, key), 0))
        return highest[kind, index, key]


# ---- listings


class LeaksKindPrefix(MemoryStore):
    """Kind `agent` sees the resources of kind `agent_instance` too."""

    def scan(self, kind: str, **rest: Any) -> Iterator[Record]:  # noqa: ANN401 - as `Store`
        """See `Store`."""
        found = list(super().scan(kind, **rest))
        if rest.get("index") is None:
            longer = [other for other in self._order if other.startswith(kind) and other != kind]
            found += [record for other in longer for record in super(LeaksKindPrefix, self).scan(other, **rest)]
        return iter(found)


class ListsStale(MemoryStore):
    """Answers a listing from a cache that is only filled anew when something is created."""

    def scan(self, kind: str, **rest: Any) -> Iterator[Record]:  # noqa: ANN401 - as `Store`
        """See `Store`."""
        cache = self.__dict__.setdefault("_cache", {})
        name = (kind, tuple(rest.items()), self._position)
        if name not in cache:
            cache[name] = list(super().scan(kind, **rest))
        self._check_open()
        return iter(cache[name])


class ListsLive(MemoryStore):
    """A listing reads on in whatever the state is by then."""

    def scan(self, kind: str, **rest: Any) -> Iterator[Record]:  # noqa: ANN401 - as `Store`
        """See `Store`."""
        super().scan(kind, **rest)
        return self._live(kind, rest)

    def _live(self, kind: str, rest: dict[str, Any]) -> Iterator[Record]:
        after, limit = rest.pop("after", 0), rest.pop("limit", None)
        while limit is None or limit > 0:
            record = next(super().scan(kind, after=after, limit=1, **rest), None)
            if record is None:
                return
            yield record
            after, limit = record.position, None if limit is None else limit - 1


class ListsById(MemoryStore):
    """Lists in the order of the ids."""

    def scan(self, kind: str, **rest: Any) -> Iterator[Record]:  # noqa: ANN401 - as `Store`
        """See `Store`."""
        limit = rest.pop("limit", None)
        return islice(iter(sorted(super().scan(kind, **rest), key=lambda record: record.id)), limit)


class CursorInclusive(MemoryStore):
    """Shows the resource at the cursor again."""

    def scan(self, kind: str, **rest: Any) -> Iterator[Record]:  # noqa: ANN401 - as `Store`
        """See `Store`."""
        rest["after"] = max(rest.get("after", 0) - 1, 0)
        return super().scan(kind, **rest)


class IgnoresLimit(MemoryStore):
    """Takes limit 0 for no limit."""

    def scan(self, kind: str, **rest: Any) -> Iterator[Record]:  # noqa: ANN401 - as `Store`
        """See `Store`."""
        rest["limit"] = rest.get("limit") or None
        return super().scan(kind, **rest)


# ---- numbers


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


# ---- messages


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


# ---- threads and closing


class ChecksWithoutLock(MemoryStore):
    """Checks unique keys and preconditions first, and writes later, with others in between."""

    def commit(self, batch: Batch) -> int:
        """See `Store`."""
        with self._lock:
            self._check_unique(self._draft_only(batch))
        time.sleep(0.0005)
        with self._lock:
            self._check_open()
            draft = self._draft([_trusting(op) for op in batch if isinstance(op, Put | Delete)])
            for name, kept in draft.items():
                self._remove(name)
                if kept is not None:
                    self._insert(name, kept)
            return self._position

    def _draft_only(self, batch: Batch) -> Draft:
        numbers = self._position, self._revision
        try:
            return self._draft(batch)
        finally:
            self._position, self._revision = numbers


def _trusting(operation: Put | Delete) -> Put | Delete:
    return operation._replace(precondition="any", expect=None)


class AnswersWhenClosed(MemoryStore):
    """Goes on reading after `close`."""

    def _check_open(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            super()._check_open()


# ---- reopening, over an engine


class LosesLastWrite(DictEngine):
    """Keeps the last write in a buffer that is forgotten at `close`."""

    def __init__(self, rows: Rows) -> None:
        super().__init__(rows)
        self._disk = rows
        self.rows = rows.copy()

    def write(self, changes: Iterable[tuple[bytes, bytes | None]], *, sync: bool) -> None:
        """See `Engine`."""
        self._disk.clear()
        self._disk.update(self.rows)
        super().write(changes, sync=sync)


class ForgetsNumbers(DictEngine):
    """Doesn't write the last position and revision."""

    def write(self, changes: Iterable[tuple[bytes, bytes | None]], *, sync: bool) -> None:
        """See `Engine`."""
        super().write([(key, value) for key, value in changes if key != layout.STATE_KEY], sync=sync)


class ForgetsRemovals(DictEngine):
    """Writes values, and never removes a key."""

    def write(self, changes: Iterable[tuple[bytes, bytes | None]], *, sync: bool) -> None:
        """See `Engine`."""
        super().write([(key, value) for key, value in changes if value is not None], sync=sync)


# ---- the table


def _memory(store: type[MemoryStore]) -> Callable[[Path], Store]:
    return lambda _: store()


def _over_dict(engine: type[DictEngine], codec: Callable[[], Codec] = ProtobufCodec) -> Callable[[Path], Store]:
    databases: dict[Path, Rows] = {}

    def opener(path: Path) -> Store:
        rows = databases.setdefault(path, SortedDict())
        return _NotExclusive(engine(rows), codec(), Durability.RELAXED)

    return opener


class _NotExclusive(KeyValueStore):
    """Over a dict nobody can lock anything."""

    def __init__(self, engine: DictEngine, codec: Codec, durability: Durability) -> None:
        super().__init__(engine, codec, durability)
        self.capabilities = replace(self.capabilities, exclusive=False)


MUTANTS: dict[str, Callable[[Path], Store]] = {
    "answers_when_closed": _memory(AnswersWhenClosed),
    "checks_without_lock": _memory(ChecksWithoutLock),
    "counts_creates_only": _memory(CountsCreatesOnly),
    "creates_on_update": _memory(CreatesOnUpdate),
    "cursor_inclusive": _memory(CursorInclusive),
    "cuts_ids_at_nul": _memory(CutsIdsAtNul),
    "drops_unknown_fields": _memory(DropsUnknownFields),
    "forgets_given_keys": _memory(ForgetsGivenKeys),
    "forgets_index_on_delete": _memory(ForgetsIndexOnDelete),
    "forgets_numbers": _over_dict(ForgetsNumbers),
    "forgets_removals": _over_dict(ForgetsRemovals),
    "group_fails_together": _memory(GroupFailsTogether),
    "group_skips_after_failure": _memory(GroupSkipsAfterFailure),
    "ignores_limit": _memory(IgnoresLimit),
    "ignores_present": _memory(IgnoresPresent),
    "ignores_unique": _memory(IgnoresUnique),
    "ignores_vacant": _memory(IgnoresVacant),
    "judges_unique_too_early": _memory(JudgesUniqueTooEarly),
    "keeps_old_index_on_update": _memory(KeepsOldIndexOnUpdate),
    "leaks_key_prefix": _memory(LeaksKeyPrefix),
    "leaks_kind_prefix": _memory(LeaksKindPrefix),
    "lists_by_id": _memory(ListsById),
    "lists_live": _memory(ListsLive),
    "lists_stale": _memory(ListsStale),
    "loses_last_write": _over_dict(LosesLastWrite),
    "loses_update": _memory(LosesUpdate),
    "overwrites_on_create": _memory(OverwritesOnCreate),
    "reuses_positions": _memory(ReusesPositions),
    "revision_restarts": _memory(RevisionRestarts),
    "rounds_numbers": _over_dict(DictEngine, RoundsNumbers),
    "shares_messages": _memory(SharesMessages),
    "takes_half_puts": _memory(TakesHalfPuts),
    "tears_batch": _memory(TearsBatch),
    "update_moves_to_end": _memory(UpdateMovesToEnd),
}
CORRECT: Callable[[Path], Store] = _over_dict(DictEngine)
"""What the mutants over an engine would be without their sins."""


def mutant(name: str, folder: Path) -> FunctionSubject:
    """Return a mutant as a subject."""
    return FunctionSubject(MUTANTS[name], folder)
