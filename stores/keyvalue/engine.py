"""What an ordered key-value engine is to a store: the only thing to write for a new one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol, runtime_checkable

from stores.contract import SizeOnDisk, StoreDamaged

NO_LIMIT = sys.maxsize
"""As many rows as there are."""


class EngineCorrupt(StoreDamaged):
    """The engine can't read a block back (its own checksum failed). The store says of which record."""


class Snapshot(Protocol):
    """One consistent state of an engine. Used by one thread at a time."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key, or None. Raises EngineCorrupt, StoreUnavailable."""
        ...

    def range(self, start: bytes, stop: bytes, limit: int = NO_LIMIT) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) with start <= key < stop, in the order of the keys' bytes, at most so many.

        Nothing is read behind the last of them: an engine that keeps marks of removed keys may have to pass very many.
        """
        ...

    def close(self) -> None:
        """Release the state. Closing twice is no error."""
        ...


class Engine(Protocol):
    """An ordered key-value engine: the only thing to write for a new one. Abilities that not all have stand below.

    Keys are at most 460 bytes long (`layout.KEY_BYTES_MAX`), values any size. Methods are called from many threads,
    but `write` never from two at once, and nothing is called during or after `close`. Driver errors are
    translated here: to StoreUnavailable (medium fails, disk full) or EngineCorrupt.
    """

    name: str
    tunables: Mapping[str, str]
    """Settings of the driver, echoed into benchmark results."""
    has_checksums: bool
    """The engine checks what it reads; if not, the store keeps a checksum with each record."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key in the newest state, or None. Nobody who gets several meets half of a write."""
        ...

    def snapshot(self) -> Snapshot:
        """Return the newest state; later writes don't change it."""
        ...

    def write(self, changes: Iterable[tuple[bytes, bytes | None]], *, sync: bool) -> None:
        """Apply all changes or none, in order; a value of None removes the key.

        With `sync` return only when the changes survive the loss of power, else when they survive SIGKILL.
        """
        ...

    def size_on_disk(self) -> SizeOnDisk:
        """Return the bytes that the engine's files take."""
        ...

    def close(self) -> None:
        """Release files and locks."""
        ...


@runtime_checkable
class PreparesBatches(Protocol):
    """The ability of an engine to collect a batch apart from writing it."""

    def prepare(self, changes: Iterable[tuple[bytes, bytes | None]], *, sync: bool) -> Callable[[], None]:
        """Collect what `write` would write; return what writes it, once, from any thread."""
        ...


@runtime_checkable
class FindsLastKey(Protocol):
    """The ability of an engine to walk backwards: records beyond all others are then created without a read."""

    def last_key(self, start: bytes, stop: bytes) -> bytes | None:
        """Return the last key of the newest state with start <= key < stop, or None."""
        ...


@runtime_checkable
class Compacts(Protocol):
    """The ability of an engine to give space back."""

    def compact(self) -> None:
        """Give back the space of overwritten and removed keys."""
        ...
