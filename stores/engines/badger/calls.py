"""Get and commit, the two calls that must be fast: as an extension where it could be built, else through ctypes.

Both ways do the same and answer the same. ctypes takes 1 µs for the arguments of a call and some more for the buffers
around it, an extension 0.2 µs for all of it. It needs Python's headers when the bridge is built (`build.py`), which
not every machine has; that is the only reason for the second way.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Protocol, cast

from stores.engines.badger.rooms import Code, Rooms

Changes = Iterable[tuple[bytes, bytes | None]]
_MODULE = "parity_badger_calls"
_OPERATION = struct.Struct("<BII")
_PUT, _DELETE = 1, 2


class Calls(Protocol):
    """What both ways offer. `snapshot` 0 stands for the newest state."""

    def get(self, database: int, snapshot: int, key: bytes, /) -> bytes | int | None:
        """Return the value, None when there is none, or the code of an error (a value above 64 KiB is one)."""

    def commit(self, database: int, changes: Changes, sync: bool, /) -> tuple[int, bytes] | None:
        """Commit all changes as one; return None, or the code of an error and its words."""


class _Extension(Calls, Protocol):
    def bind(self, get: int, commit: int, /) -> None: ...


class CtypesCalls:
    """The way that needs no compiler."""

    def __init__(self, get: Callable[..., int], commit: Callable[..., int], rooms: Rooms) -> None:
        self._get, self._commit, self._rooms = get, commit, rooms

    def get(self, database: int, snapshot: int, key: bytes, /) -> bytes | int | None:
        """See `Calls`."""
        room = self._rooms.room
        size = self._get(database, snapshot, key, len(key), room.address, room.size)
        if size >= 0:
            return bytes(room.view[:size])
        return None if size == Code.NOT_FOUND else size

    def commit(self, database: int, changes: Changes, sync: bool, /) -> tuple[int, bytes] | None:
        """See `Calls`."""
        parts: list[bytes] = []
        for key, value in changes:
            if value is None:
                parts += (_OPERATION.pack(_DELETE, len(key), 0), key)
            else:
                parts += (_OPERATION.pack(_PUT, len(key), len(value)), key, value)
        batch, room = b"".join(parts), self._rooms.room
        result = self._commit(database, batch, len(batch), sync, room.address, room.size)
        return None if result >= 0 else (result, room.words())


def extension(path: Path, get: int, commit: int) -> Calls | None:
    """Load the extension and give it the addresses of the bridge's functions; None when that can't be done here."""
    if not path.is_file():
        return None
    spec = spec_from_file_location(_MODULE, path, loader=ExtensionFileLoader(_MODULE, str(path)))
    if spec is None or spec.loader is None:
        return None
    try:
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
    except ImportError:
        return None
    calls = cast("_Extension", module)
    calls.bind(get, commit)
    return calls
