"""The nemesis at work: a right server passes under every fault, and what can't be asked is said."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import orjson
import pytest

from conformance.address import Address
from conformance.evidence import Json
from conformance.nemesis.chance import chance
from conformance.nemesis.faults import BEHIND, FAULTS, Fault, Field, haunt
from conformance.nemesis.proxy import CUTS, LINGER_SECONDS, Proxy, proxies
from conformance.nemesis.run import Plan, judge_again, run_nemesis
from conformance.runner import Options
from conformance.target import targets_of
from conformance.verdict import EXIT_CONFORMANT, EXIT_USAGE, Verdict
from parity.main import run as parity
from parity.reference import Reference
from tests.mutants.hosting import CREDENTIALS, reference

OF_ONE_SERVER = ",".join(fault for fault in FAULTS if fault not in BEHIND)


def test_the_reference_is_right_under_faults_of_the_line(tmp_path: Path) -> None:
    with reference("cloud") as address:
        options = Options(profile="cloud", credentials=CREDENTIALS, seed=5)
        report = run_nemesis(f"grpc://{address}", options, Plan(("close",), 1.0), out=tmp_path)
    assert {row.id: row for row in report.rows if row.verdict is not Verdict.PASS} == {}
    assert report.exit_code == EXIT_CONFORMANT
    assert report.leaks == ()
    assert report.figures["events"] > 30
    kept = orjson.loads((tmp_path / "nemesis.json").read_bytes())
    assert kept["failing"] == []
    assert judge_again(tmp_path).rows == report.rows
    assert parity(("recheck", str(tmp_path))) == EXIT_CONFORMANT


@pytest.mark.full
@pytest.mark.timeout(300)
@pytest.mark.parametrize("profile", ["cloud", "oss"])
@pytest.mark.parametrize("store", ["leveldb:{folder}/db", "sqlite:{folder}/agents.db"])
def test_the_reference_is_right_under_every_fault(profile: str, store: str, tmp_path: Path) -> None:
    url = store.format(folder=tmp_path)
    code = parity(
        ("conform", f"store:{url}", "--profile", profile, "--nemesis", OF_ONE_SERVER, "--nemesis-time", "60s")
    )
    assert code == EXIT_CONFORMANT


def test_a_command_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    server = Reference(f"sqlite:{tmp_path / 'agents.db'}", "oss", tmp_path, tmp_path)
    server.prepare()
    report = run_nemesis(server.target, Options(), Plan(("kill",), 1.0))
    assert report.failing() == ()
    (kills,) = report.bites
    assert kills.did["kills"] == kills.did["restarts"] == kills.strikes


@pytest.mark.parametrize(
    ("target", "options"),
    [
        ("store:memory:", ("--nemesis", "kill")),
        ("store:memory:", ("--nemesis", "earthquake")),
        ("store:memory:", ("--nemesis", ",")),
        ("store:memory:", ("--nemesis", "close", "--nemesis-time", "soon")),
        ("store:memory:", ("--nemesis", "close", "--nemesis-time", "0s")),
        ("store:memory:", ("--nemesis", "close", "--only", "DUP-*")),
        ("store:memory:", ("--nemesis", "partition")),
        ("store:memory:", ("--nemesis", "partition", "--nemesis-behind", "127.0.0.1:9")),
        ("cmd:true {port} {behind}", ("--nemesis", "close-behind", "--nemesis-behind", "here")),
        ("grpc://127.0.0.1:1", ("--nemesis", "partition", "--nemesis-behind", "127.0.0.1:9")),
        ("grpc://127.0.0.1:1", ("--nemesis", "pause")),
        ("grpc://127.0.0.1:1", ("--nemesis", "close", "--profile", "cloud")),
    ],
)
def test_what_makes_no_sense_is_said(target: str, options: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert parity(("conform", target, *options)) == EXIT_USAGE
    assert "error" in capsys.readouterr().err


def test_replicas_are_told_apart() -> None:
    assert targets_of("grpc://a:1,grpcs://b:2?ca=x, unix:/s") == ["grpc://a:1", "grpcs://b:2?ca=x", "unix:/s"]
    assert targets_of("cmd:./a --x 1,2 --port {port}") == ["cmd:./a --x 1,2 --port {port}"]


def test_each_fault_strikes_however_short_the_run_is() -> None:
    struck = list[str]()

    def fault_named(name: str) -> Fault:
        def strike(field: Field, seconds: float) -> Json:
            struck.append(name)
            return {"strikes": 1}

        return strike

    faults = {name: fault_named(name) for name in ("one", "two", "three")}
    haunt(Field([], [], chance(1), threading.Event()), faults, 0.0, lambda name, what: None)
    assert sorted(struck) == sorted(faults)


@contextmanager
def echo() -> Iterator[Address]:
    """Say back what is said, in capitals."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

    def answer(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            while data := connection.recv(65536):
                connection.sendall(data.upper())

    threading.Thread(target=serve, daemon=True).start()
    yield Address(f"127.0.0.1:{listener.getsockname()[1]}")
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def said(proxy: Proxy, data: bytes, spoil: Callable[[Proxy], None]) -> bytes:
    """Spoil an open connection, say something on it; return what comes back until it is all there or the line ends."""
    found = b""
    with socket.create_connection(("127.0.0.1", proxy.port), 5) as connection, suppress(OSError):
        connection.sendall(b"x")
        assert connection.recv(1) == b"X"
        connection.settimeout(1)
        spoil(proxy)
        time.sleep(0.05)  # the proxies' own thread does it
        connection.sendall(data)
        while len(found) < len(data) and (more := connection.recv(65536)):
            found += more
    return found


@pytest.mark.parametrize("cut", CUTS)
def test_a_connection_is_broken_where_it_is_told(cut: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with echo() as address, proxies([address], chance(1)) as (proxy,):
        monkeypatch.setattr(proxy.random, "choice", lambda rows: cut if rows is CUTS else rows[0])
        came = said(proxy, b"abcdefgh", Proxy.cut)
        time.sleep(2 * LINGER_SECONDS)
        assert came == (b"ABCD" if cut == "within an answer" else b"")
        did = {f"closed {cut}": 1}
        # What the server answers to the whole request goes nowhere: so it has come to the server.
        assert proxy.counts == did | ({"bytes dropped": 8} if cut == "after a request" else {})
        assert said(proxy, b"abc", lambda _: None) == b"ABC"


def test_answers_are_lost_and_delayed_and_whole_again() -> None:
    with echo() as address, proxies([address], chance(1)) as (proxy,):
        assert said(proxy, b"abc", Proxy.silence) == b""
        assert proxy.counts["bytes dropped"] == 3
        proxy.delay_seconds = (0.05, 0.06)
        began = time.monotonic()
        assert said(proxy, b"abc", lambda _: None) == b"ABC"
        assert time.monotonic() - began > 0.15
        proxy.heal()
        assert said(proxy, b"abc", lambda _: None) == b"ABC"


def test_a_line_that_is_parted_carries_nothing_and_ends_nothing() -> None:
    with echo() as address, proxies([address], chance(1)) as (proxy,):
        assert said(proxy, b"abc", Proxy.part) == b""
        with socket.create_connection(("127.0.0.1", proxy.port), 5) as line:
            line.sendall(b"later")
            line.settimeout(0.2)
            with pytest.raises(TimeoutError):
                line.recv(1)
            assert proxy.counts == {"bytes dropped": 8}, "the server was told nothing"
            proxy.heal()
            with suppress(ConnectionError):
                assert line.recv(1) == b"", "of what was lost nothing comes later"
        assert said(proxy, b"abc", lambda _: None) == b"ABC"


def test_a_proxy_before_nothing_ends_connections() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nowhere = Address(f"127.0.0.1:{closed.getsockname()[1]}")
    with (
        proxies([nowhere], chance(1)) as (proxy,),
        socket.create_connection(("127.0.0.1", proxy.port), 5) as line,
        suppress(ConnectionError),
    ):
        assert line.recv(1) == b""
