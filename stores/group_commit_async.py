"""Group commit for one event loop: the batches that gather during a write, or in one turn, go in the next one.

The same as `GroupCommitter` for callers that are coroutines. A future of the loop costs a request a fraction of what
waking the loop from a thread for every single commit would: here the thread wakes it once for each write. Where the
store can plan a write apart from doing it (`PreparesWrites`), the thread does nothing but wait for the disk.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from stores.contract import Batch, StoreClosed, StoreError
from stores.group_commit import GROUP_MAX, CommitsMany
from stores.group_commit_turn import tell
from stores.prepared_write import PreparedWrite, PreparesWrites

T = TypeVar("T")
_Waiting = tuple[Batch, "asyncio.Future[int]"]


class AsyncGroupCommitter:
    """Commits from the coroutines of one event loop through one thread. The store stays the caller's to close."""

    def __init__(
        self, store: CommitsMany, group_max: int = GROUP_MAX, after_write: Callable[[], None] = lambda: None
    ) -> None:
        """`after_write` is called after each write that didn't fail as a whole, whoever still waits for it."""
        self._store = store
        self._after_write = after_write
        self._stage = store.prepare_write if isinstance(store, PreparesWrites) else None
        self._group_max = group_max
        self._waiting: deque[_Waiting] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="group-commit")
        self._is_writing = False
        self._closed = False

    async def commit(self, batch: Batch) -> int:
        """Commit with whatever else is waiting; return or raise what `Store.commit` does. Raises StoreClosed.

        A caller cancelled while its batch waits takes it back; once a write has begun the batch is written.
        """
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.submit(batch, future)
        return await future

    def submit(self, batch: Batch, future: asyncio.Future[int]) -> None:
        """Do the same for a caller who waits for a future of his own: it gets what `commit` returns or raises.

        To be called on the future's loop.
        """
        if self._closed:
            future.set_exception(_closed())
            return
        self._waiting.append((batch, future))
        if not self._is_writing:
            # In the loop's next turn: who comes in this one goes in the same write.
            self._is_writing = True
            future.get_loop().call_soon(self._write_next)

    def close(self) -> None:
        """Wait for the write under way and end the thread. Twice is no error."""
        self._closed = True
        self._thread.shutdown(wait=True)

    def _write_next(self) -> None:
        group: list[_Waiting] = []
        while self._waiting and len(group) < self._group_max:
            batch, future = self._waiting.popleft()
            if not future.done():
                group.append((batch, future))
        self._is_writing = bool(group)
        if group:
            writing = self._begin([batch for batch, _ in group])
            writing.add_done_callback(lambda done: self._written(group, done))

    def _begin(self, batches: list[Batch]) -> asyncio.Future[list[int | StoreError]]:
        """Plan on the loop if the store can do that, and write in the thread."""
        loop = asyncio.get_running_loop()
        try:
            if self._stage is None:
                return self._in_thread(loop, self._store.commit_many, batches)
            return self._begin_staged(loop, self._stage(batches))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is each caller's to handle
            failed = loop.create_future()
            failed.set_exception(error)
            return failed

    def _begin_staged(
        self, loop: asyncio.AbstractEventLoop, staged: PreparedWrite
    ) -> asyncio.Future[list[int | StoreError]]:
        try:
            return self._in_thread(loop, _written_out, staged)
        except BaseException:  # the thread is being shut down; the store must not stay locked for that
            staged.abandon()
            raise

    def _in_thread(
        self, loop: asyncio.AbstractEventLoop, write: Callable[[T], list[int | StoreError]], what: T
    ) -> asyncio.Future[list[int | StoreError]]:
        """Write in the thread. Raises StoreClosed if there is none any more."""
        try:
            return loop.run_in_executor(self._thread, write, what)
        except RuntimeError as error:
            raise _closed() from error

    def _written(self, group: list[_Waiting], done: asyncio.Future[list[int | StoreError]]) -> None:
        """Begin the next write, then tell the callers: the disk works while they do."""
        if self._closed:
            waiting, self._waiting = list(self._waiting), deque()
            tell(waiting, [_closed()] * len(waiting))
        else:
            self._write_next()
        failure = done.exception()
        if failure is None:
            self._after_write()
        tell(group, done.result() if failure is None else [failure] * len(group))


def _closed() -> StoreClosed:
    return StoreClosed("the group committer is closed", hint="commit before close")


def _written_out(staged: PreparedWrite) -> list[int | StoreError]:
    staged.write()
    return staged.outcomes
