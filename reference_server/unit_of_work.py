"""The unit of work of one request: stages what the steps write, and gives it away as ONE batch.

Nothing reaches the store before `batch()` is committed by the caller, so leaving in any other way is a rollback.
Reads see what is staged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, cast

from google.protobuf.message import DecodeError, Message

from reference_server.audit import Instant
from reference_server.clock import Clock
from stores.contract import (
    BatchOperation,
    CorruptRecord,
    Delete,
    IndexKey,
    Keys,
    Present,
    Put,
    ReadsTogether,
    Record,
    Store,
    Vacant,
)
from stores.schema import KINDS

_STAGED_REVISION = -1
_CLOCK = Clock()


@cache
def _reads_together(store: type[Store]) -> bool:
    """Say whether stores of a class can. Asked once of each: a protocol looks for all of its methods."""
    return issubclass(store, ReadsTogether)


class UnitOfWork:
    """Stages puts and deletes over a store and answers reads as if they had happened."""

    __slots__ = (
        "_conditions",
        "_deletes",
        "_foreseen",
        "_puts",
        "_store",
        "_wire",
        "instant",
        "optimistic",
        "rewrites",
    )

    def __init__(self, store: Store, instant: Instant | None = None, *, optimistic: bool = False) -> None:
        """`instant` is when it all happens; without one, when the first step asks for the time."""
        self._store = store
        self.optimistic = optimistic
        """What the commit refuses anyway needn't be looked up before: the request is then run again, and looks."""
        self.instant = Instant(_CLOCK) if instant is None else instant
        self._puts: dict[tuple[str, str], Put] = {}
        self._deletes: dict[tuple[str, str], Delete] = {}
        self._foreseen: dict[tuple[str, str, IndexKey], list[Record]] = {}
        self._conditions: list[Vacant | Present] = []
        self._wire: dict[int, tuple[Message, bytes]] = {}
        self.rewrites = False
        """What is staged changes or removes resources that are stored."""

    @property
    def store(self) -> Store:
        """The store below, without what is staged."""
        return self._store

    def record(self, kind: str, id: str) -> Record | None:  # noqa: A002 - the field's name in the wire contract
        """Return a resource as stored, or as staged (then with revision -1 and position 0), or None."""
        if self._puts or self._deletes:
            if (kind, id) in self._deletes:
                return None
            staged = self._puts.get((kind, id))
            if staged is not None:
                return Record(kind, id, 0, _STAGED_REVISION, staged_bytes(staged))
        return self._store.get_record(kind, id)

    def data(self, kind: str, id: str) -> bytes | None:  # noqa: A002
        """Return the wire bytes of a resource, or None. The cheapest read."""
        if self._puts or self._deletes:
            record = self.record(kind, id)
            return None if record is None else record.data
        return self._store.get_bytes(kind, id)

    def exists(self, kind: str, id: str) -> bool:  # noqa: A002
        """Say whether a resource is there, stored or staged."""
        if (kind, id) in self._puts:
            return True
        return (kind, id) not in self._deletes and self._store.get_bytes(kind, id) is not None

    def has_changes(self) -> bool:
        """Say whether anything is staged."""
        return bool(self._puts or self._deletes)

    def find(self, kind: str, index: str, key: IndexKey) -> str | None:
        """Return the id of the first resource under an index key, or None."""
        for staged in self._staged_under(kind, index, key):
            return staged.id
        known = self._foreseen.get((kind, index, key)) if self._foreseen else None
        found = self._store.find(kind, index, key) if known is None else next((each.id for each in known), None)
        if found is None or not self._overlaid(kind, found):
            return found
        return next((record.id for record in self.scan(kind, index, key)), None)

    def foresee(self, kind: str, keys: Iterable[tuple[str, IndexKey]]) -> None:
        """Read what stands under several index keys at once, where a store has each read wait for a network.

        What was read so is answered for as long as this unit of work lasts.
        """
        if not _reads_together(type(self._store)):
            return
        wanted = [each for each in keys if (kind, *each) not in self._foreseen]
        if wanted:
            for (index, key), records in cast("ReadsTogether", self._store).read_together(kind, wanted).items():
                self._foreseen[kind, index, key] = records

    def scan(
        self,
        kind: str,
        index: str | None = None,
        key: IndexKey | None = None,
        after: int = 0,
        limit: int | None = None,
    ) -> Iterator[Record]:
        """Yield the stored resources of a kind, or under an index key, that nothing staged replaces or removes.

        With a limit so many are looked at; what is staged in their place isn't made up for.
        """
        known: Iterable[Record] | None = None
        if self._foreseen and index is not None and key is not None and not after:
            known = self._foreseen.get((kind, index, key))
        for record in (
            self._store.scan(kind, index=index, key=key, after=after, limit=limit) if known is None else known
        ):
            if not self._overlaid(kind, record.id):
                yield record

    def count(self, kind: str, index: str, key: IndexKey) -> int:
        """Return how many stored resources stand under an index key; what is staged is not counted."""
        return self._store.count(kind, index=index, key=key)

    def messages(self, kind: str, index: str, key: IndexKey) -> Iterator[Any]:
        """Yield the resources under an index key as messages: the staged ones, then the stored ones."""
        for staged in self._staged_under(kind, index, key):
            yield staged_message(staged)
        for record in self.scan(kind, index, key):
            yield stored_message(kind, record.id, record.data)

    def record_under(self, kind: str, index: str, key: IndexKey) -> Record | None:
        """Return the first resource under an index key, or None. Raises CorruptRecord if it is named, but gone."""
        found = self.find(kind, index, key)
        record = None if found is None else self.record(kind, found)
        # A removal takes both away at once, so who still stands in the index now was not just removed.
        if found is None or record is not None or self.find(kind, index, key) != found:
            return record
        record = self.record(kind, found)
        if record is None:
            raise CorruptRecord(kind, found, f"the index {index!r} names it, but it is gone")
        return record

    def create(self, kind: str, id: str, message: Message) -> None:  # noqa: A002
        """Stage a resource that must not exist yet. It may be changed until the commit."""
        self._puts[kind, id] = Put(kind, id, message, "absent")

    def create_bytes(self, kind: str, id: str, data: bytes, keys: Keys) -> None:  # noqa: A002
        """Stage a resource that must not exist yet, as its wire bytes and its index keys."""
        self._puts[kind, id] = Put(kind, id, None, "absent", None, data, keys)

    def replace(self, kind: str, id: str, message: Message, expect: int) -> None:  # noqa: A002
        """Stage the new state of a resource that was read under revision `expect`."""
        staged = self._puts.get((kind, id))
        if staged is not None:
            self._puts[kind, id] = staged._replace(message=message, data=None, keys=None)
        else:
            self._puts[kind, id] = Put(kind, id, message, "present", expect)
            self.rewrites = True

    def delete(self, kind: str, id: str, expect: int | None = None) -> None:  # noqa: A002
        """Stage the removal of a stored resource."""
        self.rewrites = True
        self._deletes[kind, id] = Delete(kind, id, "present" if expect is not None else "any", expect)

    def require_vacant(self, kind: str, index: str, key: IndexKey, unless: str | None = None) -> None:
        """Let the commit fail if, after it, anybody but `unless` stands under an index key."""
        self._conditions.append(Vacant(kind, index, key, unless))

    def require_present(self, kind: str, id: str) -> None:  # noqa: A002
        """Let the commit fail if a resource is gone by then; nothing is to be required of a staged one."""
        if (kind, id) not in self._puts:
            self._conditions.append(Present(kind, id))

    def wire(self, message: Message) -> bytes:
        """Return the bytes of a message that will not change any more; computed once."""
        known = self._wire.get(id(message))
        if known is None:  # the message is kept, too: of one that is gone another may have the identity
            known = self._wire[id(message)] = message, message.SerializeToString()
        return known[1]

    def batch(self) -> list[BatchOperation]:
        """Return all that is staged, ready to commit: removals, resources, conditions."""
        if not (self._puts or self._deletes or self._conditions):
            return []
        known = self._wire
        for name, put in self._puts.items() if known else ():
            found = known.get(id(put.message))
            if found is not None:
                self._puts[name] = Put(put.kind, put.id, put.message, put.precondition, put.expect, found[1])
        return [*self._deletes.values(), *self._puts.values(), *self._conditions]

    def _overlaid(self, kind: str, id: str) -> bool:  # noqa: A002
        return (kind, id) in self._deletes or (kind, id) in self._puts

    def _staged_under(self, kind: str, index: str, key: IndexKey) -> Iterable[Put]:
        if not self._puts:
            return ()
        candidates = [put for put in self._puts.values() if put.kind == kind]
        if not candidates:
            return ()
        known, wanted = KINDS[kind], (index, key)
        return (put for put in candidates if wanted in (known.entries(put.message) if put.keys is None else put.keys))


def stored_message(kind: str, id: str, data: bytes) -> Any:  # noqa: ANN401, A002 - a message of the kind
    """Parse the wire bytes of a stored resource into a message that the caller may change. Raises CorruptRecord."""
    message_type = KINDS[kind].message_type
    try:
        return message_type.FromString(data)
    except DecodeError as error:
        raise CorruptRecord(kind, id, f"its bytes are no {message_type.DESCRIPTOR.full_name}") from error


def staged_message(put: Put) -> Any:  # noqa: ANN401 - a message of the put's kind
    """Return the message of what is staged, to be looked at only."""
    return KINDS[put.kind].message_type.FromString(put.data or b"") if put.message is None else put.message


def staged_bytes(put: Put) -> bytes:
    """Return the wire bytes of what is staged."""
    return put.data or b"" if put.message is None else put.message.SerializeToString()
