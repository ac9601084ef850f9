"""Durability, proven from outside: syncs are counted and processes killed, whatever the store says of itself."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

from stores.contract import Capabilities, Durability
from stores.registry import parse_url, scheme_of
from stores.suite.check import Bench, Checks, NotProven, fail, is_persistent, same
from stores.suite.commit_child import ACKNOWLEDGED
from stores.suite.kills import kill_in_batches, opened_afterwards
from stores.suite.samples import put
from stores.suite.shim import environment as environment_of
from stores.suite.shim import shim_refusal, unseen
from stores.suite.syncs import SYNC_CALLS, WRITE_CALLS, read_trace, strace_refusal
from stores.suite.traced import run_traced

checks = Checks()
RUN_SECONDS_MAX = 60
_UNCOUNTED = re.compile(r"O_D?SYNC|io_uring_setup")


def is_durable(capabilities: Capabilities) -> bool:
    """A need: what is acknowledged survives the loss of power."""
    return capabilities.persistent and capabilities.durability is Durability.DURABLE


@checks("durable-syncs", applies=is_durable)
def syncs(bench: Bench) -> None:
    """A store that says durable syncs what a commit wrote before it acknowledges it, or the group that it is in."""
    url = _url_of(bench, "syncs")
    path = bench.subject.folder / f"{bench.name}.trace"
    command = [sys.executable, "-m", "stores.suite.commit_child", url, "together"]
    traced, environment = _watched(command, path)
    try:
        done = run_traced(traced, RUN_SECONDS_MAX, environment)
    except subprocess.TimeoutExpired:
        raise NotProven(f"{ACKNOWLEDGED} commits took more than {RUN_SECONDS_MAX} s where syncs are counted") from None
    if done.returncode != 0 and environment is not None:
        raise NotProven(f"{unseen(done.returncode)}; {strace_refusal()}")
    if done.returncode != 0:
        fail(f"a process of its own can't commit: exit {done.returncode}, {done.stderr.strip()[-300:]}")
    text = path.read_text(errors="replace")
    trace = read_trace(text, by_thread=True)
    if trace.commits != ACKNOWLEDGED:
        raise NotProven(f"the trace shows {trace.commits} acknowledgements of {ACKNOWLEDGED}")
    if trace.unsynced and _UNCOUNTED.search(text):
        raise NotProven("it writes with O_SYNC, O_DSYNC or io_uring, whose syncs can't be counted")
    if trace.unsynced:
        fail(
            f"{trace.unsynced} of {trace.commits} commits were acknowledged without a sync between what they wrote and "
            f"their acknowledgement ({trace.syncs} syncs in all)"
        )


def _watched(command: list[str], path: Path) -> tuple[list[str], dict[str, str] | None]:
    """Return a command whose syncs are written to a file, and its environment if that is of our own making."""
    if not strace_refusal():
        calls = f"trace={SYNC_CALLS},{WRITE_CALLS},openat,io_uring_setup"
        return ["strace", "-f", "-qq", "-e", calls, "-o", str(path), *command], None
    if shim_refusal():
        raise NotProven(f"syncs can't be counted: {strace_refusal()}, and our own library can't: {shim_refusal()}")
    return command, environment_of(path)


@checks("durable-kills", applies=is_persistent)
def kills(bench: Bench) -> None:
    """After SIGKILL acknowledged batches of 1 to 5,000 operations are there, and one under way whole or not at all."""
    _url_of(bench, "kills")
    problems, fell_inside = kill_in_batches(bench.subject, bench.name, bench.seed)
    if problems:
        fail("; ".join(problems[:3]))
    if not fell_inside:
        raise NotProven("no kill fell between the beginning of a batch and its acknowledgement")


@checks("killed-goes-on", applies=is_persistent)
def killed_goes_on(bench: Bench) -> None:
    """After SIGKILL positions and revisions go on; those of removed resources don't come back."""
    command = [sys.executable, "-m", "stores.suite.commit_child", _url_of(bench, "removed"), "removed"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=RUN_SECONDS_MAX)
    if done.returncode != -signal.SIGKILL:
        fail(f"a process of its own can't commit: exit {done.returncode}, {done.stderr.strip()[-300:]}")
    last, revision = map(int, done.stdout.split())
    with opened_afterwards(bench.subject, f"{bench.name}-removed") as store:
        same("last position", store.last_position(), last)
        position = store.commit([put("goes", when="absent")])
        record = store.get_record("agent", "goes")
    if position <= last or record is None or record.revision <= revision:
        fail(f"numbers came back: position {position} after {last}, {record} after revision {revision}")


def _url_of(bench: Bench, name: str) -> str:
    url = bench.subject.url_of(f"{bench.name}-{name}")
    if url is None:
        raise NotProven("the store has no URL, so no process of its own can be watched")
    if scheme_of(parse_url(url).scheme).is_remote:
        raise NotProven("a database server syncs, in processes that aren't ours to watch or kill")
    return url
