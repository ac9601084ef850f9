"""The gate holds back the last byte of each request until all are there, and nothing longer than it may."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from conformance.address import Address
from conformance.last_byte import HELD_SECONDS_MAX, Gate, detours

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SECONDS = 5.0


def frame(payload: bytes, kind: int = 0, flags: int = 1) -> bytes:
    return len(payload).to_bytes(3) + bytes((kind, flags)) + (1).to_bytes(4) + payload


def received(end: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count and (piece := end.recv(count - len(found))):
        found += piece
    return found


def is_silent(end: socket.socket) -> bool:
    end.settimeout(0.1)
    try:
        return not end.recv(1)
    except TimeoutError:
        return True
    finally:
        end.settimeout(SECONDS)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.settimeout(SECONDS)
        yield made


@contextmanager
def _connected(listener: socket.socket, through: list[Address]) -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    """Yield for each detour the client's end and the server's, past the preface."""
    clients, servers = [], []
    for one in through:
        clients.append(socket.create_connection(("127.0.0.1", int(one.name.rpartition(":")[2])), SECONDS))
        servers.append(listener.accept()[0])
    for client, server in zip(clients, servers, strict=True):
        server.settimeout(SECONDS)
        client.sendall(PREFACE)
        assert received(server, len(PREFACE)) == PREFACE
    with ExitStack() as stack:
        for end in (*clients, *servers):
            stack.enter_context(end)
        yield list(zip(clients, servers, strict=True))


def _address(listener: socket.socket) -> Address:
    return Address(f"127.0.0.1:{listener.getsockname()[1]}")


def test_the_last_byte_waits_for_the_other_request(listener: socket.socket) -> None:
    gate, request = Gate(), frame(b"12345")
    with detours([_address(listener)] * 2, gate) as through, gate.armed(2), _connected(listener, through) as ends:
        (one, at_one), (two, at_two) = ends
        one.sendall(frame(b"head", kind=1, flags=4) + request[:7])
        one.sendall(request[7:])
        assert received(at_one, 13 + len(request) - 1).endswith(b"1234")
        assert is_silent(at_one)
        two.sendall(request)
        assert received(at_one, 1) == b"5"
        assert received(at_two, len(request)) == request
        assert gate.released == 1


def test_a_last_frame_without_payload_waits_too(listener: socket.socket) -> None:
    gate, last = Gate(), frame(b"")
    with detours([_address(listener)] * 2, gate) as through, gate.armed(2), _connected(listener, through) as ends:
        (one, at_one), (two, _) = ends
        one.sendall(frame(b"all of it", flags=0) + last)
        received(at_one, 18 + len(last) - 1)
        assert is_silent(at_one)
        two.sendall(last)
        assert received(at_one, 1) == last[-1:]


def test_a_request_that_is_alone_goes_on(listener: socket.socket) -> None:
    gate, request = Gate(), frame(b"12345")
    with detours([_address(listener)] * 2, gate) as through, gate.armed(2), _connected(listener, through) as ends:
        (one, at_one), _ = ends
        began = time.monotonic()
        one.sendall(request)
        assert received(at_one, len(request)) == request
        assert time.monotonic() - began >= HELD_SECONDS_MAX / 2
        assert gate.released == 0


def test_what_the_server_says_passes_and_so_does_everything_where_no_race_is_on(listener: socket.socket) -> None:
    gate, request = Gate(), frame(b"12345")
    with detours([_address(listener)], gate) as through, _connected(listener, through) as ends:
        ((one, at_one),) = ends
        one.sendall(request * 3)
        assert received(at_one, 3 * len(request)) == request * 3
        at_one.sendall(b"answer")
        assert received(one, 6) == b"answer"
        at_one.close()
        assert one.recv(1) == b""


def test_a_client_that_connects_again_is_carried_again(listener: socket.socket) -> None:
    request = frame(b"12345")
    with detours([_address(listener)], Gate()) as through:
        with _connected(listener, through) as ends:
            ends[0][0].close()
            assert ends[0][1].recv(1) == b""
        with _connected(listener, through) as ends:
            ends[0][0].sendall(request)
            assert received(ends[0][1], len(request)) == request


def test_a_target_that_is_away_ends_the_connection_and_may_come_back(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    listener.close()
    with detours([Address(f"127.0.0.1:{port}")], Gate()) as through:
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", int(through[0].name.rpartition(":")[2])), SECONDS) as client:
                assert client.recv(1) == b""
        with socket.create_server(("127.0.0.1", port)) as back:
            back.settimeout(SECONDS)
            with _connected(back, through) as ends:
                ends[0][0].sendall(frame(b"12345"))
                assert received(ends[0][1], 14) == frame(b"12345")
