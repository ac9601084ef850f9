"""Memory: the most that a fresh process holds while it opens the database and reads every agent once, one at a time."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.children.run import run_child
from benchmarks.database import Database
from benchmarks.workloads.workload import Measured, Visit, Workload, WrongAnswer

METRICS = ("memory_peak", "memory_over_imports")


def measure(database: Database, visit: Visit) -> Iterator[Measured]:
    """Read all once in a fresh process; KiB of resident memory. Raises WrongAnswer when one is missing."""
    twin = database.copy(f"memory-{visit.round}")
    try:
        told = run_child("memory", twin.url)
    finally:
        twin.remove()
    if int(told["agents"]) != len(database.agents):
        raise WrongAnswer(f"a fresh process found {told['agents']} agents where {len(database.agents)} are stored")
    peak, imported = float(told["peak_kib"]), float(told["imported_kib"])
    yield Measured("memory_peak", "KiB", (peak,))
    # A store can't take less than nothing; a page of difference is the kernel's counting.
    yield Measured("memory_over_imports", "KiB", (max(peak - imported, 4.0),))


WORKLOAD = Workload("memory", "peak memory of a fresh process", METRICS, measure, fresh=True)
