"""Trace evidence: a receiver for OTLP over gRPC inside the suite, and what the spans of a create must look like.

A target that is configured to export its spans here (`--otlp-listen`) is judged on its step spans too; nobody is asked
for traces otherwise.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc

from conformance.evidence import Json

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
WAIT_SECONDS = 15.0
"""Exporters that collect spans first send them every 5 s by default."""


class ReceiverUnavailable(Exception):
    """The receiver can't be started; the message says why and what to do."""


@dataclass
class SpanLog:
    """The spans that came in, in the order of their coming."""

    address: str = ""
    _spans: list[Json] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def add(self, spans: list[Json]) -> None:
        """Keep spans."""
        with self._changed:
            self._spans += spans
            self._changed.notify_all()

    def since(self, start_ns: int, done: Callable[[list[Json]], bool]) -> list[Json]:
        """Return the spans that began at or after a time, once `done` says that they are all, or time is over."""

        def fresh() -> list[Json]:
            return [span for span in self._spans if span["start_ns"] >= start_ns]

        until = time.monotonic() + WAIT_SECONDS
        with self._changed:
            while not done(fresh()) and (left := until - time.monotonic()) > 0:
                self._changed.wait(left)
            return sorted(fresh(), key=lambda span: (span["start_ns"], span["end_ns"]))


@contextmanager
def receiving(listen: str) -> Iterator[SpanLog]:
    """Receive spans at host:port (port 0: any free one) for as long as the block lasts. Raises ReceiverUnavailable."""
    try:
        from opentelemetry.proto.collector.trace.v1 import trace_service_pb2  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ReceiverUnavailable(
            f"--otlp-listen: {error}; install the extra: pip install 'agent-parity[otel]'"
        ) from None
    log = SpanLog()

    def export(request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ANN401 - a message of an extra
        del context
        log.add(
            [
                _plain(span)
                for resource in request.resource_spans
                for scope in resource.scope_spans
                for span in scope.spans
            ]
        )
        return trace_service_pb2.ExportTraceServiceResponse()

    server = grpc.server(futures.ThreadPoolExecutor(4, thread_name_prefix="conform-otlp"))
    handler = grpc.unary_unary_rpc_method_handler(
        export,
        request_deserializer=trace_service_pb2.ExportTraceServiceRequest.FromString,
        response_serializer=trace_service_pb2.ExportTraceServiceResponse.SerializeToString,
    )
    service, _, method = EXPORT.strip("/").rpartition("/")
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    try:
        port = server.add_insecure_port(listen)
    except RuntimeError as error:
        raise ReceiverUnavailable(f"--otlp-listen {listen}: {error}") from None
    log.address = f"{listen.rpartition(':')[0]}:{port}"
    server.start()
    try:
        yield log
    finally:
        server.stop(grace=0).wait(WAIT_SECONDS)


def _plain(span: Any) -> Json:  # noqa: ANN401 - a message of an extra
    return {
        "name": span.name,
        "trace": span.trace_id.hex(),
        "id": span.span_id.hex(),
        "parent": span.parent_span_id.hex(),
        "start_ns": span.start_time_unix_nano,
        "end_ns": span.end_time_unix_nano,
    }
