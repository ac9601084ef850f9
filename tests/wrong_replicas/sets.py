"""Sets of two replicas, each right when it is alone and wrong beside the other: what the requirements REP-* must catch.

A set shares one store in memory, as real ones share a database.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from math import inf
from queue import SimpleQueue
from typing import Any, TypeVar

from reference_server.clock import Clock
from stores.contract import Batch, BatchOperation, Capabilities, Delete, IndexKey, Put, Record, Store, StoreError
from stores.memory import MemoryStore
from tests.mutants.hosting import reference
from tests.wrong_replicas.wrong_store import WrongStore

KEPT_SECONDS = 60.0
"""What is remembered is remembered for longer than a check takes, so that it is met for certain."""
LATE_SECONDS = 2.0
APART = 1000
"""So far the positions of two replicas that count for themselves are apart."""
RESOURCES = frozenset({"agent", "agent_instance", "environment"})
T = TypeVar("T")


@dataclass
class Shared:
    """What the replicas of one set have in common."""

    store: MemoryStore = field(default_factory=MemoryStore)
    replicas: list[Replica] = field(default_factory=list)


class Replica(WrongStore):
    """A right one: it reads and writes what all share, and says that others do so too."""

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared.store)
        self.shared, self.number = shared, len(shared.replicas)
        shared.replicas.append(self)

    @property
    def capabilities(self) -> Capabilities:
        return replace(self.inner.capabilities, shared_writers=True)


class Alone(Replica):
    """Remembers answers and decisions as the only writer of its store may."""

    @property
    def capabilities(self) -> Capabilities:
        return self.inner.capabilities


class _Keeps(Replica):
    """Remembers some of what it reads, until it writes something itself."""

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        self.known: dict[tuple[object, ...], tuple[float, Any]] = {}

    def keeps(self, question: str, kind: str, answer: object) -> bool:
        raise NotImplementedError

    def _remembered(self, read: Callable[[], T], question: str, kind: str, *how: object) -> T:
        now, name = time.monotonic(), (question, kind, *how)
        at, answer = self.known.get(name, (-inf, None))
        if now - at > KEPT_SECONDS:
            answer = read()
            if self.keeps(question, kind, answer):
                self.known[name] = (now, answer)
        found: T = answer
        return found

    def commit(self, batch: Batch) -> int:
        done = super().commit(batch)
        self.known.clear()
        return done

    def get_record(self, kind: str, id: str) -> Record | None:  # noqa: A002
        return self._remembered(lambda: self.inner.get_record(kind, id), "get", kind, id)

    def get_bytes(self, kind: str, id: str) -> bytes | None:  # noqa: A002
        record = self.get_record(kind, id)
        return None if record is None else record.data

    def find(self, kind: str, index: str, key: IndexKey) -> str | None:
        return self._remembered(lambda: self.inner.find(kind, index, key), "find", kind, index, key)

    def scan(self, kind: str, **how: Any) -> Iterator[Record]:
        asked = repr(sorted(how.items()))
        return iter(self._remembered(lambda: list(self.inner.scan(kind, **how)), "scan", kind, asked))

    def count(self, kind: str, *, index: str | None = None, key: IndexKey | None = None) -> int:
        return self._remembered(lambda: self.inner.count(kind, index=index, key=key), "count", kind, index, key)


class KeepsAnswers(_Keeps):
    """Remembers the resources that it has read."""

    def keeps(self, question: str, kind: str, answer: object) -> bool:
        return question == "get" and kind in RESOURCES and answer is not None


class KeepsAbsences(_Keeps):
    """Remembers what it has looked for and not found."""

    def keeps(self, question: str, kind: str, answer: object) -> bool:
        return question in {"get", "find"} and kind in RESOURCES and answer is None


class KeepsLists(_Keeps):
    """Remembers the lists that it has shown."""

    def keeps(self, question: str, kind: str, answer: object) -> bool:
        return question in {"scan", "count"} and kind in RESOURCES


class KeepsDecisions(_Keeps):
    """Remembers which policies there are."""

    def keeps(self, question: str, kind: str, answer: object) -> bool:
        return kind == "iam_policy" and bool(answer)


class KeepsRefusals(_Keeps):
    """Remembers which policies there aren't."""

    def keeps(self, question: str, kind: str, answer: object) -> bool:
        return kind == "iam_policy" and not answer


class TellsItsOwn(Replica):
    """Tells watchers of what it has done itself."""

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        self.own: set[str] = set()

    def commit(self, batch: Batch) -> int:
        self.own |= {each.id for each in batch if isinstance(each, Put) and each.kind == "event"}
        return super().commit(batch)

    def scan(self, kind: str, **how: Any) -> Iterator[Record]:
        rows = self.inner.scan(kind, **how)
        return rows if kind != "event" else (row for row in rows if row.id in self.own)


class TellsOthersLate(TellsItsOwn):
    """Tells watchers of what others have done later than of what it has done itself."""

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        self.first_seen: dict[str, float] = {}

    def scan(self, kind: str, **how: Any) -> Iterator[Record]:
        rows = self.inner.scan(kind, **how)
        return rows if kind != "event" else (row for row in rows if self._is_told(row.id))

    def _is_told(self, event: str) -> bool:
        now = time.monotonic()
        return event in self.own or now - self.first_seen.setdefault(event, now) > LATE_SECONDS


class CountsForItself(Replica):
    """Tells watchers positions that it has counted itself."""

    @property
    def apart(self) -> int:
        return APART * self.number

    def last_position(self) -> int:
        return self.inner.last_position() + self.apart

    def scan(self, kind: str, **how: Any) -> Iterator[Record]:
        if kind != "event":
            return self.inner.scan(kind, **how)
        here = how | {"after": max(0, (how.get("after") or 0) - self.apart)}
        return (row._replace(position=row.position + self.apart) for row in self.inner.scan(kind, **here))


class HandsOnLater(Replica):
    """Writes resources into a store of its own, and lets the others have them later."""

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        self.inner = MemoryStore()
        self.sent: SimpleQueue[tuple[float, Sequence[Put | Delete]]] = SimpleQueue()
        threading.Thread(target=self._receive, name="hand-on", daemon=True).start()

    def commit(self, batch: Batch) -> int:
        done = self.inner.commit(batch)
        changes = [each for each in batch if isinstance(each, Put | Delete)]
        policies = [each for each in changes if each.kind not in RESOURCES]
        for other in self.shared.replicas:
            if other is not self and isinstance(other, HandsOnLater):
                other.take(policies)
                other.sent.put((time.monotonic() + LATE_SECONDS, [each for each in changes if each.kind in RESOURCES]))
        return done

    def _receive(self) -> None:
        while True:
            due, batch = self.sent.get()
            time.sleep(max(0.0, due - time.monotonic()))
            self.take(batch)

    def take(self, batch: Sequence[Put | Delete]) -> None:
        """Write what another has decided; what doesn't fit is dropped."""
        try:
            self.inner.commit([each._replace(precondition="any", expect=None) for each in batch])
        except StoreError:
            return


class WritesOver(Replica):
    """Makes ids of the time alone, as the others do, and writes over what has one already."""

    def commit(self, batch: Batch) -> int:
        return super().commit([_whatever_is_there(each) for each in batch])


def _whatever_is_there(operation: BatchOperation) -> BatchOperation:
    if isinstance(operation, Put) and operation.precondition == "absent":
        return operation._replace(precondition="any")
    return operation


class TimeIds:
    """Ids of the time alone: counted anew every fiftieth of a second."""

    def __init__(self) -> None:
        self.now = self.count = 0

    def __call__(self) -> str:
        now = time.time_ns() // 20_000_000
        self.now, self.count = max(now, self.now), self.count + 1 if now <= self.now else 0
        return f"{self.now:020d}{self.count:06d}"


@dataclass(frozen=True, slots=True)
class Set:
    """One set: what is wrong with it, the requirements that it breaks for certain, and how its replicas are made."""

    sin: str
    asked: tuple[str, ...]
    store: Callable[[Shared], Store]
    new_ulid: Callable[[], Callable[[], str]] | None = None
    fast_paths: bool = False


def _set(store: type[Replica], *asked: str, **how: Any) -> Set:
    return Set((store.__doc__ or "").strip(), asked, store, **how)


SETS = {
    "alone": _set(Alone, "REP-READ", "REP-REVOKE", fast_paths=True),
    "keeps-answers": _set(KeepsAnswers, "REP-READ"),
    "keeps-absences": _set(KeepsAbsences, "REP-READ"),
    "keeps-lists": _set(KeepsLists, "REP-READ", "REP-LIST"),
    "keeps-decisions": _set(KeepsDecisions, "REP-REVOKE"),
    "keeps-refusals": _set(KeepsRefusals, "REP-REVOKE"),
    "tells-its-own": _set(TellsItsOwn, "REP-WATCH", "REP-RESUME"),
    "tells-others-late": _set(TellsOthersLate, "REP-WATCH"),
    "counts-for-itself": _set(CountsForItself, "REP-WATCH", "REP-RESUME"),
    "hands-on-later": _set(HandsOnLater, "REP-READ", "REP-LIST", "REP-RACE", "REP-UPDATE"),
    "writes-over": _set(WritesOver, "REP-IDS", new_ulid=TimeIds),
}
"""By name."""
RIGHT = Set("Nothing is wrong with it.", ("REP-*",), Replica, fast_paths=True)


@contextmanager
def served(wrong: Set, profile: str, count: int) -> Iterator[str]:
    """Serve a set; yield the target that names its replicas."""
    shared = Shared()
    with ExitStack() as stack:
        addresses = [stack.enter_context(_replica(wrong, profile, shared)) for _ in range(count)]
        yield ",".join(f"grpc://{address}" for address in addresses)


def _replica(wrong: Set, profile: str, shared: Shared) -> Any:
    clock = Clock(new_ulid=wrong.new_ulid()) if wrong.new_ulid else None
    return reference(profile, around=lambda _: wrong.store(shared), fast_paths=wrong.fast_paths, clock=clock)
