"""The server at the other end: its address, how to reach it, and unary calls with a deadline."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from reference_server.client.failures import BadInput, failure_of

DEFAULT_ADDRESS = "127.0.0.1:50051"
MESSAGE_BYTES_MAX = 64 * 1024 * 1024  # a page of a list holds many resources of up to 10 MiB of requests each
_LOOPBACK = ("127.", "localhost", "[::1]", "unix:")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the server is and who asks: `host:port`, `grpc://…`, `grpcs://…` (TLS) or `unix:PATH`."""

    address: str = DEFAULT_ADDRESS
    token: str = ""
    tls_ca: Path | None = None
    timeout_s: float = 10.0

    @property
    def target(self) -> str:
        """The address as gRPC wants it."""
        return self.address.removeprefix("grpcs://").removeprefix("grpc://")

    @property
    def encrypted(self) -> bool:
        """Whether to speak TLS."""
        return self.tls_ca is not None or self.address.startswith("grpcs://")


class Server:
    """An open channel to a server. Use as a context manager."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Open the channel. Raises BadInput for an unusable address or certificate file; connects at the first call."""
        if not endpoint.target or "/" in endpoint.target.removeprefix("unix:"):
            raise BadInput(
                f"{endpoint.address!r} is not an address",
                hint="Use HOST:PORT, grpc://HOST:PORT, grpcs://HOST:PORT or unix:PATH.",
            )
        self._endpoint = endpoint
        options = [
            ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
            # A proxy for the outside world must not stand between two programs on one machine.
            ("grpc.enable_http_proxy", 0 if endpoint.target.startswith(_LOOPBACK) else 1),
        ]
        if endpoint.encrypted:
            credentials = grpc.ssl_channel_credentials(root_certificates=_certificates(endpoint.tls_ca))
            self._channel = grpc.secure_channel(endpoint.target, credentials, options)
        else:
            self._channel = grpc.insecure_channel(endpoint.target, options)

    def call(self, method: MethodDescriptor, request: Message) -> Any:  # noqa: ANN401 - the method's response type
        """Make one call. Raises Unreachable or Refused."""
        assert method.containing_service is not None  # noqa: S101 - every method of a file has its service
        invoke = self._channel.unary_unary(
            f"/{method.containing_service.full_name}/{method.name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )
        metadata = (("authorization", f"Bearer {self._endpoint.token}"),) if self._endpoint.token else ()
        try:
            return invoke(request, timeout=self._endpoint.timeout_s, metadata=metadata)
        except grpc.RpcError as error:
            raise failure_of(error, self._endpoint.address) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._channel.close()


def _certificates(path: Path | None) -> bytes | None:
    """The certificate authority's file; None means the system's own."""
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"--tls-ca {path}: {error.strerror}", hint="Give a file of PEM certificates.") from error
