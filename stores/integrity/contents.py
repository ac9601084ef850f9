"""What a database holds, in the same words for every layout: what the checks of `check.py` read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from google.protobuf.message import Message

from stores.contract import IndexKey, Keys
from stores.integrity.findings import Finding
from stores.keyvalue.layout import State
from stores.schema import Schema


class Resource(NamedTuple):
    """A resource as it is stored; `keys` are the index keys kept with it."""

    id: str
    position: int
    revision: int
    keys: Keys
    message: Message


class Unreadable(NamedTuple):
    """A resource that is there, but can't be read back."""

    id: str
    reason: str


class Entry(NamedTuple):
    """One entry of an index; `key` as the layout's rows hold it."""

    index_name: str
    key: bytes
    position: int
    id: str


class Count(NamedTuple):
    """The number that is kept for a key of an index."""

    index_name: str
    key: bytes
    number: int


class Contents(Protocol):
    """One state of a database. What can't be read comes as a finding in the place of what it would have been.

    After `area-unreadable` an iterator ends: the rest of its part is unknown.
    """

    schema: Schema
    keeps_order: bool
    """The order of creation stands in rows of its own."""

    def pack(self, key: IndexKey) -> bytes:
        """Return an index key as the rows hold it."""
        ...

    def state(self) -> State:
        """Return the last numbers given out, and how many resources each kind has."""
        ...

    def whole(self) -> Iterator[Finding]:
        """Yield what the engine's own checks find, and rows that belong to nothing."""
        ...

    def resources(self, kind: str) -> Iterator[Resource | Unreadable | Finding]:
        """Yield all resources of a kind, in any order."""
        ...

    def entries(self, kind: str) -> Iterator[Entry | Finding]:
        """Yield the entries of all indexes of a kind."""
        ...

    def counted(self, kind: str) -> frozenset[str]:
        """Return the indexes of a kind for whose keys numbers are kept."""
        ...

    def counts(self, kind: str) -> Iterator[Count | Finding]:
        """Yield these numbers."""
        ...

    def order(self, kind: str) -> Iterator[tuple[int, str] | Finding]:
        """Yield position and id of each resource in the order of creation; nothing without `keeps_order`."""
        ...
