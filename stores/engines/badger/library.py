"""The Go library: loading, the calls through ctypes, and the guard against use after a fork.

Get and commit go through an extension where there is one (`calls.py`). For the others ctypes is good enough: what
costs more is the number of crossings, so a page of rows is one call.

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
from pathlib import Path

from stores.contract import StoreUnavailable
from stores.engines.badger import build
from stores.engines.badger.calls import Calls, CtypesCalls, extension
from stores.engines.badger.rooms import Rooms

REVERSE = 1
KEYS_ONLY = 2


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


class Library:
    """The loaded library. One per process, never unloaded: Go's runtime can't be."""

    def __init__(self, path: Path, calls_path: Path | None = None) -> None:
        """Load it, and the extension if there is one. Raises StoreUnavailable when the library can't be loaded."""
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
        built = extension(calls_path, _address(self.get), _address(self.commit)) if calls_path else None
        self.calls: Calls = built or CtypesCalls(self.get, self.commit, self.rooms)
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


def _address(function: ctypes._NamedFuncPointer) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


@functools.cache
def load() -> Library:
    """Load the library. Raises StoreUnavailable that names the command which builds it."""
    reason = build.missing()
    if reason:
        raise StoreUnavailable(f"badger: {reason}", hint=build.BUILD_COMMAND)
    return Library(build.library_path(), build.calls_path())
