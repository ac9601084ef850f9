"""gRPC on one side, operations on the other: bytes in, bytes out, errors to statuses with details. No rules."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from google.rpc import code_pb2

from protos.conditions import UNCHANGED_SINCE
from protos.parity.v1.event_pb2 import DESCRIPTOR as EVENT_FILE
from protos.parity.v1.event_pb2 import WatchRequest
from reference_server.authorization.callers import KnowsCallers, Metadata, by_token
from reference_server.authorization.model import SYSTEM, Caller
from reference_server.errors import (
    ApiError,
    Internal,
    MalformedRequest,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)
from reference_server.events.watch import Watcher
from reference_server.execution.executor import Executor
from reference_server.metrics import Metrics
from reference_server.pipeline import Operation
from reference_server.profile import Profile
from reference_server.telemetry import log
from reference_server.tracing import caller_trace
from stores.contract import StoreError

EVENT_SERVICE = EVENT_FILE.services_by_name["EventService"].full_name
_CODES = {code.value[0]: code for code in grpc.StatusCode}
SEND_SECONDS_MAX = 30.0
"""So long a watcher may leave one message unread before it is cut off."""

Context = grpc.aio.ServicerContext[Any, Any]
CallerOf = Callable[[Metadata], Caller | None]
Handler = Callable[[bytes, Context], Awaitable[bytes]]
_CONDITIONAL = ("-update", "-apply")
"""So end the names of the operations that take a condition."""
_HANDLERS_MAX = 4096
"""A handler for each method and caller: some 1 KiB each."""


def caller_source(profile: Profile, sources: Sequence[KnowsCallers]) -> CallerOf:
    """Return how the caller of a request is found: the system in the oss profile, by token in the cloud profile."""
    if profile is Profile.OSS:
        return lambda _: SYSTEM
    return by_token(sources)


@dataclass(frozen=True, slots=True)
class Answering:
    """What all methods share."""

    executor: Executor
    metrics: Metrics | None = None

    def unary(self, operation: Operation, caller: Caller | None, unchanged_since: str = "") -> Handler:
        """Return the handler of a unary method for a caller, with metrics and traces around it where they are on.

        `unchanged_since`: see `Executor.execute`.
        """
        execute = self.executor.execute
        early = self.executor.context.early_answers.get(operation.name, _none)
        waits = self.executor.waits and early is not _none
        reading = self.executor.reading

        async def handle(data: bytes, context: Context) -> bytes:
            try:
                response = await reading(lambda: early(data, caller)) if waits else early(data, caller)
                if response is not None:
                    return response
                return await execute(operation, data, caller, context.time_remaining, unchanged_since)
            except ApiError as error:
                await abort(context, error, operation.name)
            except Exception as error:  # noqa: BLE001 - the edge of the process: nothing may leave without a status
                await abort(context, _fault(error, operation), operation.name)

        handler = handle if self.executor.context.tracer is None else _traced(handle)
        return handler if self.metrics is None else _measured(handler, self.metrics, operation.name)


class UnaryMethods(grpc.GenericRpcHandler):  # type: ignore[type-arg] # only the stubs know type arguments
    """All unary methods. Who calls is found out where gRPC asks for a method's handler, as it has the metadata there.

    Later, from the context, the metadata would have to be made once more.
    """

    def __init__(self, answering: Answering, caller_of: CallerOf, operations: Iterable[Operation]) -> None:
        self._answering = answering
        self._caller_of = caller_of
        self._operations = {
            f"/{each.method.containing_service.full_name}/{each.method.name}": each for each in operations
        }
        self._handlers: dict[tuple[str, str | None], grpc.RpcMethodHandler[bytes, bytes]] = {}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        """Return the handler of a call, or None for a method that isn't among these."""
        method = handler_call_details.method
        operation = self._operations.get(method)
        if operation is None:
            return None
        try:
            caller = self._caller_of(handler_call_details.invocation_metadata or ())
        except Exception as error:  # noqa: BLE001 - the edge of the process: nothing may leave without a status
            return grpc.unary_unary_rpc_method_handler(_failing(_fault(error, operation), operation.name))
        if operation.name.endswith(_CONDITIONAL):
            condition = _condition(handler_call_details.invocation_metadata or ())
            if condition:
                return grpc.unary_unary_rpc_method_handler(self._answering.unary(operation, caller, condition))
        name = (method, None if caller is None else caller.id)
        handler = self._handlers.get(name)
        if handler is None:
            if len(self._handlers) >= _HANDLERS_MAX:
                self._handlers.clear()
            unary = self._answering.unary(operation, caller)
            handler = self._handlers[name] = grpc.unary_unary_rpc_method_handler(unary)
        return handler


def _condition(metadata: Metadata) -> str:
    """Return the state that the caller says it knows, or nothing."""
    return next((str(value) for key, value in metadata if key == UNCHANGED_SINCE), "")


def _failing(error: ApiError, operation: str) -> Handler:
    async def fail(data: bytes, context: Context) -> bytes:  # noqa: ARG001 - the signature of a handler
        await abort(context, error, operation)

    return fail


def _fault(error: Exception, operation: Operation) -> Internal:
    """Log what nobody expected, and return what the caller is told of it."""
    log().error("request failed", operation=operation.name, exc_info=error)
    return Internal(f"a fault of the server ({type(error).__name__})")


def _none(data: bytes, caller: Caller | None) -> None:
    """Return no early answer."""


def _traced(handle: Handler) -> Handler:
    async def traced(data: bytes, context: Context) -> bytes:
        with caller_trace(context.invocation_metadata() or ()):
            return await handle(data, context)

    return traced


def _measured(handle: Handler, metrics: Metrics, operation: str) -> Handler:
    async def measured(data: bytes, context: Context) -> bytes:
        with metrics.request(operation) as code:
            code[0] = "CANCELLED"
            try:
                answer = await handle(data, context)
            except grpc.aio.AbortError:
                code[0] = context.code().name
                raise
            code[0] = "OK"
            return answer

    return measured


async def abort(context: Context, error: ApiError, operation: str) -> NoReturn:
    """End a call with an error's status and details, and log what isn't the caller's fault."""
    if error.code in {code_pb2.INTERNAL, code_pb2.UNAVAILABLE, code_pb2.DATA_LOSS}:
        log().error("answered with an error", operation=operation, reason=error.reason, cause=repr(error.__cause__))
    status = error.to_status()
    details = ("grpc-status-details-bin", status.SerializeToString())
    await context.abort(_CODES[error.code], status.message, (details,))
    raise AssertionError("abort always raises")


class EventServicer:
    """`parity.v1.EventService`."""

    def __init__(self, executor: Executor, caller_of: CallerOf, send_seconds_max: float, watches_max: int) -> None:
        self._executor = executor
        self._caller_of = caller_of
        self._send_seconds_max = send_seconds_max
        self._watches_max = watches_max
        self._watches = 0
        self._stopping = False

    def stop(self) -> None:
        """End all watches, so that they don't hold up the drain."""
        self._stopping = True
        self._executor.queue.committer.wake()

    def handler(self) -> grpc.GenericRpcHandler[bytes, bytes]:
        """Return the generic handler of the service."""
        watch = grpc.unary_stream_rpc_method_handler(self.watch)
        return grpc.method_handlers_generic_handler(EVENT_SERVICE, {"Watch": watch})

    async def watch(self, data: bytes, context: Context) -> None:
        """Send events until the client leaves, reads too slowly, or the server stops."""
        self._watches += 1
        try:
            async with asyncio.timeout(None) as limit:
                async for response in self._responses(data, context):
                    limit.reschedule(asyncio.get_running_loop().time() + self._send_seconds_max)
                    await context.write(response)
                    limit.reschedule(None)
        except ApiError as error:
            await abort(context, error, "watch")
        except StoreError as error:
            await abort(context, self._executor.health.answer(error), "watch")
        except TimeoutError:
            slow = ResourceExhausted("the watcher reads too slowly; watch again after the last position that it saw")
            await abort(context, slow, "watch")
        finally:
            self._watches -= 1
        await abort(context, Unavailable("the server is shutting down; watch again after the last position"), "watch")

    async def _responses(self, data: bytes, context: Context) -> AsyncIterator[bytes]:
        caller = self._caller_of(context.invocation_metadata() or ())
        if caller is None:
            raise Unauthenticated("the watch has no valid credentials; send metadata 'authorization: Bearer <token>'")
        if self._watches > self._watches_max:
            raise ResourceExhausted(f"{self._watches_max} watches are open, and more may not be; try again later")
        try:
            request = WatchRequest.FromString(data)
        except DecodeError:
            raise MalformedRequest("the request is no parity.v1.WatchRequest") from None
        executor = self._executor
        watcher = Watcher(executor.store, executor.queue, executor.context.authorizer, caller)
        async for response in watcher.responses(request, lambda: self._stopping):
            yield response.SerializeToString()
