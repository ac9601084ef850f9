"""Runs requests: an attempt (`attempts.py`), ONE commit, the answer. Knows nothing of gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from reference_server.answers import Answers
from reference_server.attempts import Attempt, Attempts
from reference_server.authorization.facts import Facts
from reference_server.call import Caller, Rules
from reference_server.errors import (
    Aborted,
    ApiError,
    DataLoss,
    DeadlineExceeded,
    Internal,
    Unavailable,
)
from reference_server.gathering import Gathering
from reference_server.pipeline import Operation
from reference_server.short_get import ShortWay, short_get
from stores.contract import (
    Conflict,
    CorruptRecord,
    Durability,
    Store,
    StoreError,
    StoreUnavailable,
)
from stores.contract import (
    Operation as StoreOperation,
)
from stores.group_commit_async import AsyncGroupCommitter
from stores.group_commit_turn import TurnCommitter

_ATTEMPTS_MAX = 8
"""So often a request is done over when others change what it read; each round one of the others has succeeded."""
_UNFINISHED = -1
"""In place of a position: made, but not handed on to be committed."""

Committer = TurnCommitter | AsyncGroupCommitter


def committer_for(store: Store, after_write: Callable[[], None]) -> Committer:
    """Return the way of committing that fits the store's durability. `after_write` wakes whoever waits for events."""
    durable = store.capabilities.durability is Durability.DURABLE
    if durable and store.capabilities.persistent:
        return AsyncGroupCommitter(store, after_write=after_write)
    return TurnCommitter(store, after_write)


@dataclass(frozen=True, slots=True)
class Executor:
    """Runs requests over one store by one set of rules."""

    store: Store
    rules: Rules
    committer: Committer
    facts: Facts = field(default_factory=Facts)
    answers: Answers = field(default_factory=Answers)
    _attempts: Attempts = field(init=False)
    _gathering: Gathering[Attempt, int] = field(init=False)

    def __post_init__(self) -> None:
        attempts = Attempts(self.store, self.rules, self.facts)
        object.__setattr__(self, "_attempts", attempts)
        object.__setattr__(self, "_gathering", Gathering(self._take))

    def short_way(self, operation: Operation) -> ShortWay | None:
        """Return what answers most requests of an operation without its steps, or None if there is no such thing."""
        return short_get(operation, self.rules, self.store, self.facts, self.answers)

    async def execute(
        self,
        operation: Operation,
        data: bytes,
        caller: Caller | None,
        time_remaining: Callable[[], float | None] = lambda: None,
    ) -> bytes:
        """Run `operation` on the request in `data` and return the response's bytes. Raises ApiError."""
        attempt = Attempt(operation, data, caller, time_remaining)
        together = operation.writes and self.rules.tracer is None
        try:
            for _ in range(_ATTEMPTS_MAX):
                try:
                    if together:
                        together = False
                        if await self._gathering.join(attempt) != _UNFINISHED:
                            return attempt.response
                    else:
                        self._attempts.make((attempt,))
                    await self._finish(attempt)
                except Conflict:
                    continue
                return attempt.response
        except StoreError as error:
            raise _translated(error) from error
        raise Aborted(f"{operation.name}: others kept changing the same resource; send the request again")

    def _take(self, group: Sequence[tuple[Attempt, asyncio.Future[int]]]) -> None:
        """Make attempts together, and let those that only create be committed; the others finish on their own."""
        self._attempts.make([attempt for attempt, _ in group])
        for attempt, future in group:
            if attempt.failure is None and attempt.batch and not attempt.rewrites and attempt.is_in_time():
                self.committer.submit(attempt.batch, future)
            else:
                future.set_result(_UNFINISHED)

    async def _finish(self, attempt: Attempt) -> None:
        """Commit what an attempt came to, if it came to anything. Raises what it failed with, Conflict, ApiError."""
        attempt.raise_failure()
        if not attempt.batch:
            return
        if not attempt.is_in_time():
            raise DeadlineExceeded("the deadline passed before the commit; nothing was changed")
        if not attempt.rewrites:
            await self.committer.commit(attempt.batch)
            return
        # A caller who leaves doesn't take what is remembered with him: the write may go on, and must be followed.
        writing = asyncio.ensure_future(self._rewritten(attempt.batch))
        writing.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.shield(writing)

    async def _rewritten(self, batch: Sequence[StoreOperation]) -> None:
        """Commit what changes or removes resources, and forget what was known of them."""
        with self.answers.during(batch):
            try:
                await self.committer.commit(batch)
            finally:
                self.facts.after_commit(batch)


def _translated(error: StoreError) -> ApiError:
    if isinstance(error, CorruptRecord):
        return DataLoss(f"{error}; {error.hint}" if error.hint else str(error))
    if isinstance(error, StoreUnavailable):
        return Unavailable("the store can't serve now; the operator finds the reason in the log. Try again later")
    return Internal("the store refused the request; the operator finds the reason in the log")
