"""Wrong stores of operators: numbers, values, what a reopened store has lost, and what is wrong once in 50 times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from google.protobuf.message import Message

from stores.contract import Batch, IndexKey, Put, Record
from stores.memory import MemoryStore, Name
from stores.suite.mutants.kept import RARE, Kept, Made, place_of


class _Writing(Kept):
    """Changes how a resource is written."""

    kind: str
    detail: str

    def _written(self, put: Put, now: Any) -> Any:  # noqa: ANN401 - the memory store's own records
        kept = super()._written(put, now)
        return self.spoil(kept, now) if put.kind == self.kind else kept

    def spoil(self, kept: Any, now: Any) -> Any:  # noqa: ANN401 - the memory store's own records
        """Return what is kept instead."""
        raise NotImplementedError


class _Moves(_Writing):
    def _written(self, put: Put, now: Any) -> Any:  # noqa: ANN401 - the memory store's own records
        return MemoryStore._written(self, put, None if put.kind == self.kind else now)  # noqa: SLF001 - its own


class _KeepsRevision(_Writing):
    def spoil(self, kept: Any, now: Any) -> Any:  # noqa: ANN401 - the memory store's own records
        if now is None or (self.detail == "same-bytes" and now.record.data != kept.record.data):
            return kept
        return replace(kept, record=kept.record._replace(revision=now.record.revision))


def _writing(store: type[_Writing], kind: str, detail: str = "") -> Made:
    made = store()
    made.kind, made.detail = kind, detail
    return made


def position_moves(kind: str, _: str) -> Made:
    """Give an update a new position."""
    return _writing(_Moves, kind)


def revision_kept(kind: str, detail: str) -> Made:
    """Keep the revision of an update, or of one that changes nothing."""
    return _writing(_KeepsRevision, kind, detail)


def position_reused(kind: str, _: str) -> Made:
    """Give out the position of the last resource again, once it is removed."""

    class Reuses(Kept):
        def _remove(self, name: Name) -> None:
            kept = self._kept.get(name)
            super()._remove(name)
            if kept and name[0] == kind and kept.record.position == self._position:
                self._position -= 1

    return Reuses()


def value_cut(of: str, detail: str) -> Made:
    """Cut the bytes of long messages, when one is read or when they are listed."""
    how, _, length = detail.partition("-")

    def cut(record: Record) -> Record:
        return record._replace(data=record.data[: int(length)]) if record.kind == of else record

    class Cuts(Kept):
        def get_record(self, kind: str, id: str) -> Record | None:  # noqa: A002 - as `Store`
            """See `Store`."""
            record = super().get_record(kind, id)
            return cut(record) if record and how == "read" else record

        def scan(self, kind: str, **rest: Any) -> Iterator[Record]:  # noqa: ANN401 - as `Store`
            """See `Store`."""
            found = super().scan(kind, **rest)
            return map(cut, found) if how == "listed" else found

    return Cuts()


def message_shared(of: str, _: str) -> Made:
    """Hand out one message to all who get a resource of a kind."""

    class Shares(Kept):
        def __init__(self) -> None:
            super().__init__()
            self.given: dict[tuple[str, int], Message] = {}

        def get(self, kind: str, id: str) -> Message | None:  # noqa: A002 - as `Store`
            """See `Store`."""
            message, record = super().get(kind, id), super().get_record(kind, id)
            if message is None or record is None or kind != of:
                return message
            return self.given.setdefault((id, record.revision), message)

    return Shares()


def lost_on_reopen(where: str, _: str) -> Made:
    """Forget a kind, or the rows of an index, when the store is opened again."""
    kind, index = place_of(where)

    class Forgets(Kept):
        def take_over(self, earlier: MemoryStore) -> None:
            """See `Kept`."""
            super().take_over(earlier)
            for name, kept in list(self._kept.items()):
                if name[0] == kind:
                    self._remove(name)
                    if index:
                        self._insert(name, replace(kept, keys=tuple(key for key in kept.keys if key[0] != index)))

    return Forgets()


def numbers_restart(which: str, _: str) -> Made:
    """Begin to number anew, behind what is still there, when the store is opened again."""

    class Restarts(Kept):
        def take_over(self, earlier: MemoryStore) -> None:
            """See `Kept`."""
            super().take_over(earlier)
            records = [kept.record for kept in self._kept.values()]
            highest = max((getattr(record, which) for record in records), default=0)
            setattr(self, f"_{which}", highest)

    return Restarts()


def numbers_compacted(which: str, _: str) -> Made:
    """Forget, when compacting, the numbers that were given out: opened again, number on behind what is there."""

    class Compacts(Kept):
        def compact(self) -> None:
            """See `Store`."""
            super().compact()
            self.__dict__["is_compacted"] = True

        def take_over(self, earlier: MemoryStore) -> None:
            """See `Kept`."""
            super().take_over(earlier)
            if earlier.__dict__.get("is_compacted"):
                records = [kept.record for kept in self._kept.values()]
                setattr(self, f"_{which}", max((getattr(record, which) for record in records), default=0))

    return Compacts()


def rarely_wrong(what: str, _: str) -> Made:
    """Answer one of 50 calls wrongly."""
    calls: list[int] = []

    def is_due() -> bool:
        calls.append(1)
        return len(calls) % RARE == RARE // 2

    class Errs(Kept):
        def commit(self, batch: Batch) -> int:
            """See `Store`."""
            position = super().commit(batch)
            return position + 1 if what == "commit" and position and is_due() else position

        def get_record(self, kind: str, id: str) -> Record | None:  # noqa: A002 - as `Store`
            """See `Store`."""
            record = super().get_record(kind, id)
            return None if what == "get" and record and is_due() else record

        def find(self, kind: str, index: str, key: IndexKey) -> str | None:
            """See `Store`."""
            found = super().find(kind, index, key)
            return None if what == "find" and found and is_due() else found

        def scan(self, kind: str, **rest: Any) -> Iterator[Record]:  # noqa: ANN401 - as `Store`
            """See `Store`."""
            found = list(super().scan(kind, **rest))
            return iter(found[:-1] if what == "scan" and found and is_due() else found)

        def count(self, kind: str, *, index: str | None = None, key: IndexKey | None = None) -> int:
            """See `Store`."""
            number = super().count(kind, index=index, key=key)
            return number - 1 if what == "count" and number and is_due() else number

    return Errs()
