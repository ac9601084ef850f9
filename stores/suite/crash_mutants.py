"""Engines that lie about what is on disk: the crash ladder and the count of syncs must catch them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from stores.engines.leveldb import LevelDbEngine
from stores.keyvalue.engine import Engine
from stores.suite.file_engine import FileEngine


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


class SyncsAfterAcknowledging(FileEngine):
    """Syncs a batch when the next one comes."""

    def keep(self, data: bytes) -> None:
        """See `FileEngine`."""
        if self._file.exists():
            self.sync(self._file)
            self.sync(self._folder)
        new = self._folder / "rows.new"
        new.write_bytes(data)
        new.replace(self._file)


class ForgetsFolder(FileEngine):
    """Syncs the file, and not the folder that has its new name."""

    def keep(self, data: bytes) -> None:
        """See `FileEngine`."""
        new = self._folder / "rows.new"
        new.write_bytes(data)
        self.sync(new)
        new.replace(self._file)


class RenamesBeforeSync(FileEngine):
    """Gives the new file its name before its contents are on disk; both are before the acknowledgement."""

    def keep(self, data: bytes) -> None:
        """See `FileEngine`."""
        new = self._folder / "rows.new"
        new.write_bytes(data)
        new.replace(self._file)
        self.sync(self._folder)
        self.sync(self._file)


CRASH_MUTANTS: dict[str, Callable[[Path], Engine]] = {
    "acks_before_write": AcksBeforeWrite,
    "acks_before_sync": AcksBeforeSync,
    "tears_write": TearsWrite,
    "syncs_after_acknowledging": SyncsAfterAcknowledging,
    "forgets_folder": ForgetsFolder,
    "renames_before_sync": RenamesBeforeSync,
    "right_file": FileEngine,
}
"""The last one isn't wrong: what is found in the others must not be found in it."""
