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

from protos.parity.v1.event_pb2 import DESCRIPTOR as EVENT_FILE
from protos.parity.v1.event_pb2 import WatchRequest
from reference_server.authorization.callers import KnowsCallers, caller_by_token
from reference_server.call import SYSTEM, Caller, Profile
from reference_server.errors import (
    ApiError,
    Internal,
    MalformedRequest,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)
from reference_server.events.watch import Wakeup, Watcher
from reference_server.executor import Executor
from reference_server.metrics import Metrics
from reference_server.pipeline import Operation
from reference_server.telemetry import log
from reference_server.tracing import caller_trace

EVENT_SERVICE = EVENT_FILE.services_by_name["EventService"].full_name
_CODES = {code.value[0]: code for code in grpc.StatusCode}
SEND_SECONDS_MAX = 30.0
"""So long a watcher may leave one message unread before it is cut off."""

Context = grpc.aio.ServicerContext[Any, Any]
CallerOf = Callable[[Context], Caller | None]
Handler = Callable[[bytes, Context], Awaitable[bytes]]


def caller_source(profile: Profile, sources: Sequence[KnowsCallers]) -> CallerOf:
    """Return how the caller of a request is found: the system in the oss profile, by token in the cloud profile."""
    if profile is Profile.OSS:
        return lambda _: SYSTEM
    return lambda context: caller_by_token(sources, context.invocation_metadata() or ())


@dataclass(frozen=True, slots=True)
class Answering:
    """What all methods share."""

    executor: Executor
    caller_of: CallerOf
    metrics: Metrics | None = None

    def unary(self, operation: Operation) -> Handler:
        """Return the handler of a unary method, with metrics and traces around it where they are on."""
        execute, caller_of = self.executor.execute, self.caller_of
        short_way = self.executor.short_way(operation) or _declines

        async def handle(data: bytes, context: Context) -> bytes:
            try:
                caller = caller_of(context)
                answer = short_way(data, caller)
                return await execute(operation, data, caller, context.time_remaining) if answer is None else answer
            except ApiError as error:
                await _abort(context, error, operation.name)
            except Exception as error:  # noqa: BLE001 - the edge of the process: nothing may leave without a status
                log().exception("request failed", operation=operation.name)
                await _abort(context, Internal(f"a fault of the server ({type(error).__name__})"), operation.name)

        handler = handle if self.executor.rules.tracer is None else _traced(handle)
        return handler if self.metrics is None else _measured(handler, self.metrics, operation.name)


def _declines(data: bytes, caller: Caller | None) -> None:
    """What operations without a short way have in its place."""


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


async def _abort(context: Context, error: ApiError, operation: str) -> NoReturn:
    if error.code in {code_pb2.INTERNAL, code_pb2.UNAVAILABLE, code_pb2.DATA_LOSS}:
        log().error("answered with an error", operation=operation, reason=error.reason, cause=repr(error.__cause__))
    details = ("grpc-status-details-bin", error.to_status().SerializeToString())
    await context.abort(_CODES[error.code], error.message, (details,))
    raise AssertionError("abort always raises")


def handlers(answering: Answering, operations: Iterable[Operation]) -> list[grpc.GenericRpcHandler[bytes, bytes]]:
    """Return one generic handler per service, of the operations given."""
    services: dict[str, dict[str, grpc.RpcMethodHandler[bytes, bytes]]] = {}
    for operation in operations:
        service = services.setdefault(operation.method.containing_service.full_name, {})
        service[operation.method.name] = grpc.unary_unary_rpc_method_handler(answering.unary(operation))
    return [grpc.method_handlers_generic_handler(name, methods) for name, methods in services.items()]


class EventServicer:
    """`parity.v1.EventService`."""

    def __init__(
        self, executor: Executor, caller_of: CallerOf, wakeup: Wakeup, send_seconds_max: float = SEND_SECONDS_MAX
    ) -> None:
        self._executor = executor
        self._caller_of = caller_of
        self._wakeup = wakeup
        self._send_seconds_max = send_seconds_max
        self._stopping = False

    def stop(self) -> None:
        """End all watches, so that they don't hold up the drain."""
        self._stopping = True
        self._wakeup.set()

    def handler(self) -> grpc.GenericRpcHandler[bytes, bytes]:
        """Return the generic handler of the service."""
        watch = grpc.unary_stream_rpc_method_handler(self.watch)
        return grpc.method_handlers_generic_handler(EVENT_SERVICE, {"Watch": watch})

    async def watch(self, data: bytes, context: Context) -> None:
        """Send events until the client leaves, reads too slowly, or the server stops."""
        try:
            async with asyncio.timeout(None) as limit:
                async for response in self._responses(data, context):
                    limit.reschedule(asyncio.get_running_loop().time() + self._send_seconds_max)
                    await context.write(response)
                    limit.reschedule(None)
        except ApiError as error:
            await _abort(context, error, "watch")
        except TimeoutError:
            slow = ResourceExhausted("the watcher reads too slowly; watch again after the last position that it saw")
            await _abort(context, slow, "watch")
        await _abort(context, Unavailable("the server is shutting down; watch again after the last position"), "watch")

    async def _responses(self, data: bytes, context: Context) -> AsyncIterator[bytes]:
        caller = self._caller_of(context)
        if caller is None:
            raise Unauthenticated("the watch has no valid credentials; send metadata 'authorization: Bearer <token>'")
        try:
            request = WatchRequest.FromString(data)
        except DecodeError:
            raise MalformedRequest("the request is no parity.v1.WatchRequest") from None
        watcher = Watcher(self._executor.store, self._wakeup, self._executor.rules.authorizer, caller)
        async for response in watcher.responses(request, lambda: self._stopping):
            yield response.SerializeToString()
