"""A request run: from a request's bytes through its steps to the answer's bytes and ONE batch to commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf.message import DecodeError, Message
from opentelemetry import context as trace_context

from reference_server.audit import Instant
from reference_server.authorization.model import Caller
from reference_server.errors import Internal, MalformedRequest
from reference_server.pipeline import Operation, OperationSpan, ServerContext, State, Step
from reference_server.unit_of_work import UnitOfWork
from stores.contract import BatchOperation, Store


class RequestRun:
    """One run of a request. A request that lost a race is run again, as a new one."""

    __slots__ = (
        "_caller",
        "_data",
        "_optimistic",
        "_span",
        "_state",
        "_time_remaining",
        "_trace",
        "_unchanged_since",
        "_work",
        "batch",
        "done",
        "failure",
        "operation",
        "response",
        "rewrites",
    )  # fmt: skip

    def __init__(
        self,
        operation: Operation,
        data: bytes,
        caller: Caller | None,
        time_remaining: Callable[[], float | None],
        unchanged_since: str = "",
        *,
        optimistic: bool = False,
    ) -> None:
        """`time_remaining`: seconds until nobody waits for the answer any more; None: for ever.

        `optimistic`: see `UnitOfWork`.
        """
        self.operation = operation
        self._data = data
        self._caller = caller
        self._time_remaining = time_remaining
        self._unchanged_since = unchanged_since
        self._optimistic = optimistic
        self._trace = trace_context.get_current()
        """The spans of the steps hang below the caller's, in whose turn of the loop ever they are run."""
        self._span: OperationSpan | None = None
        self.done: asyncio.Future[int] | None = None
        """What the caller waits for while the run is in the write queue."""
        self.failure: Exception | None = None
        """What ended the run in a group. Whoever tells the caller takes it: its traceback leads here."""
        self.response = b""
        self.batch: list[BatchOperation] = []
        """What is to be committed; empty: nothing."""
        self.rewrites = False
        """The batch changes or removes what is stored."""

    def is_in_time(self) -> bool:
        """Say whether somebody still waits for the answer."""
        remaining = self._time_remaining()
        return remaining is None or remaining > 0

    def run(self, context: ServerContext, store: Store, instant: Instant) -> None:
        """Run all steps and set `response`, `batch` and `rewrites`. Raises ApiError, StoreError."""
        run_together([self], context, store, instant)
        failure, self.failure = self.failure, None
        if failure is not None:
            try:
                raise failure
            finally:
                del failure

    # ---- the parts of a run

    def begin(self, context: ServerContext, store: Store, instant: Instant) -> None:
        """Parse the request. Raises MalformedRequest."""
        self._work = UnitOfWork(store, instant, optimistic=self._optimistic)
        self._state = State(context, self.operation, self._request(), self._caller, self._unchanged_since)
        if context.tracer is not None:
            self._span = OperationSpan(context.tracer, self.operation.name, self._trace)

    def take(self, step: Step) -> None:
        """Run one step. Raises what it raises."""
        if self._span is None:
            self._state = step.run(self._state, self._work)
        else:
            with self._span.step(step.name):
                self._state = step.run(self._state, self._work)

    def finish(self) -> None:
        """Set what the run came to. Raises Internal if there is no response."""
        state, work = self._state, self._work
        self.response = _response_bytes(state, work)
        batch, self.rewrites = work.batch(), work.rewrites
        self.batch = [*state.context.authorizer.completing(batch, work.store), *batch] if self.rewrites else batch
        if self._span is not None:
            self._span.end(None)

    def fail(self, failure: Exception) -> None:
        """Note what ended the run."""
        self.failure = failure
        if self._span is not None:
            self._span.end(failure)

    def _request(self) -> Any:  # noqa: ANN401 - a message of the operation's request type
        try:
            return self.operation.request_type.FromString(self._data)
        except DecodeError:
            name = self.operation.method.input_type.full_name
            raise MalformedRequest(
                f"the request's {len(self._data)} bytes are no {name}; check the client's schema"
            ) from None


def run_together(runs: Sequence[RequestRun], context: ServerContext, store: Store, instant: Instant) -> None:
    """Run the steps of requests of one operation at one instant: each step for all of them, then the next.

    Each comes to what it comes to alone, and fails alone, as each has a unit of work of its own. But a step's code
    stays in the processor's caches while it is used, which takes a sixth off a create.
    """
    runs = [run for run in runs if _succeeds(run, run.begin, context, store, instant)]
    for step in runs[0].operation.steps if runs else ():
        runs = [run for run in runs if _succeeds(run, run.take, step)]
    for run in runs:
        _succeeds(run, run.finish)


def _succeeds(run: RequestRun, part: Callable[..., None], *arguments: object) -> bool:
    try:
        part(*arguments)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this caller's alone
        run.fail(error)
        return False
    return True


def _response_bytes(state: State, work: UnitOfWork) -> bytes:
    """A resource that is stored is serialized once: the same bytes go to the store and to the caller."""
    response: Message | bytes | None = state.response
    if isinstance(response, bytes):
        return response
    if response is None:
        raise Internal(f"{state.operation.name} ended without a response")
    return work.wire(response) if response is state.resource else response.SerializeToString()
