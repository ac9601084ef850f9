"""Server reflection, asked under the name that the server knows: v1 first, then v1alpha. The two are alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

from conformance.target_client import TargetClient

PATHS = tuple(f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo" for version in ("v1", "v1alpha"))

LIST_SERVICES = ServerReflectionRequest(list_services="")


@dataclass(frozen=True, slots=True)
class Reflected:
    """The answer to one request: the method that was called last, its status; no response if it was refused."""

    path: str
    status: grpc.StatusCode
    details: str
    response: ServerReflectionResponse | None


def reflect(client: TargetClient, request: ServerReflectionRequest) -> Reflected:
    """Ask under each name until one isn't UNIMPLEMENTED."""
    for path in PATHS:
        found = _ask(client, path, request)
        if found.status is not grpc.StatusCode.UNIMPLEMENTED:
            break
    return found


def _ask(client: TargetClient, path: str, request: ServerReflectionRequest) -> Reflected:
    call: Any = client.channel.stream_stream(path, None, None)
    stream = call(iter((request.SerializeToString(),)), timeout=client.deadline_seconds, wait_for_ready=True)
    try:
        return Reflected(path, grpc.StatusCode.OK, "", ServerReflectionResponse.FromString(next(stream)))
    except DecodeError:
        return Reflected(path, grpc.StatusCode.UNKNOWN, "the answer is no ServerReflectionResponse", None)
    except (grpc.RpcError, StopIteration):
        return Reflected(path, stream.code(), stream.details() or "", None)
    finally:
        stream.cancel()
