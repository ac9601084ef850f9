"""An engine over a dict that outlives its store: for the suite's own tests, fast and easily broken."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TypeAlias

from sortedcontainers import SortedDict

from stores.contract import SizeOnDisk
from stores.keyvalue.engine import NO_LIMIT

Rows: TypeAlias = "SortedDict[bytes, bytes]"


class DictEngine:
    """The `Engine` over rows that the caller keeps."""

    name = "dict"
    has_checksums = True

    def __init__(self, rows: Rows) -> None:
        self.tunables: Mapping[str, str] = {}
        self.rows = rows
        self._changing = threading.Lock()

    def get(self, key: bytes) -> bytes | None:
        """See `Engine`."""
        with self._changing:
            value: bytes | None = self.rows.get(key)
        return value

    def last_key(self, start: bytes, stop: bytes) -> bytes | None:
        """See `Engine`."""
        with self._changing:
            return next(self.rows.irange(start, stop, inclusive=(True, False), reverse=True), None)

    def snapshot(self) -> DictSnapshot:
        """See `Engine`."""
        with self._changing:
            return DictSnapshot(self.rows.copy())

    def write(self, changes: Iterable[tuple[bytes, bytes | None]], *, sync: bool) -> None:  # noqa: ARG002 - memory
        """See `Engine`."""
        with self._changing:
            for key, value in changes:
                if value is None:
                    self.rows.pop(key, None)
                else:
                    self.rows[key] = value

    def size_on_disk(self) -> SizeOnDisk:
        """See `Engine`: what a file would take."""
        size = sum(len(key) + len(value) for key, value in self.rows.items())
        return SizeOnDisk(size, size)

    def close(self) -> None:
        """See `Engine`: nothing to do."""


class DictSnapshot:
    """A copy of the rows."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def get(self, key: bytes) -> bytes | None:
        """See `Snapshot`."""
        value: bytes | None = self._rows.get(key)
        return value

    def range(self, start: bytes, stop: bytes, limit: int = NO_LIMIT) -> Iterator[tuple[bytes, bytes]]:
        """See `Snapshot`."""
        for key in islice(self._rows.irange(start, stop, (True, False)), limit):
            yield key, self._rows[key]

    def close(self) -> None:
        """See `Snapshot`: nothing to do."""
