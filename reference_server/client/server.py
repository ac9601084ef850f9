"""The server at the other end: its address, how to reach it, unary calls with a deadline, and streams."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from types import TracebackType
from typing import Any, Self

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from protos.conditions import UNCHANGED_SINCE
from reference_server.client.failures import BadInput, failure_of

DEFAULT_ADDRESS = "127.0.0.1:50051"
MESSAGE_BYTES_MAX = 64 * 1024 * 1024  # a page of a list holds many resources of up to 10 MiB of requests each
_ANSWERS_MAX = 256
_ROOM_SECONDS = 0.05
_HOST_AND_PORT = re.compile(r"(\[[^\s\[\]/]+\]|[^\s/:\[\]]+)(?::([0-9]{1,5}))?")
_PORT_MAX = 65535
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
    def is_socket(self) -> bool:
        """Whether it is a socket of this machine's file system: its path may have any form."""
        return self.target.startswith("unix:") and len(self.target) > len("unix:")

    @property
    def is_usable(self) -> bool:
        """Whether gRPC takes it as it is meant: it would take a port modulo 65536, and 443 where there is none."""
        if self.is_socket:
            return True
        parts = _HOST_AND_PORT.fullmatch(self.target)
        if parts is None:
            return False
        return self.encrypted if parts[2] is None else 0 < int(parts[2]) <= _PORT_MAX

    @property
    def encrypted(self) -> bool:
        """Whether to speak TLS."""
        return self.tls_ca is not None or self.address.startswith("grpcs://")


class Server:
    """An open channel to a server. Use as a context manager."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Open the channel. Raises BadInput for an unusable address or certificate file; connects at the first call."""
        if not endpoint.is_usable:
            raise BadInput(
                f"{endpoint.address!r} is not an address",
                hint="Use HOST:PORT (1 to 65535), grpc://HOST:PORT, grpcs://HOST:PORT or unix:PATH.",
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

    @property
    def address(self) -> str:
        """Where the server is, as the person wrote it."""
        return self._endpoint.address

    @property
    def timeout_s(self) -> float:
        """How long to wait for an answer."""
        return self._endpoint.timeout_s

    def call(self, method: MethodDescriptor, request: Message, unchanged_since: str = "") -> Any:  # noqa: ANN401 - the method's response type
        """Make one call. Raises Unreachable or Refused.

        `unchanged_since`: the change mark (`protos.conditions`) of the resource as the caller knows it.
        """
        invoke = self._channel.unary_unary(*_of(method))
        condition = ((UNCHANGED_SINCE, unchanged_since),) if unchanged_since else ()
        metadata = (*self._credentials(), *condition)
        try:
            return invoke(request, timeout=self._endpoint.timeout_s, metadata=metadata)
        except grpc.RpcError as error:
            raise failure_of(error, self._endpoint.address) from error

    def stream(self, method: MethodDescriptor, request: Message) -> Stream:
        """Begin a call that is answered by any number of messages. It has no deadline; close what is returned."""
        invoke = self._channel.unary_stream(*_of(method))
        return Stream(invoke(request, metadata=self._credentials()), self._endpoint)

    def _credentials(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self._endpoint.token}"),) if self._endpoint.token else ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._channel.close()


class Stream:
    """The answers of one call, each waited for as long as the reader wants."""

    def __init__(self, call: Any, endpoint: Endpoint) -> None:  # noqa: ANN401 - gRPC's call, which its stubs don't show
        self._call = call
        self._endpoint = endpoint
        self._answers: Queue[Any] = Queue(_ANSWERS_MAX)
        self.has_ended = False
        """`next` has returned None because there is no more."""
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def next(self, seconds: float | None) -> Any:  # noqa: ANN401 - the method's response type
        """Return the next answer, or None when none has come within `seconds` (None: wait) or there is no more.

        Raises Unreachable or Refused.
        """
        try:
            answer = self._answers.get(timeout=seconds)
        except Empty:
            return None
        if isinstance(answer, grpc.RpcError):
            raise failure_of(answer, self._endpoint.address) from answer
        self.has_ended = answer is None
        return answer

    def close(self) -> None:
        """Leave."""
        self._call.cancel()
        while self._reader.is_alive():  # it may wait for room in the queue
            with suppress(Empty):
                self._answers.get(timeout=_ROOM_SECONDS)
        self._reader.join()

    def _read(self) -> None:
        try:
            for answer in self._call:
                self._answers.put(answer)
        except grpc.RpcError as error:
            self._answers.put(error)
        else:
            self._answers.put(None)


def _of(method: MethodDescriptor) -> tuple[str, Callable[[Message], bytes], Callable[[bytes], Message]]:
    """Return a method's path, and what writes its requests and reads its answers."""
    assert method.containing_service is not None  # noqa: S101 - every method of a file has its service
    path = f"/{method.containing_service.full_name}/{method.name}"
    return path, lambda message: message.SerializeToString(), GetMessageClass(method.output_type).FromString


def _certificates(path: Path | None) -> bytes | None:
    """The certificate authority's file; None means the system's own."""
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"--tls-ca {path}: {error.strerror}", hint="Give a file of PEM certificates.") from error
