"""The client side of unary gRPC over HTTP/2 (RFC 9113), without I/O: bytes in, answers out.

gRPC's Python client takes about as long for a call as a server does, so it can't load one. This does the least that
the protocol asks for, about 15 microseconds per call, by three means: all headers of a request are one constant; the
server is told to keep no header table, so a header block means the same each time and is decoded once; and responses
are counted by their frames, not built into messages.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from hpack import Decoder, Encoder, HPACKError
from hpack.struct import NeverIndexedHeaderTuple

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS, PADDED, ACK, PRIORITY = 0x1, 0x4, 0x8, 0x1, 0x20
SETTING_HEADER_TABLE_SIZE, SETTING_ENABLE_PUSH, SETTING_INITIAL_WINDOW_SIZE = 0x1, 0x2, 0x4
WINDOW_MAX = (1 << 31) - 1
WINDOW_DEFAULT = 65_535
FRAME_DEFAULT = 16_384
FRAME_HEADER_BYTES = 9
STREAM_ID_MAX = (1 << 31) - 1
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
GRPC_PREFIX_BYTES = 5

_SETTING = struct.Struct(">HI")
_U32 = struct.Struct(">I")


class ProtocolError(Exception):
    """The server did what this client doesn't understand, or ended the connection."""


@dataclass(slots=True)
class HttpResponse:
    """A finished call: gRPC status (-1: the stream was reset), and the message's bytes."""

    stream: int
    status: int
    message: bytes


@dataclass(slots=True)
class _Call:
    """A call under way: what came so far, and what is still to be sent."""

    received: bytearray = field(default_factory=bytearray)
    unsent: memoryview | None = None
    window: int = 0


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return one frame."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def header_block(path: str, authority: str, metadata: Mapping[str, str], scheme: str = "http") -> bytes:
    """Return the headers of every call of one method, in a form that leaves no state behind."""
    headers = {":method": "POST", ":scheme": scheme, ":path": path, ":authority": authority}
    headers |= {"te": "trailers", "content-type": "application/grpc", "user-agent": "parity-bench", **metadata}
    return bytes(Encoder().encode([NeverIndexedHeaderTuple(*pair) for pair in headers.items()], huffman=False))


class Connection:
    """One HTTP/2 connection that carries calls."""

    def __init__(self) -> None:
        """Prepare the connection; `outgoing` begins with the preface."""
        self._calls: dict[int, _Call] = {}
        self._waiting: deque[int] = deque()
        self._incoming = bytearray()
        self._decoder = Decoder()
        self._statuses: dict[bytes, int] = {}
        self._next_stream = 1
        self._window = WINDOW_DEFAULT
        self._initial_window = WINDOW_DEFAULT
        self._consumed = 0
        settings = {SETTING_HEADER_TABLE_SIZE: 0, SETTING_ENABLE_PUSH: 0, SETTING_INITIAL_WINDOW_SIZE: WINDOW_MAX}
        self._outgoing = [
            PREFACE,
            frame(SETTINGS, 0, 0, b"".join(_SETTING.pack(*pair) for pair in settings.items())),
            frame(WINDOW_UPDATE, 0, 0, _U32.pack(WINDOW_MAX - WINDOW_DEFAULT)),
        ]

    @property
    def open_calls(self) -> int:
        """How many calls have no answer yet."""
        return len(self._calls)

    def call(self, headers: bytes, message: bytes) -> int:
        """Begin a call with a header block and a serialized message; return its stream.

        Raises ProtocolError when streams run out.
        """
        stream = self._next_stream
        if stream > STREAM_ID_MAX:
            raise ProtocolError("a connection has no streams left; use shorter runs")
        self._next_stream += 2
        body = b"\0" + len(message).to_bytes(4, "big") + message
        self._outgoing.append(frame(HEADERS, END_HEADERS, stream, headers))
        self._calls[stream] = _Call(unsent=memoryview(body), window=self._initial_window)
        self._waiting.append(stream)
        self._send_waiting()
        return stream

    def take_outgoing(self) -> bytes:
        """Return what is to be written to the socket, and forget it."""
        data = b"".join(self._outgoing)
        self._outgoing.clear()
        return data

    def feed(self, data: bytes) -> Iterator[HttpResponse]:
        """Take bytes from the socket and yield the calls that they finish. Raises ProtocolError."""
        incoming = self._incoming
        incoming += data
        start, end = 0, len(incoming)
        while end - start >= FRAME_HEADER_BYTES:
            length = int.from_bytes(incoming[start : start + 3], "big")
            if end - start < FRAME_HEADER_BYTES + length:
                break
            kind, flags = incoming[start + 3], incoming[start + 4]
            stream = int.from_bytes(incoming[start + 5 : start + 9], "big") & STREAM_ID_MAX
            body = bytes(incoming[start + FRAME_HEADER_BYTES : start + FRAME_HEADER_BYTES + length])
            start += FRAME_HEADER_BYTES + length
            answer = self._frame(kind, flags, stream, body)
            if answer is not None:
                yield answer
        del incoming[:start]
        self._send_waiting()

    def _frame(self, kind: int, flags: int, stream: int, body: bytes) -> HttpResponse | None:
        if kind == DATA:
            self._data(flags, stream, body)
        elif kind == HEADERS:
            return self._headers_came(flags, stream, body)
        elif kind == RST_STREAM:
            return self._finish(stream, -1)
        elif kind == GOAWAY:
            raise ProtocolError(f"the server ends the connection: {body[8:].decode(errors='replace')}")
        elif kind == CONTINUATION:
            raise ProtocolError("the server sent headers in several frames, which this client doesn't read")
        else:
            self._control(kind, flags, stream, body)
        return None

    def _data(self, flags: int, stream: int, body: bytes) -> None:
        self._consumed += len(body)
        if self._consumed > WINDOW_MAX // 2:
            self._outgoing.append(frame(WINDOW_UPDATE, 0, 0, _U32.pack(self._consumed)))
            self._consumed = 0
        call = self._calls.get(stream)
        if call is not None:
            call.received += body[1 : len(body) - body[0]] if flags & PADDED else body

    def _headers_came(self, flags: int, stream: int, body: bytes) -> HttpResponse | None:
        if not flags & END_HEADERS or flags & (PADDED | PRIORITY):
            raise ProtocolError("the server sent headers in a form that this client doesn't read")
        status = self._status(body)
        return self._finish(stream, status) if flags & END_STREAM else None

    def _status(self, block: bytes) -> int:
        """Return the gRPC status of a header block, -1 if it has none. Equal blocks are decoded once."""
        status = self._statuses.get(block)
        if status is None:
            try:
                headers = {bytes(name): bytes(value) for name, value in self._decoder.decode(block, raw=True)}
            except HPACKError as error:
                raise ProtocolError(f"the server's headers can't be read: {error}") from error
            status = self._statuses[block] = int(headers.get(b"grpc-status", b"-1"))
        return status

    def _finish(self, stream: int, status: int) -> HttpResponse | None:
        call = self._calls.pop(stream, None)
        return None if call is None else HttpResponse(stream, status, bytes(call.received[GRPC_PREFIX_BYTES:]))

    def _control(self, kind: int, flags: int, stream: int, body: bytes) -> None:
        if kind == SETTINGS and not flags & ACK:
            for name, value in _SETTING.iter_unpack(body):
                if name == SETTING_INITIAL_WINDOW_SIZE:
                    self._resize_windows(value)
            self._outgoing.append(frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK:
            self._outgoing.append(frame(PING, ACK, 0, body))
        elif kind == WINDOW_UPDATE:
            added = _U32.unpack(body)[0] & WINDOW_MAX
            if stream == 0:
                self._window += added
            elif stream in self._calls:
                self._calls[stream].window += added

    def _resize_windows(self, size: int) -> None:
        for call in self._calls.values():
            call.window += size - self._initial_window
        self._initial_window = size

    def _send_waiting(self) -> None:
        """Send as much of the waiting messages as both windows allow, in the order of the calls."""
        while self._waiting:
            call = self._calls.get(self._waiting[0])
            if (
                call is not None
                and call.unsent is not None
                and not self._send_some(self._waiting[0], call, call.unsent)
            ):
                return
            self._waiting.popleft()

    def _send_some(self, stream: int, call: _Call, unsent: memoryview) -> bool:
        """Send what the windows allow of one message; return whether that was all of it."""
        while unsent:
            size = min(len(unsent), self._window, call.window, FRAME_DEFAULT)
            if size <= 0:
                call.unsent = unsent
                return False
            flags = END_STREAM if size == len(unsent) else 0
            self._outgoing.append(frame(DATA, flags, stream, unsent[:size].tobytes()))
            unsent = unsent[size:]
            self._window -= size
            call.window -= size
        call.unsent = None
        return True
