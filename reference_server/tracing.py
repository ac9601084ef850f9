"""Traces: spans named as in the behaviour contract, sent to an OTLP collector. Off unless an endpoint is given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry.propagate import extract
from opentelemetry.trace import Tracer

from reference_server.config import ConfigError


@dataclass(frozen=True, slots=True)
class Tracing:
    """A tracer and the way to send what it still holds."""

    tracer: Tracer
    provider: Any

    def close(self) -> None:
        """Send what is left and stop."""
        self.provider.shutdown()


def start_tracing(endpoint: str) -> Tracing | None:
    """Return the tracing to an OTLP gRPC endpoint (`http://host:4317`), or None for no endpoint.

    Raises ConfigError when the exporter isn't installed.
    """
    if not endpoint:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(f"otlp_endpoint: {error}; install the extra: pip install 'agent-parity[otel]'") from None
    provider = TracerProvider(resource=Resource.create({"service.name": "parity-reference-server"}))
    exporter = OTLPSpanExporter(endpoint=endpoint, insecure=not endpoint.startswith("https://"))
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=200))
    return Tracing(provider.get_tracer("parity.reference_server"), provider)


@contextmanager
def caller_trace(metadata: Iterable[tuple[str, str | bytes]]) -> Iterator[None]:
    """Make the spans in the block children of the caller's span, which came as `traceparent` (W3C)."""
    carrier = {key: value for key, value in metadata if isinstance(value, str)}
    token = otel_context.attach(extract(carrier))
    try:
        yield
    finally:
        otel_context.detach(token)
