"""What the bridge answers with: buffers, the codes of errors, and the exceptions made of them."""

from __future__ import annotations

import ctypes
import threading
from enum import IntEnum
from pathlib import Path

from stores.contract import InvalidOperation, StoreClosed, StoreError, StoreLocked, StoreUnavailable
from stores.files import TOO_MANY_FILES_HINT
from stores.keyvalue.engine import EngineCorrupt
from stores.shadow import in_its_own_name

ROOM_BYTES = 64 * 1024
"""What a thread's buffer starts with: nearly all agents, and pages of some hundred index rows."""
ROOM_BYTES_KEPT = 1024 * 1024
"""A larger buffer serves one call only, so that one huge message doesn't stay in every thread."""


class Code(IntEnum):
    """What the bridge answers instead of a length when a call fails (errors.go has the same table)."""

    NOT_FOUND = -1
    BUFFER_TOO_SMALL = -2
    CLOSED = -3
    LOCKED = -4
    CORRUPT = -5
    DISK_FULL = -6
    TOO_BIG = -7
    INVALID = -8
    IO = -9
    READ_ONLY = -10
    BROKEN = -11
    TOO_MANY_FILES = -12


class NeedsWriting(StoreUnavailable):
    """The database must be opened for writing: to be written, or to complete what a killed process left unfinished."""


_ERRORS: dict[Code, tuple[type[StoreError], str]] = {
    Code.CLOSED: (StoreClosed, "open it again"),
    Code.LOCKED: (StoreLocked, "close the other program, or choose another path"),
    Code.CORRUPT: (EngineCorrupt, EngineCorrupt.hint),
    Code.DISK_FULL: (StoreUnavailable, "free some space, then open the store again"),
    Code.TOO_BIG: (InvalidOperation, "split the batch"),
    Code.INVALID: (InvalidOperation, "correct the call"),
    Code.IO: (StoreUnavailable, "is the path readable and writable?"),
    Code.READ_ONLY: (NeedsWriting, "open the database for writing"),
    Code.BROKEN: (StoreUnavailable, "end this process, then restore the database from a backup"),
    Code.TOO_MANY_FILES: (StoreUnavailable, TOO_MANY_FILES_HINT),
}


def error_of(result: int, words: bytes, where: str) -> StoreError:
    """Make the exception of a failed call from its code and words."""
    kind, hint = _ERRORS[Code(result)]
    return kind(f"BadgerDB {where}: {in_its_own_name(words.decode(errors='replace'), Path(where))}", hint=hint)


class Room:
    """A buffer for one thread's answers."""

    __slots__ = ("_memory", "address", "size", "view")

    def __init__(self, size: int) -> None:
        self._memory = ctypes.create_string_buffer(size)
        self.address = ctypes.addressof(self._memory)
        self.size = size
        self.view = memoryview(self._memory).cast("B")

    def number(self, place: int) -> int:
        """Return the 8-byte number at a place."""
        return int.from_bytes(self.view[8 * place : 8 * place + 8], "little")

    def words(self) -> bytes:
        """Return the words that a failed call left here."""
        size = int.from_bytes(self.view[:4], "little")
        return bytes(self.view[4 : 4 + min(size, self.size - 4)])

    def error(self, result: int, where: str) -> StoreError:
        """Make the exception of a failed call from its code and the words that the bridge left here."""
        return error_of(result, self.words(), where)


class Rooms(threading.local):
    """Gives every thread its own Room."""

    def __init__(self) -> None:
        self.room = Room(ROOM_BYTES)

    def of(self, size: int) -> Room:
        """Return a room with at least this many bytes."""
        if size <= self.room.size:
            return self.room
        larger = Room(size)
        if size <= ROOM_BYTES_KEPT:
            self.room = larger
        return larger
