"""Engines that lie about what is on disk: the crash ladder and the count of syncs must catch them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from stores.engines.leveldb import LevelDbEngine


class AcksBeforeWrite(LevelDbEngine):
    """Acknowledges a write while it still is in a buffer of the process."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._buffered: list[tuple[bytes, bytes | None]] = []

    def write(self, changes: Iterable[tuple[bytes, bytes | None]], *, sync: bool) -> None:
        """See `Engine`."""
        earlier, self._buffered = self._buffered, list(changes)
        super().write(earlier, sync=sync)

    def get(self, key: bytes) -> bytes | None:
        """See `Engine`."""
        return dict(self._buffered).get(key) or super().get(key)


class AcksBeforeSync(LevelDbEngine):
    """Acknowledges a write that the system has, and the disk hasn't."""

    def write(self, changes: Iterable[tuple[bytes, bytes | None]], *, sync: bool) -> None:  # noqa: ARG002 - the sin
        """See `Engine`."""
        super().write(changes, sync=False)


class TearsWrite(LevelDbEngine):
    """Writes a batch in two parts."""

    def write(self, changes: Iterable[tuple[bytes, bytes | None]], *, sync: bool) -> None:
        """See `Engine`."""
        rows = list(changes)
        super().write(rows[: len(rows) // 2], sync=sync)
        super().write(rows[len(rows) // 2 :], sync=sync)


CRASH_MUTANTS: dict[str, type[LevelDbEngine]] = {
    "acks_before_write": AcksBeforeWrite,
    "acks_before_sync": AcksBeforeSync,
    "tears_write": TearsWrite,
}
