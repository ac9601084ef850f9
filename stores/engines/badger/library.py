"""The Go library through ctypes: loading, buffers, error codes, and the guard against use after a fork.

Chosen by measurement (`overhead.py` repeats it): a ctypes call with six arguments costs 0.6 µs, and the crossing into
Go and back another 0.3 µs; that is the whole overhead that a C extension could halve, and it would need Python's
headers on every machine. What costs more is the number of crossings, so a batch and a page of rows are one call each.

*Fork.* Go's runtime lives in threads, which a forked child doesn't have. Whoever forks must open the database after
the fork, in a process that has not loaded the library before; anything else is refused with StoreUnavailable.
`multiprocessing` with `spawn` or `forkserver` is fine.

*Signals.* The library installs handlers for faults (SIGSEGV, SIGBUS, SIGFPE) only and passes on those that happen
outside Go, so KeyboardInterrupt, `signal.signal` and faulthandler work as ever. A call into the library isn't
interrupted by a signal; Python's handler runs when it returns.
"""

from __future__ import annotations

import ctypes
import functools
import os
import threading
from enum import IntEnum
from pathlib import Path

from stores.contract import InvalidOperation, StoreClosed, StoreError, StoreLocked, StoreUnavailable
from stores.engines.badger import build
from stores.keyvalue import EngineCorrupt

ROOM_BYTES = 64 * 1024
"""What a thread's buffer starts with: nearly all agents, and pages of some hundred index rows."""
ROOM_BYTES_KEPT = 1024 * 1024
"""A larger buffer serves one call only, so that one huge message doesn't stay in every thread."""

REVERSE = 1
KEYS_ONLY = 2


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


class NeedsWriting(StoreUnavailable):
    """The database must be opened for writing: to be written, or to complete what a killed process left unfinished."""


_ERRORS: dict[Code, tuple[type[StoreError], str]] = {
    Code.CLOSED: (StoreClosed, "open it again"),
    Code.LOCKED: (StoreLocked, "close the other program, or choose another path"),
    Code.CORRUPT: (EngineCorrupt, "restore the database from a backup"),
    Code.DISK_FULL: (StoreUnavailable, "free some space, then open the store again"),
    Code.TOO_BIG: (InvalidOperation, "split the batch"),
    Code.INVALID: (InvalidOperation, "correct the call"),
    Code.IO: (StoreUnavailable, "is the path readable and writable?"),
    Code.READ_ONLY: (NeedsWriting, "open the database for writing"),
    Code.BROKEN: (StoreUnavailable, "end this process, then restore the database from a backup"),
}

_SIGNATURES: dict[str, str] = {
    # i: number or handle, d: bytes given (followed by their length as i), b: buffer to write into (likewise)
    "open": "didibi",
    "close": "ibi",
    "get": "iidibi",
    "commit": "idiibi",
    "snapshot": "ibi",
    "snapshot_close": "i",
    "scan": "iididiiibi",
    "next": "iibi",
    "cursor_close": "i",
    "compact": "ibi",
    "limits": "ibi",
    "live": "bi",
}
_TYPES: dict[str, type[ctypes.c_int64 | ctypes.c_char_p | ctypes.c_void_p]] = {
    "i": ctypes.c_int64,
    "d": ctypes.c_char_p,
    "b": ctypes.c_void_p,
}


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

    def error(self, result: int, where: str) -> StoreError:
        """Make the exception of a failed call from its code and the words that the bridge left here."""
        size = int.from_bytes(self.view[:4], "little")
        words = bytes(self.view[4 : 4 + min(size, self.size - 4)]).decode(errors="replace")
        kind, hint = _ERRORS[Code(result)]
        return kind(f"BadgerDB {where}: {words}", hint=hint)


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


class Library:
    """The loaded library. One per process, never unloaded: Go's runtime can't be."""

    def __init__(self, path: Path) -> None:
        """Load it. Raises StoreUnavailable when it can't be loaded."""
        try:
            functions = ctypes.CDLL(str(path))
        except OSError as error:
            raise StoreUnavailable(
                f"the bridge to BadgerDB can't be loaded: {error}", hint=f"{build.BUILD_COMMAND} --force"
            ) from error
        for name, signature in _SIGNATURES.items():
            function = functions[f"parity_badger_{name}"]
            function.argtypes = [_TYPES[letter] for letter in signature]
            function.restype = None if name in {"snapshot_close", "cursor_close"} else ctypes.c_int64
            setattr(self, name, function)
        self.rooms = Rooms()
        self.forked = False
        os.register_at_fork(after_in_child=self._note_fork)

    open: ctypes._NamedFuncPointer
    close: ctypes._NamedFuncPointer
    get: ctypes._NamedFuncPointer
    commit: ctypes._NamedFuncPointer
    snapshot: ctypes._NamedFuncPointer
    snapshot_close: ctypes._NamedFuncPointer
    scan: ctypes._NamedFuncPointer
    next: ctypes._NamedFuncPointer
    cursor_close: ctypes._NamedFuncPointer
    compact: ctypes._NamedFuncPointer
    limits: ctypes._NamedFuncPointer
    live: ctypes._NamedFuncPointer

    def _note_fork(self) -> None:
        self.forked = True

    def check_process(self) -> None:
        """Refuse a forked child. Raises StoreUnavailable."""
        if self.forked:
            raise StoreUnavailable(
                "BadgerDB can't be used in a process that was forked after the bridge was loaded: its threads are gone",
                hint="open the store after the fork, or start processes with multiprocessing's 'spawn'",
            )

    def live_counts(self) -> dict[str, int]:
        """Return what must not grow: goroutines, and open databases, snapshots and cursors."""
        self.check_process()
        room = self.rooms.room
        self.live(room.address, room.size)
        return {
            name: room.number(place) for place, name in enumerate(("goroutines", "databases", "snapshots", "cursors"))
        }


@functools.cache
def load() -> Library:
    """Load the library. Raises StoreUnavailable that names the command which builds it."""
    reason = build.missing()
    if reason:
        raise StoreUnavailable(f"badger: {reason}", hint=build.BUILD_COMMAND)
    return Library(build.library_path())
