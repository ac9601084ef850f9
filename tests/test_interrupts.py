"""Ctrl-C, sent to real commands: they end, keep and name what is finished, and leave no process behind."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from conformance.evidence import read_evidence
from conformance.verdict import Verdict
from conformance.verdicts_file import read_verdicts
from parity.interrupts import AGAIN_SECONDS, EXIT_INTERRUPTED, descendants
from parity.run_folder import RECORD_FILE

ROOT = Path(__file__).resolve().parents[1]
DEADLINE_S = 110.0
LONG_S = 600
SECOND_SERVER = f"cmd:{sys.executable} -m tests.second_server.server --port {{port}} --profile oss"


class Command:
    """A command that runs, and what it has said."""

    def __init__(self, folder: Path, *words: str) -> None:
        """Start it in a process group of its own, so that a signal reaches it alone."""
        self.said = folder / "said"
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        with self.said.open("wb") as said:
            self.process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=folder, env=environment, process_group=0
            )

    def under_way(self, sign: Callable[[str], bool], seconds: float = DEADLINE_S) -> None:
        """Wait for a sign, made of what it has said."""
        until = time.monotonic() + seconds
        while not sign(self.text()):
            assert self.process.poll() is None, self.text()
            assert time.monotonic() < until, self.text()
            time.sleep(0.05)

    def interrupt(self) -> str:
        """Send SIGINT, wait for the end, return all that it said."""
        started = descendants(self.process.pid, parents())
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(DEADLINE_S) == EXIT_INTERRUPTED, self.text()
        left = set(started) & set(parents())
        assert not {pid for pid in left if parents().get(pid) is not None and runs(pid)}
        assert "Traceback" not in self.text()
        return self.text()

    def text(self) -> str:
        return self.said.read_text(encoding="utf-8", errors="replace")


def parents() -> dict[int, int]:
    from parity.interrupts import _parents

    return _parents()


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


def parity(folder: Path, *words: str) -> Command:
    return Command(folder, sys.executable, "-m", "parity.main", *words)


def lines_of(file: Path, what: bytes) -> int:
    return file.read_bytes().count(what) if file.exists() else 0


def test_conform_keeps_and_judges_what_is_finished(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = parity(tmp_path, "conform", SECOND_SERVER, "--profile", "oss", "--out", str(out), "--jobs", "2")
    command.under_way(lambda _: lines_of(out / "evidence.jsonl", b'"type":"outcome"') > 8)
    said = command.interrupt()
    assert "the run is incomplete: interrupted:" in said
    assert str(out) in said
    report = read_verdicts(out)
    assert not report.run.complete
    counts = report.summary.counts
    assert counts[Verdict.PASS] > 5
    assert counts[Verdict.NOT_RUN] > 5
    assert counts[Verdict.FAIL] == counts[Verdict.HARNESS_ERROR] == 0
    assert read_evidence(out / "evidence.jsonl").run.reason in said


def test_a_server_that_does_not_end_keeps_nobody_waiting(tmp_path: Path) -> None:
    """It is killed. Ten seconds to end by itself would be more than an interrupted run has for its verdicts."""
    out = tmp_path / "out"
    deaf = f"""trap '' TERM; exec {SECOND_SERVER.removeprefix("cmd:")}"""
    words = ("--profile", "oss", "--only", "DUP-*", "--only", "VAL-*", "--out", str(out))
    command = parity(tmp_path, "conform", f"cmd:bash -c {shlex.quote(deaf)}", *words)
    command.under_way(lambda _: lines_of(out / "evidence.jsonl", b'"type":"outcome"') > 1)
    said = command.interrupt()
    assert "the run is incomplete: interrupted:" in said
    assert not read_verdicts(out).run.complete


def test_nemesis_judges_what_was_done(tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ("--profile", "oss", "--nemesis", "delay,close", "--nemesis-time", "90s", "--out", str(out))
    command = parity(tmp_path, "conform", SECOND_SERVER, *words)
    command.under_way(lambda _: lines_of(out / "history.jsonl", b'"stop"') > 1)
    said = command.interrupt()
    assert "interrupted" in said
    assert (out / "nemesis.json").is_file()


def test_stores_check_names_the_checks_that_are_finished(tmp_path: Path) -> None:
    command = parity(tmp_path, "stores", "check", f"sqlite:{tmp_path / 'x.db'}")
    command.under_way(lambda _: bool(list(tmp_path.glob("x.db.check-*/*"))))
    said = command.interrupt()
    assert "checks are finished" in said
    assert not list(tmp_path.glob("x.db.check-*"))


@pytest.mark.full
@pytest.mark.timeout(LONG_S)
def test_verify_names_the_stores_that_are_finished(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = parity(tmp_path, "verify", "--quick", "--stores", "memory,sqlite+protobuf", "--out", str(out))
    command.under_way(lambda said: ": conformant" in said, LONG_S)
    said = command.interrupt()
    assert "finished: memory" in said
    assert f"parity report {out}" in said
    assert (out / RECORD_FILE).is_file()
    made = subprocess.run(
        [sys.executable, "-m", "parity.main", "report", str(out)], cwd=ROOT, capture_output=True, check=False
    )
    assert made.returncode == 0, made.stderr
    assert not list(out.glob(".stores-*"))


@pytest.mark.full
@pytest.mark.timeout(LONG_S)
def test_bench_stores_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ("bench", "stores", "--quick", "--pair", "sqlite+protobuf", "--payload", "small", "--language", "python")
    command = parity(tmp_path, *words, "--out", str(out))
    command.under_way(lambda _: lines_of(out / "unfinished.jsonl", b"\n") > 0)
    said = command.interrupt()
    assert "builds are finished and kept in" in said
    assert lines_of(out / "unfinished.jsonl", b"\n") > 0


@pytest.mark.full
@pytest.mark.timeout(LONG_S)
def test_bench_server_tells_what_was_measured(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = parity(tmp_path, "bench", "server", SECOND_SERVER, "--quick", "--out", str(out))
    command.under_way(lambda said: said.count(" left") > 1)
    said = command.interrupt()
    assert "interrupted" in said.lower()


def test_the_second_is_immediate_and_ends_what_was_started(tmp_path: Path) -> None:
    program = (
        "import subprocess, sys, time\nfrom parity.interrupts import install\ninstall()\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\n"
        "try:\n    print('ready', child.pid)\n    time.sleep(600)\n"
        "except KeyboardInterrupt:\n    print('ending')\n    time.sleep(4)\n"
    )
    command = Command(tmp_path, sys.executable, "-c", program)
    command.under_way(lambda said: "ready" in said)
    child = int(command.text().split()[1])
    command.process.send_signal(signal.SIGINT)
    command.under_way(lambda said: "ending" in said)
    time.sleep(AGAIN_SECONDS * 1.5)
    command.process.send_signal(signal.SIGINT)
    assert command.process.wait(DEADLINE_S) == EXIT_INTERRUPTED
    assert not runs(child)
