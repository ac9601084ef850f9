"""Server reflection under both of its names: v1, and v1alpha for older clients. The two are alike but for the name."""

from __future__ import annotations

from collections.abc import Iterable

import grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

SERVICE_V1 = "grpc.reflection.v1.ServerReflection"


def serve_reflection(services: Iterable[str], server: grpc.aio.Server) -> None:
    """Let a server name these services, and describe them."""
    named = (*sorted(services), SERVICE_V1, reflection.SERVICE_NAME)
    method = grpc.stream_stream_rpc_method_handler(
        reflection.aio.ReflectionServicer(named).ServerReflectionInfo,  # type: ignore[attr-defined] # not in its __all__ for mypy
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers(
        tuple(
            grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": method})
            for name in (SERVICE_V1, reflection.SERVICE_NAME)
        )
    )
