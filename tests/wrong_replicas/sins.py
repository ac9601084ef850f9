"""The sins: what each store does wrong, the faults under which that shows, and the rules that must break."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

from protos.parity.v1.event_pb2 import CloudEvent
from stores.contract import Batch, Conflict, Delete, IndexKey, Put, Record, Store, StoreClosed, StoreError
from stores.memory import MemoryStore
from stores.schema import KINDS
from tests.wrong_replicas.wrong_store import WrongStore

OLD_SECONDS = 2.0
OLD_SHARE = 0.3
LATE_SECONDS = 0.4


class _Behind(WrongStore):
    """Has somebody write a part of each batch later, when it was acknowledged long ago."""

    def later(self, seconds: float, batch: Batch) -> None:
        def write() -> None:
            try:
                with self.lock:
                    self.inner.commit(batch)
            except StoreError:
                return

        timer = threading.Timer(seconds, write)
        timer.daemon = True
        timer.start()


class AcksBeforeDurable(_Behind):
    """Answers out of memory, and writes to the disk later."""

    def __init__(self, inner: Store) -> None:
        self.disk = inner
        memory = MemoryStore()
        rows = sorted((row for kind in KINDS for row in inner.scan(kind)), key=lambda row: row.position)
        for row in rows:
            message = KINDS[row.kind].message_type.FromString(row.data)
            memory.commit([Put(row.kind, row.id, message)])
        super().__init__(memory)

    def commit(self, batch: Batch) -> int:
        with self.lock:
            done = self.inner.commit(batch)
            blunt = [_blunt(each) for each in batch if isinstance(each, Put | Delete)]
            timer = threading.Timer(LATE_SECONDS, partial(_write, self.disk, self.lock, blunt))
            timer.daemon = True
            timer.start()
            return done


def _write(store: Store, lock: threading.RLock, batch: Batch) -> None:
    with lock:
        try:
            store.commit(batch)
        except (StoreError, StoreClosed):
            return


def _blunt(operation: Put | Delete) -> Put | Delete:
    """The same without conditions: it was decided already."""
    return operation._replace(precondition="any", expect=None)


def _creates_agent(batch: Batch) -> bool:
    return any(isinstance(each, Put) and each.kind == "agent" and each.precondition == "absent" for each in batch)


class SplitsCreates(_Behind):
    """Writes the agent, acknowledges it, and writes its default instance in a commit of its own."""

    def commit(self, batch: Batch) -> int:
        parts = [each for each in batch if isinstance(each, Put) and each.kind == "agent_instance"]
        if not (parts and _creates_agent(batch)):
            return super().commit(batch)
        with self.lock:
            done = self.inner.commit([each for each in batch if each not in parts])
        self.later(LATE_SECONDS, parts)
        return done


class AnnouncesLater(_Behind):
    """Writes the events when the change has been acknowledged."""

    def commit(self, batch: Batch) -> int:
        events = [each for each in batch if isinstance(each, Put) and each.kind == "event"]
        if not events:
            return super().commit(batch)
        with self.lock:
            done = self.inner.commit([each for each in batch if each not in events])
        self.later(LATE_SECONDS, events)
        return done


class AnnouncesAgain(WrongStore):
    """Announces the last changes again after a start, as new events: it isn't sure that it did."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        for row in list(inner.scan("event"))[-5:]:
            event = CloudEvent.FromString(row.data)
            event.id = f"{event.id}-again"
            inner.commit([Put("event", event.id, event)])


class ForgetsDeletes(WrongStore):
    """Brings back the resources that were deleted last when it starts: their removal isn't in what it replays."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        for row in list(inner.scan("event")):
            event = CloudEvent.FromString(row.data)
            if event.type.endswith("agent.v1.deleted"):
                self._bring_back(event)

    def _bring_back(self, event: CloudEvent) -> None:
        agent: Any = KINDS["agent"].message_type.FromString(event.data.value)
        try:
            self.inner.commit([Put("agent", agent.metadata.id, agent, "absent")])
        except Conflict:
            return


class ReadsOld(WrongStore):
    """Reads one agent of three as it was up to two seconds ago: from a replica that lags."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.known: dict[str, tuple[float, Record | None]] = {}
        self.random = Random(0)

    def get_record(self, kind: str, id: str) -> Record | None:  # noqa: A002
        if kind != "agent" or self.random.random() > OLD_SHARE:
            return self.inner.get_record(kind, id)
        now = time.monotonic()
        at, record = self.known.get(id, (0.0, None))
        if now - at > OLD_SECONDS:
            at, record = self.known[id] = now, self.inner.get_record(kind, id)
        return record


class ListsOld(WrongStore):
    """Lists the agents as they were up to two seconds ago."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.known: dict[str, tuple[float, list[Record]]] = {}

    def scan(self, kind: str, **how: Any) -> Iterator[Record]:
        if kind != "agent" or how.get("after"):
            return self.inner.scan(kind, **how)
        now, asked = time.monotonic(), repr(sorted(how.items()))
        at, rows = self.known.get(asked, (0.0, []))
        if now - at > OLD_SECONDS:
            at, rows = self.known[asked] = now, list(self.inner.scan(kind, **how))
        return iter(rows)


class KeepsDecisions(WrongStore):
    """Remembers for two seconds which policies there are."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.known: dict[IndexKey, tuple[float, str | None]] = {}

    def find(self, kind: str, index: str, key: IndexKey) -> str | None:
        if (kind, index) != ("iam_policy", "tuple"):
            return self.inner.find(kind, index, key)
        now = time.monotonic()
        at, found = self.known.get(key, (0.0, None))
        if found is None or now - at > OLD_SECONDS:
            at, found = self.known[key] = now, self.inner.find(kind, index, key)
        return found


class NumbersEarly(WrongStore):
    """Gives an event its position when its commit begins, and shows it when that has ended: later ones come first."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.shown_from: dict[str, float] = {}
        self.random = Random(0)

    def commit(self, batch: Batch) -> int:
        for each in batch:
            if isinstance(each, Put) and each.kind == "event":
                self.shown_from[each.id] = time.monotonic() + self.random.choice([0.0, 0.0, 0.0, 0.1])
        return super().commit(batch)

    def scan(self, kind: str, **how: Any) -> Iterator[Record]:
        rows = self.inner.scan(kind, **how)
        if kind != "event":
            return rows
        now = time.monotonic()
        return (row for row in rows if self.shown_from.get(row.id, 0.0) <= now)


class SwallowsUpdates(WrongStore):
    """Acknowledges one update of twenty that it doesn't write."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.random = Random(0)

    def commit(self, batch: Batch) -> int:
        updates = any(
            isinstance(each, Put) and each.kind == "agent" and each.precondition == "present" for each in batch
        )
        if updates and self.random.random() < 0.05:
            return 0
        return super().commit(batch)


class RetriesWithoutToken(WrongStore):
    """Commits some creates again, as if the first had had no answer: the second finds what the first wrote."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.random = Random(0)

    def commit(self, batch: Batch) -> int:
        done = super().commit(batch)
        if _creates_agent(batch) and self.random.random() < 0.1:
            return super().commit(batch)
        return done


@dataclass(frozen=True, slots=True)
class Sin:
    """One wrong server: what it does, around which store, under which faults it is met, and what must break."""

    sentence: str
    store: Callable[[Store], Store]
    faults: tuple[str, ...]
    breaks: frozenset[str]


def _sin(store: Callable[[Store], Any], faults: str, *breaks: str) -> Sin:
    return Sin((store.__doc__ or "").strip(), store, tuple(faults.split(",")), frozenset(breaks))


SINS = {
    "acks-before-durable": _sin(AcksBeforeDurable, "kill", "NEM-LINEAR", "NEM-EVENT-LOST"),
    "splits-creates": _sin(SplitsCreates, "kill", "NEM-WHOLE"),
    "announces-later": _sin(AnnouncesLater, "kill", "NEM-EVENT-LOST"),
    "announces-again": _sin(AnnouncesAgain, "kill", "NEM-EVENT-TWICE"),
    "forgets-deletes": _sin(ForgetsDeletes, "kill", "NEM-LINEAR", "NEM-DELETE"),
    "reads-old": _sin(ReadsOld, "close", "NEM-LINEAR"),
    "lists-old": _sin(ListsOld, "close", "NEM-LINEAR"),
    "keeps-decisions": _sin(KeepsDecisions, "close", "NEM-LINEAR"),
    "numbers-early": _sin(NumbersEarly, "close", "NEM-EVENT-LOST"),
    "swallows-updates": _sin(SwallowsUpdates, "close", "NEM-LINEAR", "NEM-EVENT-LOST"),
    "retries-without-token": _sin(RetriesWithoutToken, "close", "NEM-LINEAR", "NEM-EVENT-TRUE"),
}
"""By name."""
