"""SIGKILL in the middle of batches of one to thousands of operations: nothing acknowledged is lost, nothing is half.

A first run, which nobody kills, shows the system calls that each batch makes. Each further run has a new database and
is killed at one of them, drawn by the seed: behind a sync, where a store that writes a batch in several parts stands
between two of them, and elsewhere. Where strace can't be used, and for stores that write without such calls, the kill
comes from outside after a part of the time that the batch took.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from stores.canonical import canonical_bytes
from stores.contract import Store, StoreError, StoreLocked
from stores.memory import MemoryStore
from stores.schema import KINDS
from stores.suite.check import NotProven, StoreUnderTest
from stores.suite.commit_child import batch_of_size
from stores.suite.syncs import ACKNOWLEDGED_FD, BEGIN_FD, strace_refusal

SIZES = (1, 7, 150, 1000, 5000)
"""Operations of the batches, in the order in which they are committed."""
KILLS = {1: 1, 1000: 3}
"""Kills within a batch, by its operations; others get two. A batch that is written in two parts is most often cut at
hundreds or a thousand operations."""
FROM_OUTSIDE = 1000
"""From so many operations on, one more kill comes from outside: calls of other threads aren't counted."""
AT_ONCE = 2
CALLS = "write,pwrite64,fsync,fdatasync,msync"
RUN_SECONDS_MAX = 120
_CALL = re.compile(r"^(\d+) +(\w+)\((\d*)")


class Call(NamedTuple):
    """A system call: its name, and the how manieth of that name it is in its thread, as strace counts to inject."""

    name: str
    number: int


@dataclass(frozen=True, slots=True)
class Kill:
    """When a run is killed: at a system call of the committing thread, or so many seconds after a batch began.

    Neither: by its own hand, right after the last acknowledgement.
    """

    batch: int
    call: Call | None = None
    after_seconds: float = 0.0

    def __str__(self) -> str:
        if self.call:
            return f"killed at {self.call.name} number {self.call.number}, in batch {self.batch}"
        if self.after_seconds:
            return f"killed {self.after_seconds * 1000:.1f} ms after the beginning of batch {self.batch}"
        return f"killed right after batch {self.batch} was acknowledged"


@dataclass(slots=True)
class Run:
    """What a run said: the batches that it began and acknowledged, when, and how it ended."""

    began: list[float] = field(default_factory=list)
    done: list[float] = field(default_factory=list)
    exit_code: int = 0
    error: str = ""


LOCK_SECONDS = 10.0
"""So long the lock of a killed process may last."""


def kill_in_batches(
    subject: StoreUnderTest, name: str, seed: int, sizes: Sequence[int] = SIZES
) -> tuple[list[str], int]:
    """Kill a committing process again and again; return what is wrong, and how many runs were killed in a batch.

    Ends at the first that is wrong.
    Raises NotProven if no other process can open the store, or the process fails before it is killed.
    """
    url = subject.url_of(f"{name}-whole")
    if url is None:
        raise NotProven("the store has no URL, so no other process can be killed while it commits")
    trace = None if strace_refusal() else subject.folder / f"{name}.calls"
    whole = _run(url, seed, sizes, "close", trace=trace)
    if len(whole.done) != len(sizes):
        raise NotProven(f"a process that commits batches of {sizes} operations failed: {whole.error}")
    kills = plan(seed, sizes, whole, trace.read_text(errors="replace") if trace else "")
    states = _states(seed, sizes)
    problems: list[str] = []

    def fell_inside(number: int) -> bool:
        if problems:
            return False  # one is enough to fail
        problem, is_inside = _killed(subject, f"{name}-{number}", seed, sizes, kills[number], states)
        problems.extend([problem] if problem else [])
        return is_inside

    with ThreadPoolExecutor(AT_ONCE) as pool:
        inside = sum(pool.map(fell_inside, range(len(kills))))
    return problems, inside


def plan(seed: int, sizes: Sequence[int], whole: Run, trace: str) -> list[Kill]:
    """Draw the kills from what the run that nobody killed has shown."""
    draw = random.Random(f"kills/{seed}")  # noqa: S311 - repeatable, not secret
    calls = calls_of_batches(trace)
    kills = [Kill(len(sizes)), Kill(draw.randrange(1, len(sizes)))]
    for number, size in enumerate(sizes, 1):
        behind_syncs, all_of_it = calls.get(number, ([], []))
        wanted = KILLS.get(size, 2)
        chosen = draw.sample(behind_syncs, min(len(behind_syncs), max(1, wanted - 1)))
        rest = [call for call in all_of_it if call not in chosen]
        chosen += draw.sample(rest, min(len(rest), wanted - len(chosen)))
        kills += [Kill(number, call=call) for call in chosen]
        seconds = whole.done[number - 1] - whole.began[number - 1]
        outside = wanted - len(chosen) + (size >= FROM_OUTSIDE)
        kills += [Kill(number, after_seconds=seconds * draw.uniform(0.2, 1.0)) for _ in range(outside)]
    return kills


def calls_of_batches(trace: str) -> dict[int, tuple[list[Call], list[Call]]]:
    """Return, for each batch, the calls behind its syncs, and all its calls up to the mark of its acknowledgement.

    Calls of other threads than the one that commits are left out.
    """
    found: dict[int, tuple[list[Call], list[Call]]] = {}
    counts: Counter[str] = Counter()
    batch = 0
    committing = next((line.split()[0] for line in trace.splitlines() if f"fsync({BEGIN_FD}" in line), "")
    is_inside = is_behind_sync = False
    for thread, name, descriptor in (match.groups() for match in map(_CALL.match, trace.splitlines()) if match):
        if thread != committing:
            continue
        counts[name] += 1
        if descriptor == str(BEGIN_FD):
            batch, is_inside, is_behind_sync = batch + 1, True, False
            continue
        if is_inside:
            behind, every = found.setdefault(batch, ([], []))
            every.append(Call(name, counts[name]))
            if is_behind_sync:
                behind.append(every[-1])
            is_behind_sync = "sync" in name
        is_inside = is_inside and descriptor != str(ACKNOWLEDGED_FD)
    return found


def opened_afterwards(subject: StoreUnderTest, name: str) -> Store:
    """Open the store; who was killed may keep its lock until the system has taken it apart. Raises StoreError."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            return subject.open(name)
        except StoreLocked:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _killed(
    subject: StoreUnderTest, name: str, seed: int, sizes: Sequence[int], kill: Kill, states: Sequence[str]
) -> tuple[str, bool]:
    """Run, kill, and compare; return what is wrong, or nothing, and whether it fell within a batch."""
    url = subject.url_of(name) or ""
    upto = sizes if kill.call or kill.after_seconds else sizes[: kill.batch]
    trace = subject.folder / f"{name}.calls" if kill.call else None
    run = _run(url, seed, upto, "close" if kill.call else "kill", kill=kill, trace=trace)
    began, done = len(run.began), len(run.done)
    if run.exit_code not in (-signal.SIGKILL, 0):
        return f"the process that commits ended with {run.error}", False
    try:
        with opened_afterwards(subject, name) as store:
            found = state_of(store)
    except StoreError as error:
        return f"{kill}: afterwards the store can't be read: {type(error).__name__}: {error}", True
    if found in states[done : began + 1]:
        return "", began > done
    told = f"{done} batches of {list(upto[:done])} operations were acknowledged, {began - done} under way"
    return f"{kill}: {told}; the store holds neither what was acknowledged nor that and the whole batch", True


def _run(
    url: str, seed: int, sizes: Sequence[int], end: str, *, kill: Kill | None = None, trace: Path | None = None
) -> Run:
    command = [sys.executable, "-m", "stores.suite.commit_child", url, str(seed), ",".join(map(str, sizes)), end]
    if trace is not None:
        inject = ["-e", f"inject={kill.call.name}:signal=SIGKILL:when={kill.call.number}"] if kill and kill.call else []
        command = ["strace", "-f", "-qq", "-o", str(trace), "-e", f"trace={CALLS}", *inject, *command]
    run = Run()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    watchdog = threading.Timer(RUN_SECONDS_MAX, _kill, [child])
    watchdog.start()
    try:
        for line in child.stdout or ():
            (run.began if line.startswith("begin") else run.done).append(time.monotonic())
            if kill and kill.after_seconds and len(run.began) == kill.batch > len(run.done):
                time.sleep(kill.after_seconds)
                _kill(child)
        _, run.error = child.communicate()
    finally:
        watchdog.cancel()
        _kill(child)
        child.communicate()
    run.exit_code = child.returncode
    run.error = f"exit code {run.exit_code}: {run.error.strip()[-300:]}"
    return run


def _kill(child: subprocess.Popen[str]) -> None:
    """Kill the child's own process group (strace and the traced process)."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)


def _states(seed: int, sizes: Sequence[int]) -> list[str]:
    """Return the right states: of the empty store, and after each batch."""
    states = []
    with MemoryStore() as model:
        states.append(state_of(model))
        for number, size in enumerate(sizes, 1):
            model.commit(batch_of_size(seed, number, size))
            states.append(state_of(model))
    return states


def state_of(store: Store) -> str:
    """Return all that a kill must not harm, as JSON: records, what the indexes show, counts, the last position."""
    shown: dict[str, object] = {"last": store.last_position()}
    for name, kind in KINDS.items():
        records = list(store.scan(name))
        messages = [kind.message_type.FromString(record.data) for record in records]
        keys = sorted({entry for message in messages for entry in kind.entries(message)})
        shown[name] = [
            store.count(name),
            [(r.id, r.position, r.revision, canonical_bytes(m).hex()) for r, m in zip(records, messages, strict=True)],
            [store.find(name, index, key) for index, key in keys],
        ]
    for org in ("o", "o1"):
        for name in ("agent", "agent_instance"):
            found = [record.id for record in store.scan(name, index="org", key=(org,))]
            shown[f"{name} of {org}"] = [store.count(name, index="org", key=(org,)), found]
    return json.dumps(shown)
