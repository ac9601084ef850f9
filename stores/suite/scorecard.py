"""Which states of the contract a run has reached: a suite that never met a conflict has proven nothing about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from google.protobuf.message import Message

from stores.contract import Access, Batch, Capabilities, IndexKey, Record, SizeOnDisk, Store, StoreError
from stores.schema import KINDS, Schema
from stores.suite.check import StoreUnderTest

States = Counter[tuple[str, str]]
"""How often an operation ended in a way."""

EXPECTED: tuple[tuple[str, str], ...] = (
    *[("commit", end) for end in ("created", "nothing created", "Conflict", "RevisionConflict", "InvalidOperation")],
    *[("commit", "StoreClosed")],
    *[("commit_many", end) for end in ("created", "Conflict", "InvalidOperation", "no batch", "StoreClosed")],
    *[(read, end) for read in ("get", "get_bytes", "get_record") for end in ("found", "missing")],
    *[(read, end) for read in ("get", "get_bytes", "get_record") for end in ("InvalidOperation", "StoreClosed")],
    *[("find", end) for end in ("found", "missing", "InvalidOperation", "StoreClosed")],
    *[("scan", end) for end in ("all", "index", "after", "limit", "InvalidOperation", "StoreClosed")],
    *[("scan next", end) for end in ("record", "end", "StoreClosed")],
    *[("count", end) for end in ("some", "none", "InvalidOperation", "StoreClosed")],
    *[("last_position", end) for end in ("some", "none", "StoreClosed")],
    *[("size_on_disk", end) for end in ("answered", "StoreClosed")],
    *[("compact", end) for end in ("answered", "StoreClosed")],
)
"""Every operation with every way it can end that a check can bring about on any store."""


@dataclass(frozen=True)
class ScoredSubject:
    """A subject whose stores write down which states they reach."""

    subject: StoreUnderTest
    states: States = field(default_factory=Counter)

    @property
    def folder(self) -> Path:
        """See `StoreUnderTest`."""
        return self.subject.folder

    def open(self, name: str) -> Store:
        """See `StoreUnderTest`."""
        return ScoredStore(self.subject.open(name), self.states)

    def open_for(self, name: str, access: Access, schema: Schema = KINDS) -> Store:
        """See `StoreUnderTest`."""
        return ScoredStore(self.subject.open_for(name, access, schema), self.states)

    def open_command(self, name: str) -> list[str] | None:
        """See `StoreUnderTest`."""
        return self.subject.open_command(name)

    def url_of(self, name: str) -> str | None:
        """See `StoreUnderTest`."""
        return self.subject.url_of(name)

    def never_reached(self) -> list[tuple[str, str]]:
        """Return the expected states that no operation ended in."""
        return [state for state in EXPECTED if not self.states[state]]


class ScoredStore:
    """A store that writes down how each operation ended."""

    def __init__(self, store: Store, states: States) -> None:
        self._store = store
        self._states = states

    @property
    def capabilities(self) -> Capabilities:
        """See `Store`."""
        return self._store.capabilities

    def _score(self, operation: str, call: Callable[[], Any], end: Callable[[Any], str]) -> Any:  # noqa: ANN401
        try:
            answer = call()
        except StoreError as error:
            self._states[operation, type(error).__name__] += 1
            raise
        self._states[operation, end(answer)] += 1
        return answer

    def commit(self, batch: Batch) -> int:
        """See `Store`."""
        answer: int = self._score("commit", lambda: self._store.commit(batch), _created)
        return answer

    def commit_many(self, batches: Sequence[Batch]) -> list[int | StoreError]:
        """See `Store`."""
        outcomes: list[int | StoreError] = self._score(
            "commit_many", lambda: self._store.commit_many(batches), lambda answer: "answered" if answer else "no batch"
        )
        for outcome in outcomes:
            self._states["commit_many", _created(outcome)] += 1
        return outcomes

    def get(self, kind: str, id: str) -> Message | None:  # noqa: A002 - the field's name in the wire contract
        """See `Store`."""
        message: Message | None = self._score("get", lambda: self._store.get(kind, id), _found)
        return message

    def get_bytes(self, kind: str, id: str) -> bytes | None:  # noqa: A002
        """See `Store`."""
        data: bytes | None = self._score("get_bytes", lambda: self._store.get_bytes(kind, id), _found)
        return data

    def get_record(self, kind: str, id: str) -> Record | None:  # noqa: A002
        """See `Store`."""
        record: Record | None = self._score("get_record", lambda: self._store.get_record(kind, id), _found)
        return record

    def find(self, kind: str, index: str, key: IndexKey) -> str | None:
        """See `Store`."""
        found: str | None = self._score("find", lambda: self._store.find(kind, index, key), _found)
        return found

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
        scan: Iterator[Record] = self._score(
            "scan",
            lambda: self._store.scan(kind, index=index, key=key, after=after, limit=limit),
            lambda _: "limit" if limit is not None else "after" if after else "index" if index else "all",
        )
        return _ScoredScan(scan, self._score)

    def count(self, kind: str, *, index: str | None = None, key: IndexKey | None = None) -> int:
        """See `Store`."""
        number: int = self._score("count", lambda: self._store.count(kind, index=index, key=key), _some)
        return number

    def last_position(self) -> int:
        """See `Store`."""
        position: int = self._score("last_position", self._store.last_position, _some)
        return position

    def size_on_disk(self) -> SizeOnDisk:
        """See `Store`."""
        size: SizeOnDisk = self._score("size_on_disk", self._store.size_on_disk, lambda _: "answered")
        return size

    def compact(self) -> None:
        """See `Store`."""
        self._score("compact", self._store.compact, lambda _: "answered")

    def close(self) -> None:
        """See `Store`."""
        self._store.close()

    def __enter__(self) -> Self:
        self._store.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._store.__exit__(kind, error, trace)


class _ScoredScan:
    """A listing that writes down how each step ended."""

    def __init__(self, scan: Iterator[Record], score: Callable[..., Any]) -> None:
        self._scan = scan
        self._score = score

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Record:
        record: Record | None = self._score(
            "scan next", lambda: next(self._scan, None), lambda answer: "end" if answer is None else "record"
        )
        if record is None:
            raise StopIteration
        return record


def _created(outcome: int | StoreError) -> str:
    if isinstance(outcome, StoreError):
        return type(outcome).__name__
    return "created" if outcome else "nothing created"


def _found(answer: object) -> str:
    return "missing" if answer is None else "found"


def _some(number: int) -> str:
    return "some" if number else "none"
