"""A commit in two parts: planning, and the write that waits for the disk.

A server that lives in an event loop plans on the loop, where nothing competes with it for the interpreter, and hands
only the write to a thread. A store that can do this has `prepare_write`; the others commit whole in the thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from stores.contract import Batch, StoreError


@dataclass(frozen=True, slots=True)
class PreparedWrite:
    """A planned `commit_many`. `write` or `abandon` must be called, once; until then nobody else commits."""

    outcomes: list[int | StoreError]
    """What `commit_many` returns, once `write` has returned."""
    write: Callable[[], None]
    """Write it and let others commit. Raises what `commit_many` raises while it writes."""
    abandon: Callable[[], None]
    """Write nothing of it and let others commit."""


@runtime_checkable
class PreparesWrites(Protocol):
    """The ability of a store to plan a commit apart from its write."""

    def prepare_write(self, batches: Sequence[Batch]) -> PreparedWrite:
        """Plan; raise what `commit_many` raises before it writes."""
        ...
