"""Cold: the first reads of a database that was opened again and whose files the system has forgotten."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from random import Random

from benchmarks.database import KIND, Database
from benchmarks.workloads.workload import Measured, NotHere, Visit, Workload, WrongAnswer, timed_us
from stores.contract import Store

COLD_READS = 8
"""The first reads alone: each brings pages of the files back."""
METRIC = "cold_read"


def measure(database: Database, visit: Visit) -> Iterator[Measured]:
    """Read some agents; microseconds per read. Raises WrongAnswer, and NotHere where files stay in memory."""
    chosen = [database.agents[place] for place in chosen_places(visit, database.saved)]
    database.close()
    drop_pages(database.folder)
    before = read_from_disk(os.getpid())
    store = database.store  # what opening reads is warm from here on; some engines read all of a small database
    values = tuple(timed_us(partial(_get, store, one.metadata.id)) for one in chosen)
    yield cold(values, before, read_from_disk(os.getpid()))


def chosen_places(visit: Visit, saved: int) -> list[int]:
    """Return which of the saved agents are read: the same for all subjects."""
    return Random(visit.seed).sample(range(saved), min(COLD_READS, saved))  # noqa: S311 - repeatable keys


def cold(values: Sequence[float], before: int, after: int) -> Measured:
    """Return values of reads; `before` opening and `after` them so many bytes had come from disk. Raises NotHere."""
    if before == after:
        raise NotHere("the system keeps the files in memory, so that nothing here is cold")
    return Measured(METRIC, "us", tuple(values))


def _get(store: Store, id_: str) -> None:
    if store.get(KIND, id_) is None:
        raise WrongAnswer(f"get of {id_!r}, which is stored, found nothing")


def drop_pages(folder: Path) -> None:
    """Let the system forget what it holds of the files below a folder. Raises NotHere where it can't be asked to."""
    if not hasattr(os, "posix_fadvise"):
        raise NotHere("this system can't be asked to drop files from its memory")
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())  # what isn't written yet can't be dropped
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read_from_disk(process: int) -> int:
    """Return how many bytes a process has had read from disk. Raises NotHere where the system doesn't tell."""
    try:
        lines = Path(f"/proc/{process}/io").read_text(encoding="ascii").splitlines()
    except OSError:
        raise NotHere("this system doesn't tell what a process reads from disk") from None
    return int(dict(line.split(": ") for line in lines)["read_bytes"])


WORKLOAD = Workload("cold", "first reads of a database that isn't in memory", (METRIC,), measure)
