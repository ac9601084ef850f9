"""A store whose writes wait: for the tests of what gathers meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

from stores.contract import Batch, Durability, StoreError
from stores.memory import MemoryStore

WAIT_SECONDS = 20


class HeldStore(MemoryStore):
    """Counts the writes, and holds each until it is let go."""

    def __init__(self) -> None:
        """Begin empty; `entered` counts the writes begun, `go` those that may end, `error` makes them fail."""
        super().__init__()
        self.capabilities = replace(self.capabilities, durability=Durability.DURABLE, persistent=True)
        self.sizes: list[int] = []
        self.entered = threading.Semaphore(0)
        self.go = threading.Semaphore(0)
        self.error: BaseException | None = None

    def commit_many(self, batches: Sequence[Batch]) -> list[int | StoreError]:
        """See `Store`."""
        self.sizes.append(len(batches))
        self.entered.release()
        if not self.go.acquire(timeout=WAIT_SECONDS):
            raise TimeoutError("nobody let the write go")
        if self.error:
            raise self.error
        return super().commit_many(batches)
