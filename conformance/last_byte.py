"""Last-byte synchronization: requests wait, whole but for their last byte, until all of a heat are there.

Each sender's connection goes through a detour of its own, which knows enough of HTTP/2 to see where a request ends.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

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
def detours(targets: Sequence[Address], gate: Gate) -> Iterator[list[Address]]:
    """Open detours to targets without TLS, each for one sender; they end with the block.

    Yields:
        Where they listen.
    """
    with ExitStack() as stack:
        yield [Address(f"127.0.0.1:{_detour(target, gate, stack)}") for target in targets]


def _detour(target: Address, gate: Gate, stack: ExitStack) -> int:
    """Listen until the stack is closed, and return the port."""
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    # It's the shutdown that wakes who waits for the next connection.
    stack.callback(_shut, listener)
    threading.Thread(target=_accept, args=(listener, target, gate), name="conform-detour", daemon=True).start()
    return int(listener.getsockname()[1])


def _accept(listener: socket.socket, target: Address, gate: Gate) -> None:
    """Carry every connection that is made: where the first takes long, a client makes another."""
    with ExitStack() as stack, contextlib.suppress(OSError):
        while True:
            client = stack.enter_context(listener.accept()[0])
            stack.callback(_shut, client)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                upstream = stack.enter_context(_connect(target.name))
            except OSError:
                _shut(client)  # a target that is away for a moment: the client comes again
                continue
            stack.callback(_shut, upstream)
            for carry in (partial(_requests, client, upstream, gate), partial(_answers, upstream, client)):
                threading.Thread(target=carry, name="conform-detour", daemon=True).start()


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


def _answers(upstream: socket.socket, client: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := upstream.recv(_PIECE_BYTES):
            client.sendall(piece)
    _shut(client)


def _requests(client: socket.socket, upstream: socket.socket, gate: Gate) -> None:
    """Forward frame by frame; the last byte of a request's last frame waits at the gate."""
    # A reader that is closed under its thread raises ValueError.
    with contextlib.suppress(OSError, ValueError), client.makefile("rb") as source:
        upstream.sendall(source.read(_PREFACE_BYTES))
        while len(header := source.read(_HEADER_BYTES)) == _HEADER_BYTES:
            frame = header + source.read(int.from_bytes(header[:3]))
            if header[3] == _DATA and header[4] & _END_STREAM:
                upstream.sendall(frame[:-1])
                gate.wait()
                frame = frame[-1:]
            upstream.sendall(frame)
    _shut(upstream)
