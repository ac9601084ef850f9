"""Ctrl-C, sent to real commands: they end, keep and name what is finished, and leave no process behind."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from conformance.evidence_file import read_evidence
from conformance.verdict import Verdict
from conformance.verdicts_file import read_verdicts
from parity.interrupts import AGAIN_SECONDS, EXIT_INTERRUPTED, descendants
from parity.run_folder import RECORD_FILE
from stores.registry import open_store
from stores.suite.samples import put
from stores.transfer import export_store
from tests.serving import serve

ROOT = Path(__file__).resolve().parents[1]
DEADLINE_S = 110.0
LONG_S = 600
END_S = 5.0
"""From Ctrl-C to the end. A quiet machine needs some tenths of a second; a busy one isn't to fail this."""
AGENTS = 20_000
"""So many that reading or writing them takes longer than to notice that it has begun."""
SECOND_SERVER = f"cmd:{sys.executable} -m tests.second_server.server --port {{port}} --profile oss"


class Command:
    """A command that runs, and what it has said."""

    def __init__(self, folder: Path, *words: str) -> None:
        """Start it in a process group of its own, so that a signal reaches it alone."""
        self.said = folder / "said"
        self.scratch = folder / "tmp"
        self.scratch.mkdir(exist_ok=True)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "TMPDIR": str(self.scratch)}
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

    def interrupt(self, code: int = EXIT_INTERRUPTED) -> str:
        """Send SIGINT, wait for the end, return all that it said."""
        started = descendants(self.process.pid, parents())
        self.process.send_signal(signal.SIGINT)
        sent = time.monotonic()
        assert self.process.wait(DEADLINE_S) == code, self.text()
        assert time.monotonic() - sent < END_S
        left = set(started) & set(parents())
        assert not {pid for pid in left if parents().get(pid) is not None and runs(pid)}
        assert list(self.scratch.iterdir()) == []
        assert "Traceback" not in self.text()
        return self.text()

    def threads(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/task").iterdir()))

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
    return Command(folder, sys.executable, "-m", "parity", *words)


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


@dataclass(frozen=True, slots=True)
class Long:
    """A command that takes long: a file of this pattern says that it is under way, or these words of its output.

    Without either it talks to a server, for which gRPC has threads.
    `{many}` is a database of many agents, `{exported}` and `{backup}` are files of them, `{address}` is their server's.
    """

    words: str
    pattern: str = ""
    sign: str = ""
    said: str = "interrupted"
    code: int = EXIT_INTERRUPTED
    gone: str = "nothing"


WAIT = "agent wait nobody --org acme --for create --timeout 100 --address {address} --token root-token"
BUILD = f"cmd:{sys.executable} -m parity serve --store leveldb:{{data}}/db --listen 127.0.0.1:{{port}}"
LONG_COMMANDS = {
    "stores export": Long("stores export {many} out", ".out.*.partial", said="no file is left", gone="*out*"),
    "stores import": Long("stores import {exported} leveldb:out", "out/CURRENT", said="stays in leveldb:out"),
    "stores copy": Long("stores copy {many} sqlite:out", "out.mark", said="stays in sqlite:out"),
    "stores salvage": Long("stores salvage {many} --to leveldb:out", "out/CURRENT", said="stays in leveldb:out"),
    "stores verify": Long("stores verify {many}", "tmp/parity-shadow-*/CURRENT", said="nothing was changed"),
    "stores measure": Long("stores measure sqlite:out", "out.*/*", said="nothing is kept", gone="out*"),
    "stores check": Long("stores check lmdb:out --power-loss", "tmp/parity-power-loss-*/*.trace", said="states tried"),
    "backup": Long(
        "backup --out out --address {address} --token root-token", ".out.*", said="no file is left", gone="*out*"
    ),
    "restore": Long("restore {backup} --to leveldb:out", ".out.*/*", said="no database is left", gone="*out*"),
    "choose": Long("choose --agents 2000", "tmp/parity-choose-*/*", said="nothing is kept"),
    "upgrade": Long(f"upgrade '{BUILD}' '{BUILD}' --no-suite", "tmp/upgrade-*/*", said="no data is kept"),
    "events": Long("events --watch --address {address} --token root-token"),
    "wait": Long(WAIT),
    "report serve": Long("report serve .", sign="http://", said="ended", code=0),
    "serve": Long("serve --store leveldb:out --listen 127.0.0.1:0", sign="listening on", said="stopping", code=0),
}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What the rows of `LONG_COMMANDS` name."""
    folder = tmp_path_factory.mktemp("many")
    places = {"many": f"leveldb:{folder / 'db'}", "exported": str(folder / "e"), "backup": str(folder / "b")}
    with open_store(f"{places['many']}?durability=relaxed", create=True) as store:
        for first in range(0, AGENTS, 500):
            store.commit([put(f"a{number}", org="acme") for number in range(first, first + 500)])
        export_store(store, folder / "e")
    shutil.copytree(folder / "db", folder / "served")
    server = serve(f"leveldb:{folder / 'served'}", folder / "log")
    places["address"] = server.address
    backup = ["backup", "--out", places["backup"], "--address", server.address, "--token", "root-token"]
    subprocess.run([sys.executable, "-m", "parity", *backup], cwd=ROOT, check=True, capture_output=True)
    yield places
    server.stop()


@pytest.mark.parametrize("name", LONG_COMMANDS)
def test_every_long_command_ends_at_once(name: str, places: dict[str, str], tmp_path: Path) -> None:
    row = LONG_COMMANDS[name]
    words = row.words
    for place, at in places.items():
        words = words.replace(f"{{{place}}}", at)
    command = parity(tmp_path, *shlex.split(words))
    if row.pattern:
        command.under_way(lambda _: bool(list(tmp_path.glob(row.pattern))))
    else:
        command.under_way(lambda said: row.sign in said if row.sign else command.threads() > 1)
    assert row.said in command.interrupt(row.code)
    assert not list(tmp_path.glob(row.gone))


def test_ctrl_c_while_modules_are_loaded_is_no_traceback(tmp_path: Path) -> None:
    command = Command(tmp_path, sys.executable, "-X", "importtime", "-m", "parity", "stores", "check", "sqlite:x.db")
    command.under_way(lambda said: "typer" in said)
    assert command.interrupt().endswith("interrupted\n")


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
        [sys.executable, "-m", "parity", "report", str(out)], cwd=ROOT, capture_output=True, check=False
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
    command.under_way(lambda said: said.endswith("\n"))
    child = int(command.text().split()[1])
    command.process.send_signal(signal.SIGINT)
    command.under_way(lambda said: "ending" in said)
    time.sleep(AGAIN_SECONDS * 1.5)
    command.process.send_signal(signal.SIGINT)
    assert command.process.wait(DEADLINE_S) == EXIT_INTERRUPTED
    assert not runs(child)
