"""Group commit: batches that come while a write is under way, or in one turn of the event loop, share the next write.

The group committer writes from one event loop. A durable store is written in a thread, which does nothing but wait for
the disk; meanwhile the loop goes on, and the next batches wait. A relaxed store's writes are too short to be handed to
a thread. What the loop itself does, planning included, takes no lock that is held through I/O: as long as the group
committer is the only one who commits, no commit is under way while it plans.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from stores.contract import Batch, Capabilities, Durability, Store, StoreClosed, StoreDamaged, StoreError
from stores.prepared_write import PreparedWrite, PreparesWrites

GROUP_MAX = 128
"""Batches in one write: beyond this the fsync's share of a commit is under 2 µs and only latency grows."""

Outcomes = Sequence[int | BaseException]
_Waiting = tuple[Batch, "asyncio.Future[int]"]


class GroupCommitter:
    """Commits for the coroutines of one event loop, in the order in which they ask. The store stays the caller's."""

    def __init__(self, store: Store, group_max: int = GROUP_MAX) -> None:
        self._store = store
        self._group_max = group_max
        self._waiting: deque[_Waiting] = deque()
        self._thread = _thread_for(store.capabilities)
        self._is_writing = False
        self._alone = 0
        """So many of those that wait, from the front, are written one by one."""
        self._held = 0
        """By how many `quiet` blocks writes are held back."""
        self._ended: list[asyncio.Future[None]] = []
        """Who waits for the write under way to end."""
        self._closed = False
        self._watching: set[asyncio.Future[None]] = set()
        self.version = 0
        """Grows with each write that didn't fail as a whole, and with each `wake`. Read it before the store is read."""

    async def commit(self, batch: Batch) -> int:
        """Commit with whatever else waits; return what `Store.commit` returns. Raises what it raises, StoreClosed.

        A caller who is cancelled while its batch waits takes it back; once the write has begun the batch is written.
        """
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.submit(batch, future)
        future.get_loop().call_soon(self.flush)
        return await future

    def submit(self, batch: Batch, future: asyncio.Future[int]) -> None:
        """Let a batch wait for the next write, which `flush` begins. The future gets what `commit` returns."""
        if self._closed:
            future.set_exception(_closed())
        else:
            self._waiting.append((batch, future))

    def flush(self) -> None:
        """Begin to write what waits, unless a write is under way: then it is written next."""
        while self._waiting and not self._is_writing and not self._held:
            group: list[_Waiting] = []
            most = 1 if self._alone else self._group_max
            self._alone = max(self._alone - 1, 0)
            while self._waiting and len(group) < most:
                batch, future = self._waiting.popleft()
                if not future.done():
                    group.append((batch, future))
            if group:
                self._write(group)

    async def wait_beyond(self, version: int) -> None:
        """Wait until the version is greater; returns at once if it is already."""
        if self.version > version:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._watching.add(future)
        try:
            await future
        finally:
            self._watching.discard(future)

    @asynccontextmanager
    async def quiet(self) -> AsyncIterator[None]:
        """Hold all writes back for the length of a block: none is under way, and none begins.

        What is read in the block, by whatever thread, is one state of the store. Batches that come meanwhile wait.
        """
        self._held += 1
        try:
            while self._is_writing:
                ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._ended.append(ended)
                await ended
            yield
        finally:
            self._held -= 1
            self.flush()

    def wake(self) -> None:
        """Let all go on who wait for a write."""
        self.version += 1
        for future in self._watching:
            _release(future)
        self._watching.clear()

    def close(self) -> None:
        """Wait for the write under way, refuse or (in a relaxed store) write what waits. Twice is no error."""
        if self._thread is None:
            self.flush()
        self._closed = True
        if self._thread is not None:
            self._thread.shutdown(wait=True)

    # ---- one write

    def _write(self, group: list[_Waiting]) -> None:
        batches = [batch for batch, _ in group]
        try:
            if self._thread is None:
                self._tell(group, self._store.commit_many(batches))
                return
            write, abandon = self._planned(batches)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is each caller's to handle
            self._failed(group, error)
            return
        self._is_writing = True
        try:
            writing = asyncio.get_running_loop().run_in_executor(self._thread, write)
        except RuntimeError:  # the thread is being shut down; the store must not stay locked for that
            abandon()
            self._is_writing = False
            self._tell(group, _closed())
            return
        writing.add_done_callback(lambda done: self._written(group, done))

    def _planned(self, batches: list[Batch]) -> tuple[Callable[[], Outcomes], Callable[[], None]]:
        """Return what writes in the thread, and what lets go of the store instead."""
        if not isinstance(self._store, PreparesWrites):
            return lambda: self._store.commit_many(batches), lambda: None
        prepared = self._store.prepare_write(batches)
        return lambda: _written_out(prepared), prepared.abandon

    def _failed(self, group: list[_Waiting], error: BaseException) -> None:
        """Tell all callers; but damage that only one batch meets isn't the others', so each is written alone."""
        if isinstance(error, StoreDamaged) and len(group) > 1:
            self._waiting.extendleft(reversed(group))
            self._alone = len(group)
        else:
            self._tell(group, error)

    def _written(self, group: list[_Waiting], done: asyncio.Future[Outcomes]) -> None:
        """Begin the next write, then tell the callers: the disk works while they do."""
        self._is_writing = False
        for each in self._ended:
            _release(each)
        self._ended.clear()
        failure = done.exception()
        if failure is not None:
            self._failed(group, failure)
        if self._closed:
            for _, future in self._waiting:
                _resolve(future, _closed())
            self._waiting.clear()
        else:
            self.flush()
        if failure is None:
            self._tell(group, done.result())

    def _tell(self, group: list[_Waiting], outcomes: Outcomes | BaseException) -> None:
        """Give each caller the outcome of its batch; one error that is everybody's means that nothing was written."""
        if isinstance(outcomes, BaseException):
            outcomes = [outcomes] * len(group)
        else:
            self.wake()
        for (_, future), outcome in zip(group, outcomes, strict=True):
            _resolve(future, outcome)


def _thread_for(capabilities: Capabilities) -> ThreadPoolExecutor | None:
    if capabilities.persistent and capabilities.durability is Durability.DURABLE:
        return ThreadPoolExecutor(1, thread_name_prefix="group-commit")
    return None


def _written_out(prepared: PreparedWrite) -> list[int | StoreError]:
    prepared.write()
    return prepared.outcomes


def _release(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _resolve(future: asyncio.Future[int], outcome: int | BaseException) -> None:
    if future.done():
        return
    if isinstance(outcome, BaseException):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


def _closed() -> StoreClosed:
    return StoreClosed("the group committer is closed", hint="commit before close")
