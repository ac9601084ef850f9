"""The benchmark run of a verification: `parity bench stores`, as a process of its own."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.history import DATABASE
from parity.children import Children
from parity.run_folder import BENCHMARKS_FOLDER

SECONDS_MAX = 3 * 3600.0
LOG_FILE = "bench.log"


@dataclass(frozen=True, slots=True)
class Measurement:
    """How the benchmark run went: the command to repeat it, its exit code."""

    command: str
    exit_code: int
    seconds: float


def measure(run: Path, *, speed: str, corpus: Path | None) -> Measurement:
    """Run the benchmarks into the run's folder; its progress goes to this terminal, its tables to a log."""
    folder = run / BENCHMARKS_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    options = ["--quick"] if speed == "quick" else ["--full"] if speed == "full" else []
    options += ["--corpus", str(corpus)] if corpus else []
    command = [sys.executable, "-m", "parity", "bench", "stores", *options, "--out", str(folder)]
    command += ["--db", str(run.parent / DATABASE)]
    begun = time.monotonic()
    with Children() as children, (folder / LOG_FILE).open("w", encoding="utf-8") as log:
        code = children.run(command, stdout=log, seconds=SECONDS_MAX)
    repeat = " ".join(["parity", "bench", "stores", *options])
    return Measurement(repeat, code, round(time.monotonic() - begun, 3))
