"""Last-byte synchronization: requests wait, whole but for their last byte, until all of a heat are there.

Each sender's connection goes through a detour of its own, which knows enough of HTTP/2 to see where a request ends.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from conformance.address import Address

HELD_SECONDS_MAX = 1.0
"""A request that waits for one that never comes goes on after this."""
_PREFACE_BYTES, _HEADER_BYTES = 24, 9
_DATA, _END_STREAM = 0x0, 0x1
_PIECE_BYTES = 1 << 16


@dataclass
class Gate:
    """What the requests of a heat wait at. While it isn't armed, or is open, they pass."""

    is_open: bool = False
    released: int = 0
    """How many heats were released at once."""
    _barrier: threading.Barrier | None = None

    @contextmanager
    def armed(self, requests: int) -> Iterator[None]:
        """Hold so many requests in the block; at its end let pass what still waits."""
        barrier = self._barrier = None if self.is_open else threading.Barrier(requests, self._count)
        try:
            yield
        finally:
            self._barrier = None
            if barrier is not None:
                barrier.abort()

    def wait(self) -> None:
        """Wait for the others of the heat."""
        barrier = self._barrier
        if barrier is not None:
            with contextlib.suppress(threading.BrokenBarrierError):
                barrier.wait(HELD_SECONDS_MAX)

    def _count(self) -> None:
        self.released += 1


@contextmanager
def detours(target: Address, gate: Gate, count: int) -> Iterator[list[Address]]:
    """Open so many detours to a target without TLS, each for one connection; they end with the block.

    Yields:
        Where they listen.

    Raises:
        OSError: the target takes no more connections.
    """
    with ExitStack() as stack:
        found = []
        for _ in range(count):
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            upstream = stack.enter_context(_connect(target.name))
            stack.callback(_shut, upstream)
            threading.Thread(target=_serve, args=(listener, upstream, gate), name="conform-detour", daemon=True).start()
            found.append(Address(f"127.0.0.1:{listener.getsockname()[1]}"))
        yield found


def _connect(name: str) -> socket.socket:
    if name.startswith("unix:"):
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.connect(name.removeprefix("unix:"))
        return made
    host, _, port = name.rpartition(":")
    made = socket.create_connection((host.strip("[]"), int(port)), HELD_SECONDS_MAX)
    made.settimeout(None)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def _shut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


def _serve(listener: socket.socket, upstream: socket.socket, gate: Gate) -> None:
    """Carry one connection in both directions until either end closes."""
    with contextlib.suppress(OSError):
        client, _ = listener.accept()
        with client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=_answers, args=(upstream, client), name="conform-detour", daemon=True).start()
            _requests(client, upstream, gate)
    _shut(upstream)


def _answers(upstream: socket.socket, client: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := upstream.recv(_PIECE_BYTES):
            client.sendall(piece)
    _shut(client)


def _requests(client: socket.socket, upstream: socket.socket, gate: Gate) -> None:
    """Forward frame by frame; the last byte of a request's last frame waits at the gate."""
    with client.makefile("rb") as source:
        upstream.sendall(source.read(_PREFACE_BYTES))
        while len(header := source.read(_HEADER_BYTES)) == _HEADER_BYTES:
            frame = header + source.read(int.from_bytes(header[:3]))
            if header[3] == _DATA and header[4] & _END_STREAM:
                upstream.sendall(frame[:-1])
                gate.wait()
                frame = frame[-1:]
            upstream.sendall(frame)
