"""SIGKILL at random moments: what was acknowledged is there, whole, and nothing is half there."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stores.engines.badger.engine import BadgerEngine, Settings

pytestmark = pytest.mark.usefixtures("library")
PAIRS_PER_BATCH = 7

_WRITER = """
import os, random, sys
from pathlib import Path
from stores.engines.badger.engine import BadgerEngine, Settings
path, sync, seed = Path(sys.argv[1]), sys.argv[2] == "durable", int(sys.argv[3])
engine = BadgerEngine(path, Settings(sync_writes=sync, memtable_mb=8))
last = engine.get(b"last")
number = 0 if last is None else int(last)
draw = random.Random(seed)
print("ready", number, flush=True)
while True:
    number += 1
    size = draw.choice([10, 300, 6_000, 60_000, 1_200_000 if number % 50 == 0 else 100])
    pairs = [(b"%d/%d" % (number, each), b"%d" % number * (size // len(str(number)))) for each in range(7)]
    engine.write([*pairs, (b"last", b"%d" % number)], sync=sync)
    print(number, flush=True)
"""


def strace_works() -> bool:
    strace = shutil.which("strace")
    return bool(strace) and subprocess.run([str(strace), "-qq", "true"], check=False, timeout=30).returncode == 0


needs_strace = pytest.mark.skipif(not strace_works(), reason="strace is not installed, or tracing is forbidden here")


def traced(path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a durable writer under strace until it ends by itself."""
    strace = [
        "strace",
        "-f",
        "-qq",
        "-o",
        str(path.with_suffix(".trace")),
        "-e",
        "trace=msync,fsync,fdatasync",
        *options,
    ]
    command = [*strace, sys.executable, "-c", _WRITER, str(path), "durable", "5"]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)


def acknowledged_in(output: str) -> int:
    return max((int(line) for line in output.splitlines() if line.isdigit()), default=0)


def write_until_killed(path: Path, mode: str, seed: int, seconds: float) -> int:
    """Return the number of the last batch that was acknowledged."""
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(path), mode, str(seed)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    ready = writer.stdout.readline()
    assert ready.startswith("ready"), "the writer can't open what an earlier kill left"
    time.sleep(seconds)
    writer.kill()
    lines = writer.stdout.read().splitlines()
    writer.stdout.close()
    writer.wait(30)
    whole = [line for line in lines if line.isdigit()]
    return int(whole[-1]) if whole else int(ready.split()[1])


def check(path: Path, acknowledged: int) -> int:
    """StoreCheck every batch and return the number of the last one that is there."""
    engine = BadgerEngine(path, Settings(sync_writes=False, memtable_mb=8))
    try:
        last = int(engine.get(b"last") or b"0")
        assert last >= acknowledged, f"batch {acknowledged} was acknowledged, but {last} is the last one there"
        for number in range(max(1, last - 40), last + 1):
            values = [engine.get(b"%d/%d" % (number, each)) for each in range(PAIRS_PER_BATCH)]
            assert None not in values, f"batch {number} is torn"
            assert len({*values}) == 1
            assert (values[0] or b"").startswith(b"%d" % number)
        assert engine.get(b"%d/0" % (last + 1)) is None, "a batch is there without its last pair"
        return last
    finally:
        engine.close()


def rounds(path: Path, mode: str, count: int) -> None:
    draw = random.Random(count)
    last = 0
    for number in range(count):
        acknowledged = write_until_killed(path, mode, number, draw.uniform(0.02, 0.6))
        assert acknowledged >= last
        last = check(path, acknowledged)
    assert last > count * 3, "the kills came too early to hit anything"


@pytest.mark.parametrize("mode", ["durable", "relaxed"])
def test_acknowledged_batches_survive_sigkill(tmp_path: Path, mode: str) -> None:
    rounds(tmp_path / "db", mode, 2)


@pytest.mark.full
@pytest.mark.parametrize("mode", ["durable", "relaxed"])
def test_acknowledged_batches_survive_many_sigkills(tmp_path: Path, mode: str) -> None:
    rounds(tmp_path / "db", mode, 40)


@needs_strace
@pytest.mark.parametrize("call", [24, 25])
def test_killed_inside_a_commit(tmp_path: Path, call: int) -> None:
    """SIGKILL at the entry of an msync: Badger syncs the value log, then the log of the memory table."""
    finished = traced(tmp_path / "db", "-e", f"inject=msync:signal=SIGKILL:when={call}")
    acknowledged = acknowledged_in(finished.stdout)
    assert acknowledged > 0, finished.stderr
    assert check(tmp_path / "db", acknowledged) <= acknowledged + 1


@needs_strace
def test_a_failing_sync_is_told(tmp_path: Path) -> None:
    finished = traced(tmp_path / "db", "-e", "inject=msync:error=EIO:when=30+")
    assert "StoreUnavailable" in finished.stderr
    assert "input/output error" in finished.stderr
    check(tmp_path / "db", acknowledged_in(finished.stdout))


@needs_strace
def test_durable_means_two_syncs_for_each_commit(tmp_path: Path) -> None:
    finished = traced(tmp_path / "db", "-e", "inject=msync:signal=SIGKILL:when=60")
    calls = (tmp_path / "db.trace").read_text()
    assert calls.count("msync(") >= 2 * acknowledged_in(finished.stdout) > 20
