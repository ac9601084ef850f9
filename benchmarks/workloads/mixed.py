"""Mixed: nine reads and an overwrite, by one thread and by several at once; and the first reads of a cold database."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from random import Random

from benchmarks.database import KIND, Database
from benchmarks.workloads.workload import Measured, Visit, Workload, WrongAnswer, quiet, timed_us
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from stores.contract import Put, Store

READ_SHARE = 0.9
THREADS = (1, 4, 32)
COLD_READS = 8


def measure(database: Database, visit: Visit) -> Iterator[Measured]:
    """Call at random from so many threads; microseconds of the whole over its calls. Raises WrongAnswer."""
    agents = database.agents[: database.saved]
    for threads in THREADS:
        each = max(1, visit.sizes.reads // threads)
        seeds = [f"{visit.seed}/{threads}/{place}" for place in range(threads)]
        with quiet(), ThreadPoolExecutor(threads) as pool:
            began = time.perf_counter_ns()
            list(pool.map(partial(_calls, database.store, agents, each), seeds))
            taken = (time.perf_counter_ns() - began) / 1_000
        yield Measured(f"mixed_{threads}", "us", (taken / (each * threads),))


def _calls(store: Store, agents: Sequence[Agent], count: int, seed: str) -> None:
    random = Random(seed)  # noqa: S311 - repeatable keys
    for _ in range(count):
        agent = random.choice(agents)
        if random.random() < READ_SHARE:
            if store.get(KIND, agent.metadata.id) is None:
                raise WrongAnswer(f"get of {agent.metadata.id!r}, which is stored, found nothing")
        else:
            store.commit([Put(KIND, agent.metadata.id, agent)])


def measure_cold(database: Database, visit: Visit) -> Iterator[Measured]:
    """Read some agents of files that the system has forgotten; microseconds per read. Raises WrongAnswer."""
    random = Random(visit.seed)  # noqa: S311 - repeatable keys
    chosen = random.sample(database.agents[: database.saved], min(COLD_READS, database.saved))
    database.close()
    drop_pages(database.folder)
    before = _read_from_disk()
    store = database.store
    values = tuple(timed_us(partial(_get, store, one.metadata.id)) for one in chosen)
    if _read_from_disk() == before:
        raise WrongAnswer("the system keeps the files in memory, so that nothing here is cold")
    yield Measured("cold_read", "us", values)


def _get(store: Store, id_: str) -> None:
    if store.get(KIND, id_) is None:
        raise WrongAnswer(f"get of {id_!r}, which is stored, found nothing")


def drop_pages(folder: Path) -> None:
    """Let the system forget what it holds of the files below a folder. Raises WrongAnswer where it can't."""
    if not hasattr(os, "posix_fadvise"):
        raise WrongAnswer("this system can't be asked to drop files from its memory")
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())  # what isn't written yet can't be dropped
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _read_from_disk() -> int:
    """Return how many bytes this process has had read from disk; -1 where the system doesn't tell."""
    counters = Path("/proc/self/io")
    if not counters.exists():
        return -1
    rows = dict(line.split(": ") for line in counters.read_text(encoding="ascii").splitlines())
    return int(rows["read_bytes"])


WORKLOAD = Workload(
    "mixed", "nine reads and an overwrite, by threads", tuple(f"mixed_{threads}" for threads in THREADS), measure
)
COLD = Workload("cold", "first reads of a database that isn't in memory", ("cold_read",), measure_cold)
