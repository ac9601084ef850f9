"""The write queue: everything that writes goes through it, from top to bottom of this page.

    arrive -> gather -> run the steps -> commit -> resume

gRPC hands a server one request in each turn of the event loop. Requests that arrive close together are gathered, so
that the steps of all of them run in one turn and their batches share one write; a durable store's write takes place in
a thread, while the loop runs the steps of the next group. The model is LevelDB's queue of writers
(`db/db_impl.cc`: `Write`, `BuildBatchGroup`). What runs in the background commits through the same queue, so nobody
else holds the store's lock, and the event loop never waits for the disk.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from reference_server.audit import Instant
from reference_server.errors import DeadlineExceeded
from reference_server.execution.request_run import RequestRun, run_together
from reference_server.pipeline import ServerContext
from stores.contract import Batch, Store
from stores.group_commit import GroupCommitter

GROUP_MAX = 24
"""So many runs go in one turn: some milliseconds in which nothing else does."""
QUIET_TURNS = 6
"""After so many turns without a newcomer the loop is idle: gRPC takes about as long to hand over the next request."""
ALONE_SECONDS = 0.001
"""Who arrives when the queue has had nothing to do for so long is alone, and waits for nobody."""

REMOTE_RUNS_MAX = 8
"""Over a network: so many requests read the store at once. Each takes a connection, or two while it lists."""
WAITING_RUNS_MAX = 64
"""Over an embedded store: so many requests wait for the authorizer at once."""
T = TypeVar("T")


class WriteQueue:
    """The one way to write to a store while a server runs over it. Used on one event loop."""

    def __init__(self, store: Store, context: ServerContext) -> None:
        self._store = store
        self._context = context
        self.committer = GroupCommitter(store)
        self._arrived: list[RequestRun] = []
        self._gathering_on: asyncio.AbstractEventLoop | None = None
        is_remote = store.capabilities.shared_writers
        self._waits = is_remote or context.authorizer.waits
        self._slots = asyncio.Semaphore(REMOTE_RUNS_MAX if is_remote else WAITING_RUNS_MAX)
        self._last_busy = 0.0
        """When somebody last arrived or was resumed, by the monotonic clock."""

    async def run(self, run: RequestRun) -> bytes:
        """Run a request's steps with those of others and commit what they write; return the response.

        Raises what the steps raise, DeadlineExceeded, and what `Store.commit` raises. A caller who is cancelled before
        its steps have run, or (if it only creates) before the write has begun, leaves no trace.
        """
        run.done = asyncio.get_running_loop().create_future()
        try:
            if self._waits:
                await self._run_beside_others(run)
            else:
                self._arrive(run)
            await run.done
        finally:
            run.done = None  # a failure's traceback leads to the run: the two would keep each other
            self._last_busy = time.monotonic()
        return run.response

    async def commit(self, batch: Batch) -> None:
        """Commit a batch that no request asked for. Raises what `Store.commit` raises."""
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._commit(batch, future, rewrites=True)
        self.committer.flush()
        await future

    async def reading(self, function: Callable[[], T]) -> T:
        """Run a function that reads the store or decides. Where it waits, the event loop goes on meanwhile."""
        if not self._waits:
            return function()
        from stores.bridge import bridged  # noqa: PLC0415 - needs a package that comes with such a store

        async with self._slots:
            return await bridged(function)

    def close(self) -> None:
        """Finish the write under way; later ones are refused with StoreClosed."""
        self.committer.close()

    async def _run_beside_others(self, run: RequestRun) -> None:
        """Run the steps beside others that wait for the network; what is ready when a write ends shares the next."""
        instant = Instant(self._context.clock)
        await self.reading(lambda: run_together([run], self._context, self._store, instant))
        self._settle(run)
        self.committer.flush()

    # ---- arrive

    def _arrive(self, run: RequestRun) -> None:
        now = time.monotonic()
        is_alone, self._last_busy = now - self._last_busy > ALONE_SECONDS, now
        self._arrived.append(run)
        loop = asyncio.get_running_loop()
        if self._gathering_on is loop:
            return
        if is_alone:
            self._run_group()
        else:
            self._gathering_on = loop
            loop.call_soon(self._gather, loop, 0, 0)

    # ---- gather

    def _gather(self, loop: asyncio.AbstractEventLoop, seen: int, quiet_turns: int) -> None:
        """Look, turn after turn, whether others come, until the group is full or the loop is idle."""
        count = len(self._arrived)
        quiet_turns = quiet_turns + 1 if count == seen else 0
        if count < GROUP_MAX and quiet_turns < QUIET_TURNS:
            loop.call_soon(self._gather, loop, count, quiet_turns)
        else:
            self._gathering_on = None
            self._run_group()

    # ---- run the steps

    def _run_group(self) -> None:
        """Run the steps of all that have arrived, operation by operation, and commit."""
        group, self._arrived = self._arrived, []
        instant = Instant(self._context.clock)
        by_operation: dict[str, list[RequestRun]] = {}
        for run in group:
            if run.done is not None and not run.done.done():
                by_operation.setdefault(run.operation.name, []).append(run)
        for runs in by_operation.values():
            run_together(runs, self._context, self._store, instant)
            for run in runs:
                self._settle(run)
        self.committer.flush()

    # ---- commit

    def _settle(self, run: RequestRun) -> None:
        done, failure, run.failure = run.done, run.failure, None
        if done is None or done.done():
            return
        if failure is not None:
            done.set_exception(failure)
        elif not run.batch:
            done.set_result(0)
        elif not run.is_in_time():
            done.set_exception(DeadlineExceeded("the deadline passed before the commit; nothing was changed"))
        else:
            self._commit(run.batch, done, rewrites=run.rewrites)

    def _commit(self, batch: Batch, future: asyncio.Future[int], *, rewrites: bool) -> None:
        """Hand a batch to the committer. Of what it changes or removes the observers hear, before and afterwards."""
        if not (rewrites and self._context.observers):
            self.committer.submit(batch, future)
            return
        for each in self._context.observers:
            each.writing(batch)
        # A caller who leaves doesn't take this future along: the write goes on, and so does what follows it.
        written: asyncio.Future[int] = future.get_loop().create_future()
        written.add_done_callback(lambda done: self._written(batch, done, future))
        self.committer.submit(batch, written)

    # ---- resume

    def _written(self, batch: Batch, done: asyncio.Future[int], future: asyncio.Future[int]) -> None:
        for each in self._context.observers:
            each.written(batch)
        failure = done.exception()
        if future.done():
            return
        if failure is None:
            future.set_result(done.result())
        else:
            future.set_exception(failure)
