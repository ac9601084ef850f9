"""Durability proven, not declared: was there a sync before every acknowledgement? strace is asked, not the store.

A store in durable mode that acknowledges a commit without a sync since the one before is refused: none of its durable
numbers are judged. Where strace can't be used the result says "declared, not proven".
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmarks.children.commits import ACKNOWLEDGED_FD, BEGIN_FD, agent_of
from benchmarks.database import url_of
from benchmarks.native.payload import write_agents
from benchmarks.native.process import command_of
from benchmarks.results import DurabilityProof, Subject

COMMITS = 20
DEADLINE_S = 60
SYNC_CALLS = "fsync,fdatasync,msync,sync_file_range,syncfs"
_TAIL = 200

# A call that came back with success, whole in one line or resumed after another thread's line.
_DONE = re.compile(r"\b(?:fsync|fdatasync|msync|syncfs|sync_file_range)(?:\(| resumed>).*= 0$")
_MARK = re.compile(rf"\bfsync\(({BEGIN_FD}|{ACKNOWLEDGED_FD})\)")


@dataclass(frozen=True, slots=True)
class Trace:
    """What a trace says: acknowledged commits, syncs since the first began, and commits without one of their own."""

    commits: int
    syncs: int
    unsynced: int


def prove(subject: Subject, directory: Path, *, url: str | None = None, commits: int = COMMITS) -> DurabilityProof:
    """Return how a subject's durability was established, with a new database below `directory`.

    `url` proves another store than the subject's own. Never raises for what the store does: that is the finding.
    """
    refusal = strace_refusal()
    if refusal:
        note = f"declared, not proven: {refusal}"
        return DurabilityProof(subject, "declared", 0, 0, holds=True, note=note)
    with tempfile.TemporaryDirectory(prefix="proof-", dir=directory) as folder:
        trace = Path(folder) / "trace"
        failure = _run(_command(subject, url, Path(folder), commits), commits, trace)
        if failure:
            return DurabilityProof(subject, "strace", 0, 0, holds=False, note=f"not proven: {failure}")
        return _conclude(subject, read_trace(trace.read_text(errors="replace")), commits)


def read_trace(text: str) -> Trace:
    """Return what a trace of sync calls says, from the mark of the beginning on."""
    commits = syncs = unsynced = 0
    since_last = 0
    begun = False
    for line in text.splitlines():
        mark = _MARK.search(line)
        if mark:
            if begun and int(mark[1]) == ACKNOWLEDGED_FD:
                commits += 1
                unsynced += since_last == 0
            begun, since_last = True, 0
        elif begun and _DONE.search(line):
            syncs += 1
            since_last += 1
    return Trace(commits, syncs, unsynced)


def _conclude(subject: Subject, trace: Trace, commits: int) -> DurabilityProof:
    said = f"{trace.syncs} syncs for {trace.commits} acknowledged commits"
    if trace.commits != commits:
        holds, note = False, f"{said} where {commits} were made: the trace is incomplete"
    elif subject.durability == "durable":
        holds = trace.unsynced == 0
        note = f"{said}, one before each" if holds else f"{said}: {trace.unsynced} came without a sync before them"
    else:
        holds = True
        note = said if trace.unsynced else f"{said}: relaxed in name, but it syncs like durable"
    return DurabilityProof(subject, "strace", trace.commits, trace.syncs, holds=holds, note=note)


def _command(subject: Subject, url: str | None, folder: Path, commits: int) -> list[str]:
    """Return the command that commits and marks, with the files it needs."""
    store = folder / "store"
    store.mkdir()
    if subject.language:
        agents = folder / "agents.bin"
        write_agents(agents, map(agent_of, range(commits)))
        return command_of("commits", subject, store, str(agents), str(BEGIN_FD), str(ACKNOWLEDGED_FD))
    return [sys.executable, "-m", "benchmarks.children.commits", url or url_of(subject, store), str(commits)]


def _run(command: list[str], commits: int, trace: Path) -> str:
    """Run the commits under strace and return what went wrong, or nothing."""
    traced = ["strace", "-f", "-qq", "-e", f"trace={SYNC_CALLS}", "-o", str(trace), *command]
    try:
        done = subprocess.run(traced, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    except subprocess.TimeoutExpired:
        return f"{commits} commits took more than {DEADLINE_S} s"
    return "" if done.returncode == 0 else f"the store failed: {done.stderr.strip()[-_TAIL:]}"


@cache
def strace_refusal() -> str:
    """Return why strace can't be used here, or nothing."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    try:
        probe = ["strace", "-f", "-qq", "-o", "/dev/null", sys.executable, "-c", ""]
        done = subprocess.run(probe, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    except subprocess.TimeoutExpired:
        return "strace hangs"
    return "" if done.returncode == 0 else f"strace may not trace here: {done.stderr.strip()[-_TAIL:]}"
