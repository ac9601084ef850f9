"""Targets that aren't what they seem: each is told once, by what is really wrong with it."""

from __future__ import annotations

import shlex
import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager, suppress
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health, health_pb2_grpc

from conformance import first_contact, reach
from conformance.address import Address, parse_address
from conformance.first_contact import jobs_for
from conformance.reach import why_unreachable
from conformance.runner import Options, run
from conformance.verdict import EXIT_INCOMPLETE, Report
from parity.main import run as command_line
from reference_server.tests.certificates import Authority
from tests.hostile_servers import answering, silent_listener
from tests.mutants.hosting import reference
from tests.second_server import start

SETTINGS = b"\0\0\0\x04\0\0\0\0\0"
FEW = Options(profile="oss", only=("GET-UNKNOWN", "SLUG-*"), quick=True, reruns=0)


@contextmanager
def saying(words: bytes) -> Iterator[str]:
    """Answer whatever comes with some bytes, once."""

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(64)
                    connection.sendall(words)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "LOOK_SECONDS", 0.3)


@pytest.mark.parametrize(
    ("words", "told", "final"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP/1, not gRPC", True),
        (SETTINGS, "HTTP/2, and no gRPC call got through", False),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "not in HTTP/2 (it says b'SSH-2.0", True),
    ],
)
def test_what_answers_and_is_no_grpc(words: bytes, told: str, final: bool, hurried: None) -> None:
    with saying(words) as address:
        finding = why_unreachable(Address(address))
    assert told in finding.text
    assert finding.final is final


def test_what_is_silent(hurried: None) -> None:
    with silent_listener() as address:
        assert "says nothing" in why_unreachable(Address(address)).text


def test_what_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "connection is refused" in why_unreachable(Address("127.0.0.1:1")).text
    assert "no such socket" in why_unreachable(Address("unix:/no/such/socket")).text

    def unknown(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert "host is unknown" in why_unreachable(Address("agents.example:1")).text


def test_tls_that_is_not_as_the_target_says(tmp_path: Path, hurried: None) -> None:
    authority = Authority(tmp_path)
    server = authority.issue("server")
    settings = {"tls_cert": str(server.cert), "tls_key": str(server.key), "tls_client_ca": str(authority.cert)}
    with reference("oss", settings=settings) as address:
        told = {
            f"grpc://{address}": f"expects TLS; write grpcs://{address}",
            f"grpcs://{address}": "certificate isn't trusted",
            f"grpcs://{address}?ca={authority.cert}": "may ask for a client certificate",
        }
        found = {target: why_unreachable(parse_address(target)).text for target in told}
    assert [target for target, said in told.items() if said not in found[target]] == [], found
    plain = start("oss", {})
    try:
        assert (
            f"no TLS: it speaks plain text; write grpc://{plain.address}"
            in why_unreachable(parse_address(f"grpcs://{plain.address}")).text
        )
    finally:
        plain.stop()


def test_a_run_ends_at_once_where_waiting_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    began = time.monotonic()
    assert command_line(["conform", "grpc://127.0.0.1:1"]) == EXIT_INCOMPLETE
    took = time.monotonic() - began
    printed = capsys.readouterr().out
    assert "127.0.0.1:1: nothing listens there: the connection is refused (tried for " in printed
    assert float(printed.partition("tried for ")[2].partition(" s")[0]) <= took
    assert "NOT_" not in printed


def unserved(report: Report) -> str:
    assert report.exit_code == EXIT_INCOMPLETE
    assert report.summary.measured == 0
    assert report.leaks == ()
    return report.run.reason


def test_a_server_with_health_only_is_told_once() -> None:
    server = grpc.server(futures.ThreadPoolExecutor(4), options=(("grpc.so_reuseport", 0),))
    health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        reason = unserved(run(f"grpc://127.0.0.1:{port}", FEW))
    finally:
        server.stop(0).wait(5)
    assert reason.startswith("the target implements none of the services")
    assert "AgentQueryController" in reason


def test_unavailable_is_waited_out_and_then_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_contact, "READY_SECONDS", 1.5)
    until = time.monotonic() + 1.0

    def warming_up(path: str, request: bytes, context: grpc.ServicerContext) -> bytes:
        del path, request
        context.abort(
            grpc.StatusCode.UNAVAILABLE if time.monotonic() < until else grpc.StatusCode.NOT_FOUND, "warming up"
        )

    with answering(warming_up) as address:
        assert run(f"grpc://{address}", FEW).of("GET-UNKNOWN").evidence
    until = float("inf")
    with answering(warming_up) as address:
        reason = unserved(run(f"grpc://{address}", FEW))
    assert reason == "the target accepts connections and answers UNAVAILABLE for 1.5 s: warming up"


DIES = """
import os, sys, time
from tests.second_server import start
start("oss", {}, port=int(sys.argv[1]))
time.sleep(1.0)
sys.stderr.write("no memory is left\\n")
sys.stderr.flush()
os._exit(9)
"""


def test_a_command_that_dies_is_told_with_its_code_and_last_words() -> None:
    command = f"cmd:{sys.executable} -c {shlex.quote(DIES)} {{port}}"
    report = run(command, Options(profile="oss", quick=True))
    assert report.exit_code == EXIT_INCOMPLETE
    assert report.run.reason == "the command ended with code 9; its last words:\nno memory is left"


@pytest.mark.parametrize(("latency_ms", "jobs"), [(0.4, 3), (5, 3), (20, 4), (200, 16)])
def test_more_checks_at_a_time_the_longer_a_call_takes(latency_ms: float, jobs: int) -> None:
    assert jobs_for(latency_ms) == jobs
