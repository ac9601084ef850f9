"""Opening an engine again behind its store: after a write that failed, log-structured engines refuse all others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stores.contract import Access
from stores.files import check_space, unreadable
from stores.keyvalue.engine import Engine

SPARE_BYTES = 4 * 1024 * 1024
"""Beside what the logs take: files that engines make when they are opened."""
_LOGS = ("*.log", "*.mem")
"""What LevelDB, RocksDB and Badger read back when they are opened, and then write into a table."""


@dataclass(frozen=True, slots=True)
class Reopening:
    """How an engine is opened again: its folder, and what opens it. `open` raises what the engine's class raises."""

    folder: Path
    open: Callable[[Access], Engine]

    def check_space(self) -> None:
        """Raise StoreUnavailable unless the medium takes as many bytes as opening may need."""
        try:
            logs = sum(file.stat().st_size for pattern in _LOGS for file in self.folder.glob(pattern))
        except OSError as error:
            raise unreadable(f"the folder {self.folder}", error) from error
        check_space(self.folder, logs + SPARE_BYTES)
