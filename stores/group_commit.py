"""Many concurrent commits, one durable write.

While one write waits for the disk, the next batches gather; then all of them go in one `commit_many`. A lone caller
waits for nobody: the first batch in an idle queue is written at once.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from typing import Protocol, Self

from stores.contract import Batch, StoreClosed, StoreError, StoreUnavailable

GROUP_MAX = 128
"""Batches in one write: beyond this the fsync's share of a commit is under 2 µs and only latency grows."""
CLOSE_TIMEOUT_SECONDS = 30.0


class CommitsMany(Protocol):
    """The part of a Store that group commit needs."""

    def commit_many(self, batches: list[Batch]) -> list[int | StoreError]:
        """See `Store.commit_many`."""
        ...


class _Caller:
    """A thread that waits in `commit`: a lock costs it a fraction of what a Future does, which can do much more."""

    __slots__ = ("_answered", "_failure", "_outcome")

    def __init__(self) -> None:
        self._answered = threading.Lock()
        self._answered.acquire()
        self._outcome = 0
        self._failure: BaseException | None = None

    def set_running_or_notify_cancel(self) -> bool:
        """See `Future`: who waits inside of `commit` can't cancel."""
        return True

    def set_result(self, outcome: int) -> None:
        """See `Future`."""
        self._outcome = outcome
        self._answered.release()

    def set_exception(self, failure: BaseException) -> None:
        """See `Future`."""
        self._failure = failure
        self._answered.release()

    def result(self) -> int:
        """Wait for the outcome, once. Raises what the commit failed with."""
        self._answered.acquire()
        if self._failure is not None:
            try:
                raise self._failure
            finally:
                self._failure = None  # else its traceback, which leads here, keeps both
        return self._outcome


_Waiter = _Caller | Future[int]


class GroupCommitter:
    """Commits from many threads through one background thread. The store stays the caller's to close, after this."""

    def __init__(self, store: CommitsMany, group_max: int = GROUP_MAX) -> None:
        self._store = store
        self._group_max = group_max
        self._waiting: deque[tuple[Batch, _Waiter]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)
        self._thread.start()

    def submit(self, batch: Batch) -> Future[int]:
        """Queue a batch; the future gives what `Store.commit` returns or raises. Raises StoreClosed.

        A future can be cancelled until its batch is taken for writing. Batches of one thread are written in the
        order of their submission.
        """
        future: Future[int] = Future()
        self._queue(batch, future)
        return future

    def commit(self, batch: Batch) -> int:
        """Submit and wait: a drop-in for `Store.commit`."""
        caller = _Caller()
        self._queue(batch, caller)
        return caller.result()

    def _queue(self, batch: Batch, waiter: _Waiter) -> None:
        with self._changed:
            if self._closed:
                raise StoreClosed("the group committer is closed", hint="submit before close")
            self._waiting.append((batch, waiter))
            self._changed.notify()

    def close(self) -> None:
        """Write what is queued, then end the thread. Twice is no error. Raises StoreUnavailable if it hangs."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(CLOSE_TIMEOUT_SECONDS)
        if self._thread.is_alive():
            raise StoreUnavailable("the group committer can't be closed: a write is still running")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if not self._waiting:
                    return
                taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._group_max))]
            group = [(batch, future) for batch, future in taken if future.set_running_or_notify_cancel()]
            if group:
                self._write(group)

    def _write(self, group: list[tuple[Batch, _Waiter]]) -> None:
        try:
            outcomes = self._store.commit_many([batch for batch, _ in group])
        except BaseException as error:  # noqa: BLE001 - whatever it is belongs to the callers, and the thread must live
            for _, future in group:
                future.set_exception(error)
            return
        for (_, future), outcome in zip(group, outcomes, strict=True):
            if isinstance(outcome, StoreError):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
