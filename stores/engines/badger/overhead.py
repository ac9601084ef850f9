"""What calling Badger from Python costs above calling it from Go: `python -m stores.engines.badger.overhead`.

Both sides do the same: a fresh process, a new database with 10,000 keys of one size, all of it written to the disk,
then single gets or single puts (one key, one transaction, encoded for each call), in the same order, through the same
functions of the bridge; `bridge/bench_test.go` is the Go side. Rounds of both sides alternate in one run, because the
machine's speed drifts, and they take turns in going first. Each side times windows of 50 calls; a round's figure is its
median window, and the overhead of a round is Python's figure minus Go's.

The goal is judged against a free goroutine. The column `thread` is the same Go code on a goroutine tied to a thread,
which is what a call from C would pay if it called straight into Go. A put passes through a second thread (see
`bridge/dispatch.c`), so it needs a second processor that is free: on a busy machine it costs two thread switches more
(the lines above the table say what such switches cost). The column `undisturbed`, which compares the best window of
all rounds, says what it costs otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from stores.contract import StoreUnavailable
from stores.engines.badger import build
from stores.engines.badger.engine import BadgerEngine, Settings
from stores.go_build import find_go, go_environment

GOAL_US = 3.0
KEYS = 10_000
"""As in bench_test.go."""
_STRIDE = 7919
"""A prime: neighbours in time aren't neighbours in the tree. As in bench_test.go."""
_BENCHMARKS = {"get": "BenchmarkGet", "put, relaxed": "BenchmarkPutRelaxed", "put, durable": "BenchmarkPutDurable"}
_LINE = re.compile(r"^Benchmark.* ([\d.]+) best-ns/op\s+([\d.]+) middle-ns/op", re.MULTILINE)
WINDOW = 50
"""Calls that are timed together. As in bench_test.go."""
WARM_UP_DURABLE = 500
"""Durable puts before the timed ones; gets and relaxed puts: one for each key. What a process does only once, such as
bringing memory to its processor, counts for neither side. As in bench_test.go."""
DURABLE_SHARE = 10
"""A durable put takes more than ten times as long as the other calls, so a round makes a tenth of them."""
_TIMEOUT_SECONDS = 600
_SWITCH = """
import os, sys, time
turns = int(sys.argv[1])
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
there, here = os.pipe(), os.pipe()
child = os.fork()
if not child:
    for _ in range(turns):
        os.write(here[1], os.read(there[0], 1))
    os._exit(0)
started = time.perf_counter()
for _ in range(turns):
    os.write(there[1], b"x")
    os.read(here[0], 1)
print((time.perf_counter() - started) / turns * 1e6)
os.waitpid(child, 0)
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """One side of a round: µs for each call, in its best window and in its median one."""

    best_us: float
    middle_us: float


@dataclass(frozen=True, slots=True)
class Round:
    """One round of one operation: from Go, from Go on a goroutine tied to a thread, and from Python."""

    go: Figure
    thread: Figure
    python: Figure


@dataclass(frozen=True, slots=True)
class Overhead:
    """All rounds of one operation."""

    operation: str
    rounds: tuple[Round, ...]

    def differences(self) -> list[float]:
        """Return Python's figure minus Go's for each round, sorted, in µs."""
        return sorted(each.python.middle_us - each.go.middle_us for each in self.rounds)

    @property
    def median_us(self) -> float:
        """The overhead in µs: the median of the rounds."""
        return statistics.median(self.differences())

    @property
    def undisturbed_us(self) -> float:
        """Python's best window less Go's best, in µs: what is left while nobody else uses the machine."""
        return min(each.python.best_us for each in self.rounds) - min(each.go.best_us for each in self.rounds)

    def verdict(self) -> str:
        """Say whether the goal holds: by the median, and only if three rounds of four agree."""
        differences = self.differences()
        low, high = differences[len(differences) // 4], differences[(3 * len(differences)) // 4]
        if high <= GOAL_US:
            return "met"
        return "missed" if low > GOAL_US else "undecided: the rounds differ too much"


def measure(rounds: int, calls: int, value_bytes: int, operations: Sequence[str]) -> list[Overhead]:
    """Measure the operations in alternating rounds. Raises StoreUnavailable when Go or the library is missing."""
    go = find_go()
    if go is None:
        raise StoreUnavailable(
            "Go was not found; the Go side can't be measured", hint=f"{build.BUILD_COMMAND} --install-go"
        )
    found: dict[str, list[Round]] = {name: [] for name in operations}
    with tempfile.TemporaryDirectory() as scratch:
        binary = _compiled(go, Path(scratch) / "bench")
        for turn in range(rounds):
            for name in operations:
                count = calls // DURABLE_SHARE if name.endswith("durable") else calls
                sides: dict[str, Callable[[], Figure]] = {
                    "go": partial(_go_round, binary, name, count, value_bytes, ""),
                    "thread": partial(_go_round, binary, name, count, value_bytes, "Locked"),
                    "python": partial(_python_round, name, count, value_bytes),
                }
                order = list(sides)[:: 1 if turn % 2 else -1]
                figures = {side: sides[side]() for side in order}
                found[name].append(Round(**figures))
    return [Overhead(name, tuple(each)) for name, each in found.items()]


def crossing_us(calls: int = 20_000) -> float:
    """Return what the smallest possible call costs: ctypes, into Go, one look into an empty table, and back, in µs."""
    from stores.engines.badger.library import load  # noqa: PLC0415 - not before the library is known to be there

    call = load().cursor_close
    started = time.perf_counter()
    for _ in range(calls):
        call(0)
    return (time.perf_counter() - started) / calls * 1e6


def switch_us(turns: int = 5_000) -> float:
    """Return what two processes on one processor take to hand over to each other and back, in µs."""
    if not hasattr(os, "sched_setaffinity"):
        return float("nan")
    finished = subprocess.run(
        [sys.executable, "-c", _SWITCH, str(turns)], capture_output=True, text=True, timeout=60, check=False
    )
    return float(finished.stdout) if finished.returncode == 0 else float("nan")


def time_calls(operation: str, calls: int, value_bytes: int) -> Figure:
    """Fill a new database and time the calls of one operation: the Python side of a round, in a process of its own."""
    durable = operation.endswith("durable")
    value = bytes(value_bytes)
    keys = [b"agent/%08d" % (number * _STRIDE % KEYS) for number in range(KEYS)]
    with tempfile.TemporaryDirectory() as scratch:
        engine = BadgerEngine(Path(scratch), Settings(sync_writes=durable))
        try:
            for first in range(0, KEYS, 100):
                engine.write([(b"agent/%08d" % number, value) for number in range(first, first + 100)], sync=durable)
            call = engine.get if operation == "get" else partial(_put, engine, value, durable)
            os.sync()  # what the filling left behind would be written during the calls
            for key in keys[-WARM_UP_DURABLE if durable else 0 :]:
                call(key)
            windows = []
            for first in range(0, calls - WINDOW + 1, WINDOW):
                chosen = [keys[number % KEYS] for number in range(first, first + WINDOW)]
                started = time.perf_counter()
                for key in chosen:
                    call(key)
                windows.append((time.perf_counter() - started) / WINDOW * 1e6)
        finally:
            engine.close()
    return Figure(min(windows), statistics.median_high(windows))


def _put(engine: BadgerEngine, value: bytes, durable: bool, key: bytes) -> None:
    engine.write(((key, value),), sync=durable)


def _python_round(operation: str, calls: int, value_bytes: int) -> Figure:
    command = [sys.executable, "-m", "stores.engines.badger.overhead", "--side", operation]
    command += ["--calls", str(calls), "--value-bytes", str(value_bytes)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False)
    if finished.returncode:
        raise StoreUnavailable(f"the Python side failed: {finished.stderr.strip()[-500:]}")
    return Figure(**json.loads(finished.stdout))


def _compiled(go: str, target: Path) -> Path:
    command = [go, "test", "-c", "-o", str(target), "."]
    finished = subprocess.run(
        command,
        cwd=build.SOURCES,
        env=go_environment(),
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_SECONDS,
        check=False,
    )
    if finished.returncode:
        raise StoreUnavailable(f"the Go benchmark can't be built: {finished.stderr.strip()[-500:]}")
    return target


def _go_round(binary: Path, operation: str, calls: int, value_bytes: int, form: str) -> Figure:
    name = _BENCHMARKS[operation] + form
    finished = subprocess.run(
        [str(binary), "-test.run=^$", f"-test.bench=^{name}$", f"-test.benchtime={calls}x"],
        env={**os.environ, "PARITY_BADGER_VALUE_BYTES": str(value_bytes)},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_SECONDS,
        check=False,
    )
    lines = _LINE.findall(finished.stdout)
    if finished.returncode or not lines:
        raise StoreUnavailable(f"the Go benchmark failed: {(finished.stderr or finished.stdout).strip()[-500:]}")
    best, middle = lines[-1]
    return Figure(float(best) / 1000, float(middle) / 1000)


def table(found: Sequence[Overhead], value_bytes: int) -> str:
    """Return the results as text."""
    where = (
        f"{datetime.now(UTC):%Y-%m-%d} {platform.platform()}, {os.cpu_count()} processors, "
        f"Python {platform.python_version()}"
    )
    heading = (
        f"{'µs per call':<14}{'Go':>9}{'thread':>9}{'Python':>9}{'overhead':>10}{'quartiles':>16}{'undisturbed':>13}"
    )
    lines = [
        where,
        f"values of {value_bytes} bytes, {len(found[0].rounds)} rounds; load of the machine {os.getloadavg()[0]:.1f}",
        f"smallest call through ctypes into Go and back: {crossing_us():.2f} µs",
        f"to another process on the same processor and back: {switch_us():.2f} µs",
        f"{heading}  goal: at most {GOAL_US:g}",
    ]
    for each in found:
        differences = each.differences()
        quartiles = f"{differences[len(differences) // 4]:.1f} … {differences[3 * len(differences) // 4]:.1f}"
        lines.append(
            f"{each.operation:<14}{statistics.median(one.go.middle_us for one in each.rounds):>9.2f}"
            f"{statistics.median(one.thread.middle_us for one in each.rounds):>9.2f}"
            f"{statistics.median(one.python.middle_us for one in each.rounds):>9.2f}"
            f"{each.median_us:>10.2f}{quartiles:>16}"
            f"{each.undisturbed_us:>13.2f}  {each.verdict()}"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure and print; exit with 1 when a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m stores.engines.badger.overhead", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30, help="alternating rounds (default 30)")
    parser.add_argument("--calls", type=int, default=20_000, help="calls in a round (default 20000; durable: a tenth)")
    parser.add_argument("--value-bytes", type=int, default=1024, help="size of a value (default 1024)")
    parser.add_argument("--durable", action="store_true", help="measure durable puts as well")
    parser.add_argument("--json", type=Path, help="write every round to this file")
    parser.add_argument("--side", choices=_BENCHMARKS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        figure = time_calls(arguments.side, arguments.calls, arguments.value_bytes)
        sys.stdout.write(json.dumps(asdict(figure)) + "\n")
        return
    operations = [name for name in _BENCHMARKS if arguments.durable or not name.endswith("durable")]
    try:
        found = measure(
            max(arguments.rounds, 4),
            max(arguments.calls, WINDOW * DURABLE_SHARE),
            max(arguments.value_bytes, 0),
            operations,
        )
    except StoreUnavailable as error:
        sys.exit(f"error: {error}\n{error.hint}".strip())
    sys.stdout.write(table(found, arguments.value_bytes) + "\n")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(each) for each in found], indent=1) + "\n")
    sys.exit(int(any(each.verdict() == "missed" for each in found)))


if __name__ == "__main__":
    main()
