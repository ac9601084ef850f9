"""The crash ladder: a process that commits is killed again and again, and after each fall the store must be right.

Right means: the state after all acknowledged batches, or that and the one batch that was under way; whole, with
positions, revisions, indexes and counts. Kill points are seeded in time, or, where strace can be used, at the N-th
system call of the writing process, which may be inside the engine's commit. The same tool lets writes and syncs
fail, fills the disk, and counts the syncs.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stores.contract import CorruptRecord, Store
from stores.memory import MemoryStore
from stores.suite.crash_child import apply
from stores.suite.outcomes import seen
from stores.suite.subject import UrlSubject
from stores.suite.syncs import strace_refusal
from stores.suite.traced import run_traced

CHILD_TIMEOUT_SECONDS = 90
WRITES = "write,pwrite64,pwritev"
"""Without writev: by that the child tells how far it is."""
SYNCS = "fsync,fdatasync,msync,sync_file_range"
KILL_DELAY_SECONDS_MAX = 0.004
BATCHES_MAX = 40
BATCHES_UNTIL_KILLED = 2000
"""More than a child commits before it is killed, also when the killer has to wait for a processor."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to the child: an argument of strace's `-e inject=`; none: a signal from outside."""

    inject: str = ""


@dataclass(slots=True)
class Fall:
    """One run of the child: the last batch that it began, the last that it said was done, and how it ended."""

    began: int
    done: int
    exit_code: int
    failed: str = ""


@dataclass(slots=True)
class Climb:
    """The whole ladder on one database: what is wrong, and what happened, so that nothing passes for want of it."""

    problems: list[str] = field(default_factory=list)
    falls: list[Fall] = field(default_factory=list)

    @property
    def killed(self) -> int:
        """How many runs ended by SIGKILL."""
        return sum(fall.exit_code == -signal.SIGKILL for fall in self.falls)

    @property
    def failed(self) -> int:
        """How many runs ended because the store said that the medium fails."""
        return sum(bool(fall.failed) for fall in self.falls)


def strace_works() -> bool:
    """Say whether strace is there and may trace."""
    return not strace_refusal()


def climb(subject: UrlSubject, name: str, seed: int, faults: Sequence[Fault], *, mutant: str = "") -> Climb:
    """Run the child once for each fault, over one database, and compare after each.

    Args:
        subject: The store; the child opens it by URL.
        name: The database.
        seed: Of batches and kill points.
        faults: One run of the child for each.
        mutant: A row of `crash_mutants`, to prove the ladder itself.
    """
    result = Climb()
    first = 1
    for number, fault in enumerate(faults):
        fall = _run_child(subject.url_of(name), seed, first, number, fault, mutant)
        result.falls.append(fall)
        landed = _landed(subject, name, seed, fall)
        if landed is None:
            result.problems.append(
                f"run {number} ({fault.inject or 'killed from outside'}): after {fall.done} acknowledged batches and "
                f"{fall.began - fall.done} under way, the store holds neither state"
            )
            break
        first = landed + 1
    return result


def _landed(subject: UrlSubject, name: str, seed: int, fall: Fall) -> int | None:
    """Return how many batches the reopened store holds: those acknowledged, or one more that had begun; or None."""
    try:
        with subject.open(name) as store:
            found = state_of(store)
    except CorruptRecord as error:
        found = str(error)
    with MemoryStore() as model:
        apply(model, seed, range(1, fall.done + 1))
        if state_of(model) == found:
            return fall.done
        apply(model, seed, range(fall.done + 1, fall.began + 1))
        return fall.began if state_of(model) == found else None


def state_of(store: Store) -> object:
    """All that a crash must not harm."""
    by_index = [[seen(record) for record in store.scan("agent", index="org", key=(org,))] for org in ("o", "o1")]
    return (
        [seen(record) for record in store.scan("agent")],
        [seen(record) for record in store.scan("agent_instance")],
        by_index,
        [store.count("agent", index="org", key=(org,)) for org in ("o", "o1")],
        (store.count("agent"), store.count("agent_instance"), store.last_position()),
    )


def _run_child(url: str, seed: int, first: int, run: int, fault: Fault, mutant: str) -> Fall:
    draw = random.Random(f"{seed}/{run}/{fault.inject}")  # noqa: S311 - repeatable, not secret
    kill_at = first + draw.randrange(BATCHES_MAX // 2)
    last = first + (BATCHES_MAX if fault.inject else BATCHES_UNTIL_KILLED)
    command = [sys.executable, "-m", "stores.suite.crash_child", url, str(seed), str(first), str(last), mutant]
    trace = Path(f"{url.partition(':')[2].partition('?')[0]}.trace")
    if fault.inject:
        calls = fault.inject.partition(":")[0]
        command = [
            "strace",
            "-f",
            "-qq",
            "-o",
            str(trace),
            "-e",
            f"trace={calls}",
            "-e",
            f"inject={fault.inject}",
            *command,
        ]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    watchdog = threading.Timer(CHILD_TIMEOUT_SECONDS, _kill, [child])
    watchdog.start()
    fall = Fall(first - 1, first - 1, 0)
    try:
        for line in child.stdout or ():
            _note(fall, line.split())
            if not fault.inject and fall.began == kill_at and fall.done < kill_at:
                time.sleep(draw.random() * KILL_DELAY_SECONDS_MAX)
                _kill(child)
        fall.exit_code = child.wait(CHILD_TIMEOUT_SECONDS)
    finally:
        watchdog.cancel()
        _kill(child)
        if child.stdout:
            child.stdout.close()
        if child.stderr:
            child.stderr.close()
        child.wait(CHILD_TIMEOUT_SECONDS)
    return fall


def _note(fall: Fall, words: list[str]) -> None:
    match words:
        case ["begin", number]:
            fall.began = int(number)
        case ["done", number]:
            fall.done = int(number)
        case ["failed", _, reason]:
            fall.failed = reason


def _kill(child: subprocess.Popen[str]) -> None:
    """Kill the child's own process group (strace and the traced process)."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)


def count_syncs(url: str, seed: int, batches: int, folder: Path, mutant: str = "") -> tuple[int, int]:
    """Return how many syncs the child made while it committed, and how many batches it wrote and acknowledged.

    Opening and closing sync too; so two runs are compared, one of which commits nothing.
    """
    made = []
    for last in (0, batches):
        trace = folder / f"syncs{last}.trace"
        target = url.replace("?", f"{last}?") if "?" in url else f"{url}{last}"
        child = [sys.executable, "-m", "stores.suite.crash_child", target, str(seed), "1", str(last), mutant]
        command = ["strace", "-f", "-qq", "-o", str(trace), "-e", f"trace={SYNCS}", *child]
        run = run_traced(command, CHILD_TIMEOUT_SECONDS)
        run.check_returncode()
        made.append(len(re.findall(r"(?:fsync|fdatasync|msync|sync_file_range)\(", trace.read_text())))
        if run.stdout.count("done ") != last:
            raise RuntimeError(f"the child acknowledged other batches than it was given: {run.stdout[-200:]}")
    with MemoryStore() as model:
        written = apply(model, seed, range(1, batches + 1))
    return made[1] - made[0], written
