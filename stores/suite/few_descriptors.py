"""A process that may open no more files: each engine takes a write or refuses it, loses nothing, and goes on later.

`exhaust` runs this module in a process of its own, which takes its own limit down to what it has open.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from stores.contract import StoreError
from stores.registry import open_store
from stores.suite.full_disk import TIMEOUT_SECONDS, id_of, lost_of, named, recovery_of, refusal_of

WRITES = 4000
"""Of 20 KB each: more than a memory table of any engine, so that it needs another file."""
RECOVERY_SECONDS_MAX = 30


@dataclass(frozen=True, slots=True)
class Exhausted:
    """What came of it. `refused_with` is empty where an engine needed no other file."""

    acknowledged: int
    refused_with: str
    other_opened_with: str
    """What opening another database said meanwhile."""
    not_recovered_with: str
    recovered_with: str
    """Once files could be opened again; empty: the store took a write."""
    lost: list[str]
    """Acknowledged batches that weren't there after it had recovered, or was opened again."""
    count: int


def exhaust(engine: str, folder: Path) -> Exhausted:
    """Use an engine in a process without file descriptors. Raises RuntimeError with its words if it died."""
    command = [sys.executable, "-m", "stores.suite.few_descriptors", engine, str(folder)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
    if done.returncode != 0:
        raise RuntimeError(f"exit code {done.returncode}: {done.stderr[-2000:]}")
    return Exhausted(**json.loads(done.stdout.splitlines()[-1]))


def main(engine: str, folder: Path) -> Exhausted:
    """Write until a write is refused, allow files again, recover, look; open the database again, look."""
    url = f"{engine}:{folder / 'db'}?codec=protobuf&durability=relaxed"
    open_store(f"{engine}:{folder / 'other'}", create=True).close()  # imports all that it takes
    store = open_store(url, create=True)
    with _no_descriptor_left():
        other = _opened(f"{engine}:{folder / 'other'}")
        number, first = 0, ""
        while number < WRITES and not (first := named(refusal_of(store, id_of(number)))):
            number += 1
        full = recovery_of(store) if first else ""
    deadline = time.monotonic() + RECOVERY_SECONDS_MAX
    while (again := recovery_of(store)) and time.monotonic() < deadline:
        time.sleep(0.2)
    again = again or named(refusal_of(store, "recovered"))
    gone = lost_of(store, number)
    store.close()
    with open_store(url) as reopened:
        return Exhausted(number, first, other, full, again, gone + lost_of(reopened, number), reopened.count("agent"))


def _opened(url: str) -> str:
    try:
        open_store(url).close()
    except StoreError as error:
        return f"{named(error)} ({error.hint})"
    return ""


@contextmanager
def _no_descriptor_left() -> Iterator[None]:
    usual = resource.getrlimit(resource.RLIMIT_NOFILE)
    last = max(map(int, os.listdir("/proc/self/fd")))  # noqa: PTH208 - names only
    resource.setrlimit(resource.RLIMIT_NOFILE, (last + 1, usual[1]))
    holes: list[int] = []
    with suppress(OSError):
        while True:
            holes.append(os.open(os.devnull, os.O_RDONLY))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, usual)
        for each in holes:
            os.close(each)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(main(sys.argv[1], Path(sys.argv[2])))) + "\n")
