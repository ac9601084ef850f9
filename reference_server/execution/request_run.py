"""A request run: from a request's bytes through its steps to the answer's bytes and ONE batch to commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry import context as trace_context

from reference_server.audit import Instant
from reference_server.authorization.model import Caller
from reference_server.errors import Internal, MalformedRequest
from reference_server.pipeline import Operation, ServerContext, State, run_steps
from reference_server.unit_of_work import UnitOfWork
from stores.contract import Operation as StoreOperation
from stores.contract import Store


class RequestRun:
    """One run of a request. A request that lost a race is run again, as a new one."""

    __slots__ = ("_caller", "_data", "_time_remaining", "_trace", "batch", "done", "operation", "response", "rewrites")

    def __init__(
        self, operation: Operation, data: bytes, caller: Caller | None, time_remaining: Callable[[], float | None]
    ) -> None:
        """`time_remaining`: seconds until nobody waits for the answer any more; None: for ever."""
        self.operation = operation
        self._data = data
        self._caller = caller
        self._time_remaining = time_remaining
        self._trace = trace_context.get_current()
        """The spans of the steps hang below the caller's, in whose turn of the loop ever they are run."""
        self.done: asyncio.Future[int] | None = None
        """What the caller waits for while the run is in the write queue."""
        self.response = b""
        self.batch: list[StoreOperation] = []
        """What is to be committed; empty: nothing."""
        self.rewrites = False
        """The batch changes or removes what is stored."""

    def is_in_time(self) -> bool:
        """Say whether somebody still waits for the answer."""
        remaining = self._time_remaining()
        return remaining is None or remaining > 0

    def run(self, context: ServerContext, store: Store, instant: Instant) -> None:
        """Run the steps and set `response`, `batch` and `rewrites`. Raises ApiError, StoreError."""
        if context.tracer is None:
            self._run(context, store, instant)
            return
        token = trace_context.attach(self._trace)
        try:
            self._run(context, store, instant)
        finally:
            trace_context.detach(token)

    def _run(self, context: ServerContext, store: Store, instant: Instant) -> None:
        work = UnitOfWork(store, instant)
        state = run_steps(State(context, self.operation, self._request(), self._caller), work)
        self.response = _response_bytes(state, work)
        self.batch, self.rewrites = work.batch(), work.rewrites

    def _request(self) -> Any:  # noqa: ANN401 - a message of the operation's request type
        try:
            return self.operation.request_type.FromString(self._data)
        except DecodeError:
            name = self.operation.method.input_type.full_name
            raise MalformedRequest(
                f"the request's {len(self._data)} bytes are no {name}; check the client's schema"
            ) from None


def _response_bytes(state: State, work: UnitOfWork) -> bytes:
    """A resource that is stored is serialized once: the same bytes go to the store and to the caller."""
    response = state.response
    if isinstance(response, bytes):
        return response
    if response is None:
        raise Internal(f"{state.operation.name} ended without a response")
    return work.wire(response) if response is state.resource else response.SerializeToString()
