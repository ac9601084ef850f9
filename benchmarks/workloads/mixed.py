"""Mixed: nine reads and an overwrite, by one thread and by several at once."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from random import Random

from benchmarks.database import KIND, Database
from benchmarks.workloads.workload import Measured, Visit, Workload, WrongAnswer, quiet
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from stores.contract import Put, Store

READ_SHARE = 0.9
THREADS = (1, 4, 32)


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


WORKLOAD = Workload(
    "mixed", "nine reads and an overwrite, by threads", tuple(f"mixed_{threads}" for threads in THREADS), measure
)
