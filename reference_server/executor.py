"""Runs one request: parse, steps, ONE commit, answer. Knows nothing of gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError, Message

from reference_server.answers import Answers, changes_what_is_there
from reference_server.authorization.facts import Facts
from reference_server.call import Caller, Rules, State
from reference_server.errors import (
    Aborted,
    ApiError,
    DataLoss,
    DeadlineExceeded,
    Internal,
    MalformedRequest,
    Unavailable,
)
from reference_server.gathering import Gathering
from reference_server.pipeline import Operation, run_steps
from reference_server.short_get import ShortWay, short_get
from reference_server.unit_of_work import UnitOfWork
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

Commit = Callable[[Sequence[StoreOperation]], Awaitable[object]]


Committer = TurnCommitter | AsyncGroupCommitter


def committer_for(store: Store) -> Committer:
    """Return the way of committing that fits the store's durability."""
    durable = store.capabilities.durability is Durability.DURABLE
    return AsyncGroupCommitter(store) if durable and store.capabilities.persistent else TurnCommitter(store)


@dataclass(frozen=True, slots=True)
class Executor:
    """Runs requests over one store by one set of rules."""

    store: Store
    rules: Rules
    commit: Commit
    after_commit: Callable[[], None]
    """Called after each commit that wrote something: wakes whoever waits for events."""
    facts: Facts = field(default_factory=Facts)
    gathering: Gathering = field(default_factory=Gathering)
    answers: Answers = field(default_factory=Answers)

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
        if operation.writes:
            await self.gathering.turn()
        try:
            for _attempt in range(_ATTEMPTS_MAX):
                work = UnitOfWork(self.store, self.facts)
                state = run_steps(State(self.rules, operation, _parse(operation, data), caller), work)
                response = _response_bytes(state, work)
                batch = work.batch()
                if not batch:
                    return response
                _check_deadline(time_remaining())
                try:
                    await self._committed(batch)
                except Conflict:
                    continue
                return response
        except StoreError as error:
            raise _translated(error) from error
        raise Aborted(f"{operation.name}: others kept changing the same resource; send the request again")

    async def _committed(self, batch: Sequence[StoreOperation]) -> None:
        if not changes_what_is_there(batch):
            await self.commit(batch)
            self.after_commit()
            return
        # A caller who leaves doesn't take what is remembered with him: the write may go on, and must be followed.
        writing = asyncio.ensure_future(self._rewritten(batch))
        writing.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.shield(writing)

    async def _rewritten(self, batch: Sequence[StoreOperation]) -> None:
        """Commit what changes or removes resources, and forget what was known of them."""
        with self.answers.during(batch):
            try:
                await self.commit(batch)
            finally:
                self.facts.after_commit(batch)
        self.after_commit()


def _parse(operation: Operation, data: bytes) -> Message:
    try:
        return operation.request_type.FromString(data)
    except DecodeError:
        name = operation.method.input_type.full_name
        raise MalformedRequest(f"the request's {len(data)} bytes are no {name}; check the client's schema") from None


def _response_bytes(state: State, work: UnitOfWork) -> bytes:
    """A resource that is stored is serialized once: the same bytes go to the store and to the caller."""
    response = state.response
    if isinstance(response, bytes):
        return response
    if response is None:
        raise Internal(f"{state.operation.name} ended without a response")
    return work.wire(response) if response is state.resource else response.SerializeToString()


def _check_deadline(remaining: float | None) -> None:
    if remaining is not None and remaining <= 0:
        raise DeadlineExceeded("the deadline passed before the commit; nothing was changed")


def _translated(error: StoreError) -> ApiError:
    if isinstance(error, CorruptRecord):
        return DataLoss(f"{error}; {error.hint}" if error.hint else str(error))
    if isinstance(error, StoreUnavailable):
        return Unavailable("the store can't serve now; the operator finds the reason in the log. Try again later")
    return Internal("the store refused the request; the operator finds the reason in the log")
