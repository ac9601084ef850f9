"""Servers that no suite likes to meet, each named by its sin."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager, suppress
from typing import Any

import grpc
from google.protobuf.descriptor_pool import Default
from google.protobuf.message_factory import GetMessageClass

Answer = Callable[[str, bytes, grpc.ServicerContext], bytes]


class _Everything(grpc.GenericRpcHandler):  # type: ignore[type-arg] # generic in the stubs only
    """One answer for every method."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        path = handler_call_details.method
        return grpc.unary_unary_rpc_method_handler(lambda request, context: self._answer(path, request, context))


@contextmanager
def answering(answer: Answer) -> Iterator[str]:
    """Serve one answer for everything; yield the address."""
    server = grpc.server(futures.ThreadPoolExecutor(32), options=(("grpc.so_reuseport", 0),))
    server.add_generic_rpc_handlers((_Everything(answer),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(grace=0).wait(5)


def ok_to_everything(path: str, request: bytes, context: grpc.ServicerContext) -> bytes:
    """Say OK, with an empty message of the right type."""
    del context, request
    with suppress(KeyError):
        return bytes(
            GetMessageClass(Default().FindMethodByName(path[1:].replace("/", ".")).output_type)().SerializeToString()
        )
    return b""


def refuses_everything(path: str, request: bytes, context: grpc.ServicerContext) -> bytes:
    """Refuse, whatever it is."""
    del path, request
    context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no")


def garbage(path: str, request: bytes, context: grpc.ServicerContext) -> bytes:
    """Answer bytes that are no message."""
    del path, request, context
    return b"\xff\xfe\xfd garbage"


def hangs_from(call: int, released: threading.Event) -> Answer:
    """Answer like `ok_to_everything`, and from a call on not at all."""
    counter = itertools.count(1)

    def answer(path: str, request: bytes, context: grpc.ServicerContext) -> bytes:
        if next(counter) >= call:
            while context.is_active() and not released.wait(0.05):
                pass
        return ok_to_everything(path, request, context)

    return answer


@contextmanager
def silent_listener() -> Iterator[str]:
    """Accept connections and say nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def dropping(upstream: str, *, every: int) -> Iterator[str]:
    """Pass bytes through to a server, and drop the connection at every so many requests.

    A request is taken to begin with each piece that the client sends; that the count is rough doesn't matter.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    counter, ended = itertools.count(1), threading.Event()

    def serve() -> None:
        while not ended.is_set():
            with suppress(OSError):
                client, _ = listener.accept()
                host, _, port = upstream.rpartition(":")
                server = socket.create_connection((host, int(port)))
                threading.Thread(target=pump, args=(client, server, True), daemon=True).start()
                threading.Thread(target=pump, args=(server, client, False), daemon=True).start()

    def pump(source: socket.socket, sink: socket.socket, counting: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if counting and next(counter) % every == 0:
                    break
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        ended.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
