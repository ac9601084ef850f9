"""Records a store at work, tries what a power failure may leave of it, and shrinks the first state that is wrong."""

from __future__ import annotations

import json
import os
import random
import select
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from stores.contract import StoreUnavailable
from stores.power_loss.crash_states import CrashState, NameOrder, acknowledged, drawn, keeps_order, lay_out
from stores.power_loss.file_operations import Do, FileOperation
from stores.power_loss.judge import DATABASE, WRONG
from stores.power_loss.trace import CALLS, TraceReader, Unrecordable
from stores.registry import StoreUrl, scheme_of
from stores.suite.crash import strace_works
from stores.suite.traced import run_traced

RUNS = ((1, 5), (6, 10), (11, 14))
"""First and last commit of each process: each meets what those before it left, and moves and removes files."""
STATES = 500
SECONDS = 60.0
RECORD_SECONDS_MAX = 120
JUDGE_SECONDS_MAX = 20
SHRINK_TRIALS_MAX = 200
_TEXT_BYTES_MAX = 16 * 1024 * 1024


@dataclass
class Report:
    """What came of the trial. `failure` is the smallest wrong state that was found, `problem` what is wrong with it."""

    operations: list[FileOperation]
    outcomes: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    failure: CrashState | None = None
    problem: str = ""

    def steps(self) -> list[str]:
        """Return the failure as a list of operations."""
        return self.failure.described(self.operations) if self.failure else []


def try_power_loss(
    url: StoreUrl,
    seed: int,
    *,
    states: int = STATES,
    seconds: float = SECONDS,
    names: NameOrder = NameOrder.ANY,
    mutant: str = "",
    progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """Try random states of a store; the first wrong one ends the trial.

    Args:
        url: Scheme and options of the store; its path is ignored.
        seed: Of the commits and of the states.
        states: How many to try.
        seconds: When to end before that.
        names: What is assumed of the order of names.
        mutant: A row of `CRASH_MUTANTS`, to prove the trial itself.
        progress: Is told how many are tried.

    Raises StoreUnavailable if strace can't be used, or the store writes in a way that it doesn't show.
    """
    draw = random.Random(seed)  # noqa: S311 - repeatable, not secret
    with TemporaryDirectory(prefix="parity-power-loss-") as folder:
        report = Report(record(url, seed, Path(folder), mutant))
        end = time.monotonic() + seconds
        with Judge(url, seed, Path(folder), mutant) as judge:
            for number in range(states):
                if time.monotonic() > end or report.failure is not None:
                    break
                progress(number)
                _try_state(report, drawn(report.operations, draw, names), judge, names)
    return report


def _try_state(report: Report, state: CrashState, judge: Judge, names: NameOrder) -> None:
    """Judge a state and note what came; a wrong one is shrunk."""
    operations = report.operations
    outcome, text = judge.ask(operations, state)
    report.outcomes[outcome] += 1

    def is_wrong(each: CrashState) -> bool:
        return (names is NameOrder.ANY or keeps_order(operations, each)) and judge.is_wrong(operations, each)

    if outcome == WRONG:
        report.failure = shrunk(state, operations, is_wrong)
        report.problem = judge.ask(operations, report.failure)[1]
    elif text:
        done, _ = acknowledged(operations, state.length)
        report.refusals[text if done else f"{text} (nothing was acknowledged yet)"] += 1


# ---- recording


def record(url: StoreUrl, seed: int, folder: Path, mutant: str = "") -> list[FileOperation]:
    """Return what a store did to its files, over all RUNS. Raises InvalidStoreUrl, StoreUnavailable."""
    if not scheme_of(url.scheme).needs_path:
        raise StoreUnavailable(f"{url.scheme}: keeps nothing on disk", hint="name a store on disk")
    if not strace_works():
        raise StoreUnavailable(
            "system calls can't be recorded: strace isn't there, or may not trace",
            hint="install strace; a container needs the capability SYS_PTRACE",
        )
    watched = folder / "recorded"
    watched.mkdir()
    reader = TraceReader(str(watched.resolve()))
    for first, last in RUNS:
        trace = folder / f"{first}.trace"
        target = str(StoreUrl(url.scheme, str(watched.resolve() / DATABASE), url.options))
        child = [sys.executable, "-m", "stores.suite.crash_child", target, str(seed), str(first), str(last), mutant]
        command = ["strace", "-f", "-y", "-xx", "-s", str(_TEXT_BYTES_MAX), "-qqq", "-e", "signal=none"]
        command += ["-e", f"trace={CALLS}", "-o", str(trace), *child]
        run = run_traced(command, RECORD_SECONDS_MAX)
        if run.returncode:
            raise StoreUnavailable(f"the store can't be recorded: {run.stderr.strip().splitlines()[-1:]}")
        try:
            with trace.open(errors="replace") as lines:
                reader.read(line.rstrip("\n") for line in lines)
        except Unrecordable as error:
            raise StoreUnavailable(
                f"what {url.scheme} does can't be recorded: {error}", hint="try its durability by cutting the power"
            ) from error
    if sum(operation.do is Do.DONE for operation in reader.operations) != RUNS[-1][1]:
        raise StoreUnavailable("the recording doesn't show all commits", hint="which version of strace is it?")
    return reader.operations


# ---- judging


class Judge:
    """Judges states by a process of its own, which is started again if a state ends it."""

    def __init__(self, url: StoreUrl, seed: int, folder: Path, mutant: str) -> None:
        """Take what the process is told; it starts with the first question."""
        options: Mapping[str, str] = dict(url.options)
        self._command = [
            sys.executable,
            "-m",
            "stores.power_loss.judge",
            url.scheme,
            json.dumps(options),
            str(seed),
            mutant,
        ]
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None

    def is_wrong(self, operations: Sequence[FileOperation], state: CrashState) -> bool:
        """Say whether a state is one that must not be."""
        return self.ask(operations, state)[0] == WRONG

    def ask(self, operations: Sequence[FileOperation], state: CrashState) -> tuple[str, str]:
        """Return the verdict on a state, and the reason."""
        with TemporaryDirectory(dir=self._folder) as folder:
            lay_out(operations, state, Path(folder))
            process = self._started()
            if process.stdin is None or process.stdout is None:
                raise RuntimeError("the judge has no pipes")
            process.stdin.write(json.dumps([folder, *acknowledged(operations, state.length)]) + "\n")
            process.stdin.flush()
            ready, _, _ = select.select([process.stdout], [], [], JUDGE_SECONDS_MAX)
            answer = process.stdout.readline() if ready else ""
            if not answer:
                self.stop()
                how = "ended the process" if ready else f"took longer than {JUDGE_SECONDS_MAX} s"
                return WRONG, f"opening the database {how}"
            outcome, text = json.loads(answer)
            return outcome, text.replace(folder, "…")

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env={**os.environ, "TMPDIR": str(self._folder)},  # it is killed, and its shadows go with the folder
            )
        return self._process

    def stop(self) -> None:
        """End the process, if there is one."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


# ---- shrinking


def shrunk(
    state: CrashState, operations: Sequence[FileOperation], is_wrong: Callable[[CrashState], bool]
) -> CrashState:
    """Return a wrong state with as few operations and as few losses as can be found."""
    trials = iter(range(SHRINK_TRIALS_MAX))

    def still_wrong(each: CrashState) -> bool:
        return next(trials, None) is not None and is_wrong(each)

    ends = [number + 1 for number, operation in enumerate(operations) if operation.do is Do.DONE]
    for length in [end for end in ends if end < state.length]:
        shorter = CrashState(length, {number: left for number, left in state.lost.items() if number < length})
        if still_wrong(shorter):
            state = shorter
            break
    size = max(len(state.lost) // 2, 1)
    while size:
        for start in range(0, len(state.lost), size):
            kept = [number for place, number in enumerate(state.lost) if not start <= place < start + size]
            fewer = CrashState(state.length, {number: state.lost[number] for number in kept})
            if len(fewer.lost) < len(state.lost) and still_wrong(fewer):
                state = fewer
                break
        else:
            size //= 2
    for number in state.lost:
        simpler = CrashState(state.length, {**state.lost, number: None})
        if simpler != state and still_wrong(simpler):
            state = simpler
    return state
