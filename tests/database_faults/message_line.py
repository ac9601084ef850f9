"""A proxy before PostgreSQL that knows where its messages begin, and breaks a connection at one that it is told.

The protocol (https://www.postgresql.org/docs/15/protocol-overview.html): a message is a byte that says which, and a
length in four bytes that counts itself; the first message of a client has no such byte. The line must be plain
(`sslmode=disable`).
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

UP, DOWN = "up", "down"
BEFORE, WITHIN, AFTER = "before", "within", "after"
PLACES = (BEFORE, WITHIN, AFTER)
START, GOODBYE = "start", "X"
"""What the message without a byte is called, and the kind of the last one, which says nothing."""
_LENGTH_BYTES = 4
_ANSWER_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a connection breaks: at which message of a direction, counted from 0 since it was told, and where in it."""

    direction: str
    number: int
    place: str


@dataclass
class MessageLine:
    """Carries connections until it is told to break one. What is public may be used from any thread."""

    upstream_port: int
    port: int = 0
    refuses: bool = False
    """Whether new connections end at once after the cut, as if nobody were there."""
    messages: list[tuple[str, str]] = field(default_factory=list)
    """Direction and kind of each message that was passed on whole, or broken, since `tell`."""
    has_cut: bool = False
    _cut: Cut | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def tell(self, cut: Cut | None, *, refuses: bool = False) -> None:
        """Say where to break from now on; None: nowhere."""
        with self._lock:
            self._cut, self.refuses, self.has_cut = cut, refuses, False
            self.messages = []

    def carry(self, client: socket.socket) -> None:
        """Carry one connection to its end."""
        with client:
            if self.refuses and self.has_cut:
                return
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.upstream_port), 5) as server:
                for each in (server, client):
                    each.settimeout(_ANSWER_SECONDS)
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # messages are small, and sent alone
                down = threading.Thread(target=self._pump, args=(server, client, DOWN), daemon=True)
                down.start()
                self._pump(client, server, UP)
                down.join(_ANSWER_SECONDS)

    def _pump(self, source: socket.socket, target: socket.socket, direction: str) -> None:
        is_first = direction == UP
        with suppress(OSError):
            while message := _message(source, is_first=is_first):
                kind = START if is_first else chr(message[0])
                is_first = False
                place = self._place(direction, kind)
                target.sendall(message[: {BEFORE: 0, WITHIN: len(message) // 2}.get(place, len(message))])
                if place:
                    break
        for each in (target, source):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR if each is source else socket.SHUT_WR)

    def _place(self, direction: str, kind: str) -> str:
        """Count a message; return where to break in it, or nothing."""
        with self._lock:
            if kind == GOODBYE:
                return ""
            number = sum(1 for way, _ in self.messages if way == direction)
            self.messages.append((direction, kind))
            if self.has_cut or self._cut is None or (direction, number) != (self._cut.direction, self._cut.number):
                return ""
            self.has_cut = True
            return self._cut.place


def _message(source: socket.socket, *, is_first: bool) -> bytes:
    """Return the next message; nothing where the line ends."""
    head = _exactly(source, _LENGTH_BYTES + (not is_first))
    if not head:
        return b""
    (length,) = struct.unpack(">i", head[-_LENGTH_BYTES:])
    return head + _exactly(source, length - _LENGTH_BYTES)


def _exactly(source: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = source.recv(count - len(data))
        if not piece:
            return b""
        data += piece
    return data


@contextmanager
def message_line(upstream_port: int) -> Iterator[MessageLine]:
    """Put a line before a port of loopback for as long as the block lasts."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        line = MessageLine(upstream_port, listener.getsockname()[1])

        def accept() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=line.carry, args=(listener.accept()[0],), daemon=True).start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield line
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join(_ANSWER_SECONDS)
