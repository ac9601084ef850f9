"""Attempts at requests: from a request's bytes through its steps to the answer's bytes and ONE batch to commit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError, Message

from reference_server.audit import Moment
from reference_server.authorization.facts import Facts
from reference_server.call import Caller, Rules, State
from reference_server.errors import Internal, MalformedRequest
from reference_server.pipeline import Operation, Run, advance, run_steps, run_together
from reference_server.unit_of_work import UnitOfWork
from stores.contract import Operation as StoreOperation
from stores.contract import Store


@dataclass(slots=True)
class Attempt:
    """One attempt at a request. What it came to holds if there is no failure; an empty batch is no commit."""

    operation: Operation
    data: bytes
    caller: Caller | None
    time_remaining: Callable[[], float | None] = lambda: None
    """Seconds until nobody waits for the answer any more; None: for ever."""
    response: bytes = b""
    batch: Sequence[StoreOperation] = ()
    rewrites: bool = False
    """The batch changes or removes what is there."""
    failure: Exception | None = field(default=None, repr=False)

    def is_in_time(self) -> bool:
        """Say whether somebody still waits for the answer."""
        remaining = self.time_remaining()
        return remaining is None or remaining > 0

    def raise_failure(self) -> None:
        """Raise what the attempt failed with, if it did."""
        failure, self.failure = self.failure, None
        if failure is not None:
            try:
                raise failure
            finally:
                del failure  # its traceback leads here: kept, it would be garbage that only the collector finds


@dataclass(frozen=True, slots=True)
class Attempts:
    """Makes attempts over one store by one set of rules."""

    store: Store
    rules: Rules
    facts: Facts

    def make(self, attempts: Iterable[Attempt]) -> None:
        """Make the attempts: those at the same operation step by step together, if no spans are to be recorded."""
        same: dict[str, list[Attempt]] = {}
        for attempt in attempts:
            same.setdefault(attempt.operation.name, []).append(attempt)
        for each in same.values():
            self._make_same(each)

    def _make_same(self, attempts: Sequence[Attempt]) -> None:
        moment = Moment()
        begun = [(attempt, run) for attempt in attempts if (run := self._begun(attempt, moment)) is not None]
        runs = [run for _, run in begun]
        if self.rules.tracer is None:
            run_together(runs)
        else:
            advance(run_steps, runs)
        for attempt, run in begun:
            attempt.failure = run.taken_failure()
            if attempt.failure is None:
                _finish(attempt, run)

    def _begun(self, attempt: Attempt, moment: Moment) -> Run | None:
        try:
            request = _parse(attempt.operation, attempt.data)
        except MalformedRequest as error:
            attempt.failure = error
            return None
        state = State(self.rules, attempt.operation, request, attempt.caller)
        return Run(state, UnitOfWork(self.store, self.facts, moment))


def _finish(attempt: Attempt, run: Run) -> None:
    try:
        attempt.response = _response_bytes(run.state, run.work)
        attempt.batch, attempt.rewrites = run.work.batch(), run.work.rewrites
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this caller's alone
        attempt.failure = error


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
