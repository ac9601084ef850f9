"""Durability proven, not declared: was there a sync before every acknowledgement? strace is asked, not the store.

A store in durable mode that acknowledges a commit without a sync since the one before is refused: none of its durable
numbers are judged. Where strace can't be used the result says "declared, not proven".
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.children.commits import agent_of
from benchmarks.database import url_of
from benchmarks.native.payload import write_agents
from benchmarks.native.process import command_of
from benchmarks.results import DurabilityProof, Subject
from stores.suite.syncs import ACKNOWLEDGED_FD, BEGIN_FD, SYNC_CALLS, Trace, read_trace, strace_refusal

COMMITS = 20
DEADLINE_S = 60
_TAIL = 200


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
