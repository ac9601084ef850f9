"""What calling Badger from Python costs above calling it from Go: `python -m stores.engines.badger.overhead`.

Both sides do the same: 10,000 keys of one size, then single gets, single puts (one key, one transaction), in the same
order, through the same functions of the bridge; `bridge/bench_test.go` is the Go side. Rounds of both sides alternate
in one run, because the machine's speed drifts. The overhead of a round is Python's mean minus Go's mean. A put passes
through a second thread (see `bridge/dispatch.c`), so it needs a second processor that is free: on a busy machine it
costs more, and the column `undisturbed` says what it costs otherwise.
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
from pathlib import Path

from stores.contract import StoreUnavailable
from stores.engines.badger import build
from stores.engines.badger.engine import BadgerEngine, Settings

GOAL_US = 3.0
KEYS = 10_000
"""As in bench_test.go."""
_STRIDE = 7919
"""A prime: neighbours in time aren't neighbours in the tree. As in bench_test.go."""
_BENCHMARKS = {"get": "BenchmarkGet", "put, relaxed": "BenchmarkPutRelaxed", "put, durable": "BenchmarkPutDurable"}
_LINE = re.compile(r"^(Benchmark\w+?)(?:-\d+)?\s+\d+\s+([\d.]+) ns/op", re.MULTILINE)
_TIMEOUT_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Round:
    """One round of one operation: µs for each call, from Go and from Python."""

    go_us: float
    python_us: float


@dataclass(frozen=True, slots=True)
class Overhead:
    """All rounds of one operation."""

    operation: str
    rounds: tuple[Round, ...]

    def differences(self) -> list[float]:
        """Return Python's mean minus Go's for each round, sorted, in µs."""
        return sorted(each.python_us - each.go_us for each in self.rounds)

    @property
    def median_us(self) -> float:
        """The overhead in µs: the median of the rounds."""
        return statistics.median(self.differences())

    @property
    def undisturbed_us(self) -> float:
        """The fastest round of Python less the fastest of Go, in µs: what is left when nobody else uses the machine."""
        return min(each.python_us for each in self.rounds) - min(each.go_us for each in self.rounds)

    def verdict(self) -> str:
        """Say whether the goal holds: by the median, and only if three rounds of four agree."""
        differences = self.differences()
        low, high = differences[len(differences) // 4], differences[(3 * len(differences)) // 4]
        if high <= GOAL_US:
            return "met"
        return "missed" if low > GOAL_US else "undecided: the rounds differ too much"


def measure(rounds: int, calls: int, value_bytes: int, operations: Sequence[str]) -> list[Overhead]:
    """Measure the operations in alternating rounds. Raises StoreUnavailable when Go or the library is missing."""
    go = build.find_go()
    if go is None:
        raise StoreUnavailable(
            "Go was not found; the Go side can't be measured", hint=f"{build.BUILD_COMMAND} --install-go"
        )
    found: dict[str, list[Round]] = {name: [] for name in operations}
    with tempfile.TemporaryDirectory() as scratch:
        binary = _compiled(go, Path(scratch) / "bench")
        sides = {name: _PythonSide(Path(scratch) / name, name, value_bytes) for name in operations}
        try:
            for _ in range(rounds):
                for name, side in sides.items():
                    go_us = _go_round(binary, name, calls, value_bytes)
                    found[name].append(Round(go_us, side.round(calls)))
        finally:
            for side in sides.values():
                side.engine.close()
    return [Overhead(name, tuple(each)) for name, each in found.items()]


def crossing_us(calls: int = 20_000) -> float:
    """Return what the smallest possible call costs: ctypes, into Go, one look into an empty table, and back, in µs."""
    from stores.engines.badger.library import load  # noqa: PLC0415 - not before the library is known to be there

    call = load().cursor_close
    started = time.perf_counter()
    for _ in range(calls):
        call(0)
    return (time.perf_counter() - started) / calls * 1e6


class _PythonSide:
    """The Python side of one operation over a filled database."""

    def __init__(self, path: Path, operation: str, value_bytes: int) -> None:
        self.durable = operation.endswith("durable")
        self.engine = BadgerEngine(path, Settings(sync_writes=self.durable))
        self.value = bytes(value_bytes)
        self.keys = [b"agent/%08d" % (number * _STRIDE % KEYS) for number in range(KEYS)]
        for first in range(0, KEYS, 100):
            self.engine.write([(key, self.value) for key in self.keys[first : first + 100]], sync=self.durable)
        self.call: Callable[[bytes], object] = self.engine.get if operation == "get" else self.put

    def put(self, key: bytes) -> None:
        self.engine.write(((key, self.value),), sync=self.durable)

    def round(self, calls: int) -> float:
        call, keys = self.call, [self.keys[number % KEYS] for number in range(calls)]
        started = time.perf_counter()
        for key in keys:
            call(key)
        return (time.perf_counter() - started) / calls * 1e6


def _compiled(go: str, target: Path) -> Path:
    command = [go, "test", "-c", "-o", str(target), "."]
    finished = subprocess.run(
        command,
        cwd=build.SOURCES,
        env=build.go_environment(),
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_SECONDS,
        check=False,
    )
    if finished.returncode:
        raise StoreUnavailable(f"the Go benchmark can't be built: {finished.stderr.strip()[-500:]}")
    return target


def _go_round(binary: Path, operation: str, calls: int, value_bytes: int) -> float:
    name = _BENCHMARKS[operation]
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
    return float(lines[-1][1]) / 1000


def table(found: Sequence[Overhead], value_bytes: int) -> str:
    """Return the results as text."""
    where = (
        f"{datetime.now(UTC):%Y-%m-%d} {platform.platform()}, {os.cpu_count()} processors, "
        f"Python {platform.python_version()}"
    )
    heading = f"{'µs per call':<14}{'Go':>9}{'Python':>9}{'overhead':>10}{'quartiles':>16}{'undisturbed':>13}  goal: "
    lines = [
        where,
        f"values of {value_bytes} bytes, {len(found[0].rounds)} rounds; load of the machine {os.getloadavg()[0]:.1f}",
        f"smallest call through ctypes into Go and back: {crossing_us():.2f} µs",
        f"{heading}at most {GOAL_US:g}",
    ]
    for each in found:
        differences = each.differences()
        quartiles = f"{differences[len(differences) // 4]:.1f} … {differences[3 * len(differences) // 4]:.1f}"
        lines.append(
            f"{each.operation:<14}{statistics.median(one.go_us for one in each.rounds):>9.2f}"
            f"{statistics.median(one.python_us for one in each.rounds):>9.2f}{each.median_us:>10.2f}{quartiles:>16}"
            f"{each.undisturbed_us:>13.2f}  {each.verdict()}"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure and print; exit with 1 when a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m stores.engines.badger.overhead", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30, help="alternating rounds (default 30)")
    parser.add_argument("--calls", type=int, default=2_000, help="calls in a round (default 2000)")
    parser.add_argument("--value-bytes", type=int, default=1024, help="size of a value (default 1024)")
    parser.add_argument("--durable", action="store_true", help="measure durable puts as well")
    parser.add_argument("--json", type=Path, help="write every round to this file")
    arguments = parser.parse_args()
    operations = [name for name in _BENCHMARKS if arguments.durable or not name.endswith("durable")]
    try:
        found = measure(max(arguments.rounds, 4), max(arguments.calls, 1), max(arguments.value_bytes, 0), operations)
    except StoreUnavailable as error:
        sys.exit(f"error: {error}\n{error.hint}".strip())
    sys.stdout.write(table(found, arguments.value_bytes) + "\n")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(each) for each in found], indent=1) + "\n")
    sys.exit(int(any(each.verdict() == "missed" for each in found)))


if __name__ == "__main__":
    main()
