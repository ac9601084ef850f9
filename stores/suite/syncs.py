"""Whether there was a sync before each acknowledgement: strace is asked, not the store.

The process that commits leaves marks in its own trace: fsync calls on file descriptors that can't exist. They change
nothing, fail with EBADF, and stand in the trace exactly where they happened.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

BEGIN_FD, ACKNOWLEDGED_FD = 999_983, 999_979
SYNC_CALLS = "fsync,fdatasync,msync,sync_file_range,syncfs"
WRITE_CALLS = "write,pwrite64,writev,pwritev,pwritev2"
_PROBE_SECONDS_MAX = 60
_TAIL = 200

_MARK = re.compile(rf"\bfsync\(({BEGIN_FD}|{ACKNOWLEDGED_FD})\b")
_SYNC = re.compile(r"\b(?:fsync|fdatasync|msync|syncfs|sync_file_range)(\(| resumed>)")
_WRITE = re.compile(r"\b(?:write|pwrite64|writev|pwritev2?)\(")
_UNFINISHED = "<unfinished ...>"
_ASYNCHRONOUS = "MS_ASYNC"


@dataclass(frozen=True, slots=True)
class Trace:
    """What a trace says: acknowledged commits, syncs since the first began, and commits without one of their own."""

    commits: int
    syncs: int
    unsynced: int


def mark(fd: int) -> None:
    """Leave a mark, BEGIN_FD or ACKNOWLEDGED_FD, in the trace of this process."""
    with suppress(OSError):
        os.fsync(fd)


def read_trace(text: str, *, by_thread: bool = False) -> Trace:
    """Return what a trace of sync calls (`strace -f`) says, from the mark of the beginning on.

    A commit has a sync of its own if one that succeeded began after the commit did, and ended before its
    acknowledgement, in whatever thread: commits that overlap may share it. A commit begins at the mark before its
    acknowledgement. With `by_thread` that is the mark of the same thread, which must not change on the way; and where
    the thread itself writes (if the trace has WRITE_CALLS) the sync must begin after the first of its writes, unless it
    is of mapped memory, which is written without calls.
    """
    commits = syncs = unsynced = 0
    newest = {"msync": -1, "": -1}
    """The lines on which the latest of the syncs that succeeded began: of mapped memory, and of files."""
    begun: dict[str, int] = {}
    written: dict[str, int] = {}
    unfinished: dict[str, int] = {}
    for number, line in enumerate(text.splitlines()):
        thread = line.partition(" ")[0]
        marked = _MARK.search(line)
        if marked:
            own = thread if by_thread else ""
            if own in begun and int(marked[1]) == ACKNOWLEDGED_FD:
                commits += 1
                unsynced += newest["msync"] < begun[own] and newest[""] < written.get(own, begun[own])
            begun[own] = number
            written.pop(own, None)
            continue
        if by_thread and _WRITE.search(line):
            written.setdefault(thread, number)
            continue
        found = _SYNC.search(line)
        if not found:
            continue
        if line.endswith(_UNFINISHED):
            unfinished[thread] = -1 if _ASYNCHRONOUS in line else number
        elif line.endswith("= 0") and _ASYNCHRONOUS not in line:
            began = number if found[1] == "(" else unfinished.pop(thread, -1)
            sort = "msync" if "msync" in line else ""
            newest[sort] = max(newest[sort], began)
            syncs += bool(begun)
    return Trace(commits, syncs, unsynced)


@cache
def strace_refusal() -> str:
    """Return why strace can't be used here, or nothing (containers can forbid it)."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    try:
        probe = ["strace", "-f", "-qq", "-o", "/dev/null", sys.executable, "-c", ""]
        done = subprocess.run(probe, capture_output=True, text=True, timeout=_PROBE_SECONDS_MAX, check=False)
    except subprocess.TimeoutExpired:
        return "strace hangs"
    return "" if done.returncode == 0 else f"strace may not trace here: {done.stderr.strip()[-_TAIL:]}"
