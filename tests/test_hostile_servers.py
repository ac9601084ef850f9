"""The suite against servers that lie, refuse, hang, drop and babble: it ends, and it blames the right one."""

from __future__ import annotations

import json
import shlex
import threading
import time
from pathlib import Path

import grpc
import pytest

from conformance.catalogue import catalogue
from conformance.evidence import Exchange
from conformance.evidence_file import read_evidence
from conformance.runner import Options, run
from conformance.transcript import grpcurl
from conformance.verdict import EXIT_CONFORMANT, EXIT_INCOMPLETE, EXIT_NOT_CONFORMANT, Verdict
from conformance.verdicts_file import read_verdicts
from parity.main import run as command_line
from tests.hostile_servers import (
    answering,
    dropping,
    garbage,
    hangs_from,
    ok_to_everything,
    refuses_everything,
    silent_listener,
)
from tests.second_server import start

SOME = ("VAL-*", "SLUG-*", "DUP-*", "DEF-*", "PERSIST-*", "GET-*", "DEL-*", "ORD-*")
SECONDS_MAX = 60.0


def options(*only: str, deadline: float = 5.0) -> Options:
    return Options("oss", only, jobs=4, quick=True, deadline_seconds=deadline, event_seconds=0.5, reruns=0)


def test_a_server_that_refuses_everything_passes_nothing() -> None:
    with answering(refuses_everything) as address:
        report = run(f"grpc://{address}", options())
    assert report.exit_code == EXIT_NOT_CONFORMANT
    assert [row.id for row in report.results if row.verdict is Verdict.PASS] == []
    assert report.summary.counts[Verdict.HARNESS_ERROR] == 0


def test_a_server_that_answers_ok_to_everything_passes_nothing() -> None:
    with answering(ok_to_everything) as address:
        report = run(f"grpc://{address}", options())
    assert report.exit_code == EXIT_NOT_CONFORMANT
    assert report.summary.counts[Verdict.HARNESS_ERROR] == 0
    assert [row.id for row in report.results if row.verdict is Verdict.PASS] == []


def test_garbage_is_blamed_on_the_server() -> None:
    with answering(garbage) as address:
        report = run(f"grpc://{address}", options(*SOME))
    assert report.exit_code == EXIT_NOT_CONFORMANT
    assert report.summary.counts[Verdict.HARNESS_ERROR] == 0
    texts = [problem.text for row in report.results for problem in row.problems]
    reasons = [row.reason for row in report.results]
    assert any("the answer is no ai.stigmer" in text for text in (*texts, *reasons))


def test_a_server_that_hangs_ends_the_run_and_keeps_what_was_finished(tmp_path: Path) -> None:
    released = threading.Event()
    began = time.monotonic()
    with answering(hangs_from(60, released)) as address:
        report = run(f"grpc://{address}", options(*SOME, deadline=0.5), out=tmp_path)
        released.set()
    assert time.monotonic() - began < SECONDS_MAX
    assert report.exit_code == EXIT_INCOMPLETE
    assert "no answer" in report.run.reason
    assert report.summary.measured > 0
    assert report.summary.counts[Verdict.NOT_RUN] > 0
    assert read_verdicts(tmp_path) == report
    assert read_evidence(tmp_path / "evidence.jsonl").run.complete is False


def test_a_listener_that_says_nothing_is_unreachable() -> None:
    with silent_listener() as address:
        report = run(f"grpc://{address}", options("SLUG-*", deadline=1.0))
    assert report.exit_code == EXIT_INCOMPLETE
    assert report.summary.measured == 0


def test_a_server_that_is_killed_in_the_middle_keeps_what_was_finished(tmp_path: Path) -> None:
    server = start("oss", {})
    done = [0]

    def kill_later(check: str, finished: int, total: int) -> None:
        del check, total
        done[0] = finished
        if finished == 10:
            server.stop()

    report = run(f"grpc://{server.address}", options("VAL-*", deadline=1.0).with_progress(kill_later), out=tmp_path)
    assert report.exit_code == EXIT_INCOMPLETE
    assert report.summary.counts[Verdict.PASS] >= 5
    assert report.summary.counts[Verdict.NOT_RUN] > 0
    assert "any more" in report.run.reason


def test_dropped_connections_fail_nothing_and_nothing_hangs() -> None:
    server = start("oss", {})
    try:
        with dropping(server.address, every=20) as address:
            report = run(f"grpc://{address}", options("SLUG-*", "DEF-*", "GET-*", "DEL-*"))
    finally:
        server.stop()
    assert report.run.complete, report.run.reason
    assert report.exit_code in {EXIT_CONFORMANT, EXIT_INCOMPLETE}
    assert report.lost_calls > 0
    assert report.summary.counts[Verdict.FAIL] == report.summary.counts[Verdict.HARNESS_ERROR] == 0


SEQUENCES = "\x1b]0;owned\x07\x1b[31mred\x9b2J\u202e"


def _writes_to_terminals(path: str, request: bytes, context: grpc.ServicerContext) -> bytes:
    del path, request
    context.abort(grpc.StatusCode.INTERNAL, SEQUENCES)


def test_no_sequence_of_a_server_reaches_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    only = ["--only", "GET-UNKNOWN", "--only", "SLUG-DERIVE"]
    with answering(_writes_to_terminals) as address:
        code = command_line(["conform", f"grpc://{address}", *only, "-v", "--out", str(tmp_path)])
    printed = capsys.readouterr().out
    assert code == EXIT_NOT_CONFORMANT
    assert "owned" in printed
    assert "grpcurl" in printed
    assert [one for one in printed if not one.isprintable() and one != "\n"] == []


def test_a_request_in_a_card_is_the_request_that_was_sent() -> None:
    request = {"name": "\x07\x9b\u202e\U000e0001 ü"}
    exchange = Exchange(1, "c", "l", "agent.get", "", "/p/get", request, "OK")
    sent = shlex.split(grpcurl(exchange, "grpc://127.0.0.1:1"))
    assert json.loads(sent[sent.index("-d") + 1]) == request
    assert sent[sent.index("-d") + 1].isprintable()


@pytest.mark.parametrize("only", ["NO-SUCH", "REF-ORDER"])
def test_a_selection_of_nothing_is_no_success(only: str) -> None:
    from conformance.runner import NothingSelected

    with pytest.raises(NothingSelected, match=only):
        run("grpc://127.0.0.1:1", options(only))
    assert "REF-ORDER" in catalogue()
