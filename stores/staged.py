"""A commit in two parts: what the store has to find out, and the write that waits for the disk.

A server that lives in an event loop does the first part on the loop, where it competes with nobody for Python's lock,
and hands only the second to a thread. A store that can do this has `stage`; the others commit whole in the thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from stores.contract import Batch, StoreError


@dataclass(frozen=True, slots=True)
class StagedWrite:
    """A planned `commit_many`. `write` or `abandon` must be called, once; until then nobody else commits."""

    outcomes: list[int | StoreError]
    """What `commit_many` returns. It holds once `write` has returned."""
    write: Callable[[], None]
    """Write what was planned, from any thread. Raises StoreUnavailable: then nothing of it is acknowledged."""
    abandon: Callable[[], None]
    """Write nothing of it and let others commit."""


@runtime_checkable
class StagesWrites(Protocol):
    """The ability of a store to plan a commit apart from its write."""

    def stage(self, batches: Sequence[Batch]) -> StagedWrite:
        """Plan; raise what `commit_many` raises before it writes."""
        ...
