"""Group commit within a turn of an event loop: for relaxed stores, whose writes are too short to hand to a thread.

All batches that come in one turn of the loop go in one write at the beginning of the next. They share what a write
costs however small it is: one call of the engine, one record in its log, one row with the store's numbers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from stores.contract import Batch, StoreClosed
from stores.group_commit import CommitsMany


class TurnCommitter:
    """Commits from the coroutines of one event loop, on the loop. The store stays the caller's to close."""

    def __init__(self, store: CommitsMany, after_write: Callable[[], None] = lambda: None) -> None:
        """`after_write` is called after each write that didn't fail as a whole, whoever still waits for it."""
        self._store = store
        self._after_write = after_write
        self._waiting: list[tuple[Batch, asyncio.Future[int]]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        """Where the next write is scheduled."""
        self._closed = False

    async def commit(self, batch: Batch) -> int:
        """Commit with the others of this turn; return or raise what `Store.commit` does. Raises StoreClosed.

        A caller cancelled before the write takes its batch back.
        """
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.submit(batch, future)
        return await future

    def submit(self, batch: Batch, future: asyncio.Future[int]) -> None:
        """Do the same for a caller who waits for a future of his own: it gets what `commit` returns or raises."""
        if self._closed:
            future.set_exception(StoreClosed("the group committer is closed", hint="commit before close"))
            return
        self._waiting.append((batch, future))
        loop = future.get_loop()
        if self._loop is not loop:
            self._loop = loop
            loop.call_soon(self._write)

    def close(self) -> None:
        """Write what waits. Twice is no error."""
        self._closed = True
        self._write()

    def _write(self) -> None:
        group = [(batch, future) for batch, future in self._waiting if not future.done()]
        self._waiting, self._loop = [], None
        if group:
            tell(group, self._outcomes([batch for batch, _ in group]))

    def _outcomes(self, batches: list[Batch]) -> Sequence[int | BaseException]:
        try:
            outcomes = self._store.commit_many(batches)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is each caller's to handle
            return [error] * len(batches)
        self._after_write()
        return outcomes


def tell(group: list[tuple[Batch, asyncio.Future[int]]], outcomes: Sequence[int | BaseException]) -> None:
    """Give each caller the outcome of its batch."""
    for (_, future), outcome in zip(group, outcomes, strict=True):
        if future.done():
            continue
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
