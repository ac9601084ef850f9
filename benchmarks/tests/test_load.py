"""The load generator: it speaks HTTP/2 as a server expects, counts what it says, and knows its own limits."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from benchmarks.results import Sample, Subject
from benchmarks.server import beside, generator
from benchmarks.server.http2 import (
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Connection,
    ProtocolError,
    frame,
    header_block,
)
from benchmarks.server.latency import encoded, merged, percentile_us
from benchmarks.server.load import LoadFailed, LoadPlan, LoadReport, Traffic
from benchmarks.server.operations import renamed
from benchmarks.server.runner import generator_bound
from benchmarks.server.turns import TurnsPlan, run_turns
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent

FIXED = b"the fixed answer" * 500


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    fixed = tmp_path_factory.mktemp("bare") / "fixed"
    fixed.write_bytes(FIXED)
    command = [sys.executable, "-m", "benchmarks.children.bare", str(fixed)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout as said:
        yield said.readline().split()[-1]
        process.terminate()
        assert process.wait(20) == 0


def plan(address: str, message: bytes, operation: str = "echo", unique: str = "", **changes: object) -> LoadPlan:
    traffic = Traffic(operation, (base64.b64encode(message).decode(),), unique=unique)
    settings: dict[str, object] = {"seconds": 0.8, "concurrency": 4, **changes}
    return LoadPlan(address, (traffic,), **settings)  # type: ignore[arg-type]


def run_load(plan: LoadPlan) -> LoadReport:
    (report,) = run_turns(TurnsPlan((plan,)))
    return report


def test_a_closed_loop_is_answered_with_what_it_sent(bare: str) -> None:
    report = run_load(plan(bare, b"hello"))
    assert 0 < report.completed == len(report.service_us) <= report.statuses[0]
    assert set(report.statuses) == {0}
    assert {base64.b64decode(sample) for sample in report.samples} == {b"hello"}
    assert report.rate == pytest.approx(report.completed / report.seconds)


def test_messages_larger_than_every_window_pass(bare: str) -> None:
    large = bytes(range(256)) * 1_200  # 300 KiB; windows begin at 64 KiB
    report = run_load(plan(bare, large, calls=12, seconds=20.0))
    assert report.statuses == {0: 12}
    assert {base64.b64decode(sample) for sample in report.samples} == {large}


def test_errors_are_counted_as_what_they_are_not_as_answers(bare: str) -> None:
    report = run_load(plan(bare, b"x", operation="/parity.bench.Bare/nothing", calls=20))
    assert report.statuses == {grpc.StatusCode.UNIMPLEMENTED.value[0]: 20}
    assert report.completed == 0
    assert report.rate == 0


def test_the_fixed_answer_is_the_file(bare: str) -> None:
    report = run_load(plan(bare, b"x", operation="fixed", calls=3, seconds=10.0))
    assert base64.b64decode(report.samples[0]) == FIXED


def test_unique_agents_have_names_of_their_own_and_keep_the_rest() -> None:
    agent = Agent(kind="Agent")
    agent.metadata.name = "before"
    agent.metadata.org = "kept"
    agent.spec.instructions = "kept too"
    for name in ("load-7", "x" * 200):
        read = Agent.FromString(renamed(agent.SerializeToString(), name))
        assert (read.metadata.name, read.metadata.org, read.spec.instructions) == (name, "kept", "kept too")


def test_an_open_loop_keeps_its_rate_whatever_the_server_does(bare: str) -> None:
    report = run_load(plan(bare, b"x", rate=100.0, seconds=1.0))
    assert report.statuses[0] + report.dropped == pytest.approx(100, abs=2)
    assert len(report.response_us) == report.completed
    assert all(response >= service for response, service in zip(report.response_us, report.service_us, strict=True))


def test_a_stall_is_seen_by_the_open_loop_from_when_calls_were_due() -> None:
    # One thread serves; it stands still for 0.6 s out of 1.2 s. Half of the calls were due while it did, and wait
    # 0.3 s in the mean: a closed loop with one caller would have sent a single call in that time.
    with _stalling_server(stall_s=0.6) as address:
        report = run_load(plan(address, b"x", operation="/stall/stall", rate=100.0, seconds=1.2, connections=1))
    waits = sorted(report.response_us)
    assert waits[-1] > 500_000
    assert sum(wait > 100_000 for wait in waits) > 0.3 * len(waits)


def test_a_generator_that_is_slow_itself_shows_in_its_headroom(bare: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert LoadReport(seconds=1.0, busy_seconds=0.25).headroom == 4

    def slowly(message: bytes, name: str) -> bytes:
        end = time.perf_counter() + 0.004
        while time.perf_counter() < end:
            pass
        return message

    monkeypatch.setattr(generator, "renamed", slowly)
    slow = run_load(plan(bare, b"x", rate=200.0, seconds=0.6, unique="x"))
    assert slow.headroom < 2


def test_a_client_that_waits_two_milliseconds_a_call_is_the_bound(bare: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def delayed(message: bytes, name: str) -> bytes:
        time.sleep(0.002)
        return message

    monkeypatch.setattr(generator, "renamed", delayed)
    report = run_load(plan(bare, b"x", rate=400.0, seconds=1.0, unique="x"))
    headroom = Sample("get", "get_headroom", "times", Subject("bare", "", ""), "medium", 0, 0, (report.headroom,))
    (blank,) = generator_bound([headroom])
    assert blank.reason.startswith("generator-bound: the generator was at work")


@pytest.mark.parametrize("scale", [0.25, pytest.param(1.0, marks=pytest.mark.full)])
def test_a_server_that_stands_still_one_second_in_ten_shows_the_p99_of_arithmetic(scale: float) -> None:
    # Of the calls due in ten seconds the tenth that falls into the still second waits 1 s to 0 s, evenly. The longest
    # wait is the stall (a busy machine makes it longer than it was meant); one in a hundred is above 0.1 s less.
    with _stalling_server(stall_s=scale) as address:
        report = run_load(plan(address, b"x", operation="/stall/stall", rate=100.0 / scale, seconds=10.0 * scale))
    found = merged([encoded(report.response_us)])
    stall_us = found.get_max_value()
    assert stall_us > 0.95e6 * scale
    assert percentile_us(found, 99.0) == pytest.approx(stall_us - 0.1e6 * scale, rel=0.05)


@pytest.mark.skipif(shutil.which("h2load") is None, reason="h2load (Debian's nghttp2-client) isn't here")
def test_h2load_stands_beside_ours_on_the_same_echo(bare: str, tmp_path: Path) -> None:
    turn = beside.Turn(bare, b"x" * 100, 1.0, tmp_path)
    fast = beside.by_h2load(turn)
    assert fast.rate > 0
    paced = beside.by_h2load(replace(turn, rate=40.0))
    assert paced.rate <= 44
    assert paced.median_us > 0


def test_what_a_generator_does_not_say_is_not_made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    turn = beside.Turn("127.0.0.1:1", b"x", 1.0, tmp_path)
    said = {"rps": 5.0, "latencyDistribution": [{"percentage": 50, "latency": 2_000}]}
    monkeypatch.setattr(beside, "_said", lambda command: json.dumps(said))
    assert beside.by_ghz(turn) == beside.Found(5.0, 2.0)
    monkeypatch.setattr(beside, "_said", lambda command: "connection refused")
    for each in (beside.by_h2load, beside.by_ghz):
        with pytest.raises(beside.Unreadable, match="connection refused"):
            each(turn)


def test_no_server_is_a_clear_error() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(LoadFailed, match=address):
        run_load(plan(address, b"x"))


# ---- the protocol without a socket

BLOCK = header_block("/a/b", "here", {"authorization": "Bearer x"})
OK_TRAILERS = b"\x00\x0bgrpc-status\x010"


def test_headers_leave_no_state_behind() -> None:
    from hpack import Decoder

    decoder = Decoder()
    first, second = (dict(decoder.decode(BLOCK, raw=True)) for _ in range(2))
    assert first == second
    assert first[b":path"] == b"/a/b"
    assert first[b"authorization"] == b"Bearer x"
    assert len(decoder.header_table.dynamic_entries) == 0


def test_answers_come_whole_however_the_bytes_are_cut() -> None:
    connection = Connection()
    streams = [connection.call(BLOCK, b"one"), connection.call(BLOCK, b"two")]
    stream = b"".join(
        frame(HEADERS, END_HEADERS, number, b"\x88")
        + frame(DATA, 0, number, b"\0\0\0\0\x03ab")
        + frame(DATA, 0, number, b"c")
        + frame(HEADERS, END_HEADERS | END_STREAM, number, OK_TRAILERS)
        for number in streams
    )
    answers = [answer for place in range(len(stream)) for answer in connection.feed(stream[place : place + 1])]
    assert [(answer.stream, answer.status, answer.message) for answer in answers] == [
        (streams[0], 0, b"abc"),
        (streams[1], 0, b"abc"),
    ]
    assert connection.open_calls == 0


def test_nothing_is_sent_beyond_the_windows() -> None:
    connection = Connection()
    connection.take_outgoing()
    stream = connection.call(BLOCK, b"x" * 100_000)
    sent = _data_bytes(connection.take_outgoing())
    assert sent == 65_535
    list(connection.feed(frame(WINDOW_UPDATE, 0, 0, (1_000).to_bytes(4, "big"))))
    assert _data_bytes(connection.take_outgoing()) == 0  # the stream's own window is still shut
    list(connection.feed(frame(WINDOW_UPDATE, 0, stream, (500).to_bytes(4, "big"))))
    assert _data_bytes(connection.take_outgoing()) == 500
    list(connection.feed(frame(SETTINGS, 0, 0, b"\x00\x04" + (1 << 20).to_bytes(4, "big"))))
    assert _data_bytes(connection.take_outgoing()) == 500  # what was left of the connection's window


def test_pings_and_settings_are_acknowledged() -> None:
    connection = Connection()
    connection.take_outgoing()
    list(connection.feed(frame(PING, 0, 0, b"12345678") + frame(SETTINGS, 0, 0)))
    assert connection.take_outgoing() == frame(PING, 1, 0, b"12345678") + frame(SETTINGS, 1, 0)


def test_a_reset_is_an_answer_without_status() -> None:
    connection = Connection()
    stream = connection.call(BLOCK, b"")
    (answer,) = connection.feed(frame(RST_STREAM, 0, stream, b"\0\0\0\2"))
    assert answer.status == -1


@pytest.mark.parametrize(
    ("came", "says"),
    [
        (frame(GOAWAY, 0, 0, b"\0" * 8 + b"too_many_pings"), "too_many_pings"),
        (frame(HEADERS, END_STREAM, 1, b"\x88"), "headers in a form"),
        (frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\xff"), "can't be read"),
        (frame(9, 0, 1), "several frames"),
    ],
)
def test_what_it_does_not_understand_ends_the_load_with_a_reason(came: bytes, says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        list(Connection().feed(came))


def _data_bytes(data: bytes) -> int:
    total, place = 0, 0
    while place < len(data):
        length = int.from_bytes(data[place : place + 3], "big")
        total += length if data[place + 3] == DATA else 0
        place += 9 + length
    return total


class _stalling_server:  # noqa: N801 - used as a context manager, like a function
    def __init__(self, stall_s: float) -> None:
        self._stall_s = stall_s
        self._began = threading.Event()

    def _answer(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        if not self._began.is_set():
            self._began.set()
            time.sleep(self._stall_s)
        return request

    def __enter__(self) -> str:
        self._server = grpc.server(ThreadPoolExecutor(max_workers=1))
        handlers = {"stall": grpc.unary_unary_rpc_method_handler(self._answer)}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("stall", handlers),))
        port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        return f"127.0.0.1:{port}"

    def __exit__(self, *_: object) -> None:
        self._server.stop(None).wait(10)
