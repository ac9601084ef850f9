"""Loads in turns: who goes when, and that nobody works while another is measured."""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest

from benchmarks.server import turns
from benchmarks.server.load import LoadFailed, LoadPlan, Traffic
from benchmarks.server.turns import TurnsPlan, processor_ns, run_turns


@dataclass
class Recorder:
    """A server that remembers what it was sent, in order."""

    address: str = ""
    sent: list[bytes] = field(default_factory=list)

    def answer(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        self.sent.append(request)
        return request


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recorder = Recorder()
    server = grpc.server(ThreadPoolExecutor(max_workers=1))
    handlers = {"it": grpc.unary_unary_rpc_method_handler(recorder.answer)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("record", handlers),))
    recorder.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield recorder
    server.stop(None).wait(10)


def three_calls(recorder: Recorder, message: bytes) -> LoadPlan:
    messages = (base64.b64encode(message).decode(),)
    return LoadPlan(
        recorder.address, (Traffic("/record/it", messages),), seconds=5.0, concurrency=1, connections=1, calls=3
    )


def test_loads_take_turns_there_and_back_and_each_report_is_of_all_its_turns(recorder: Recorder) -> None:
    reports = run_turns(TurnsPlan((three_calls(recorder, b"a"), three_calls(recorder, b"b")), turns=3))
    assert b"".join(recorder.sent) == b"aaabbbbbbaaaaaabbb"
    assert [report.completed for report in reports] == [9, 9]
    assert [report.statuses for report in reports] == [{0: 9}, {0: 9}]
    assert [{base64.b64decode(sample) for sample in report.samples} for report in reports] == [{b"a"}, {b"b"}]
    assert all(report.busy_seconds > 0 and 0 < report.seconds < 5 for report in reports)


def test_a_turn_begins_when_all_servers_rest(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    # At rest before the first turn; after it the server works for three glances; after the second it rests at once.
    seconds = iter([0, 0, 0, 1, 2, 3, 3, 3, 3])
    monkeypatch.setattr(turns, "processor_ns", lambda servers: next(seconds) * 1_000_000_000)
    first, second = run_turns(TurnsPlan((three_calls(recorder, b"a"), three_calls(recorder, b"b")), resting=(1,)))
    assert first.aftermath_seconds > 2 * turns._GLANCE_S
    assert second.aftermath_seconds == 0
    assert list(seconds) == []


def test_a_server_that_never_rests_is_not_waited_for_for_ever(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "REST_AT_MOST_S", 0.05)
    grown = iter(range(1_000_000))
    monkeypatch.setattr(turns, "processor_ns", lambda servers: next(grown) * 1_000_000_000)
    (report,) = run_turns(TurnsPlan((three_calls(recorder, b"a"),), resting=(1,)))
    assert report.completed == 3


def test_a_lost_server_ends_the_turns_with_its_name(recorder: Recorder) -> None:
    gone = LoadPlan("127.0.0.1:1", (Traffic("/record/it", ("",)),))
    with pytest.raises(LoadFailed, match=r"127\.0\.0\.1:1"):
        run_turns(TurnsPlan((three_calls(recorder, b"a"), gone)))


def test_processor_time_is_of_all_threads_and_of_nothing_for_who_is_gone() -> None:
    if not Path("/proc/self/task").exists():
        pytest.skip("/proc isn't there: servers can't be seen to rest")
    before = processor_ns([os.getpid()])
    parts: list[int] = []

    def work() -> None:
        sum(number * number for number in range(2_000_000))
        parts.append(processor_ns([os.getpid()]))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert parts[0] - before > 10_000_000
    assert processor_ns([2**22 + 1]) == 0
