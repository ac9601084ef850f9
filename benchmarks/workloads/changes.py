"""Change: agents are overwritten, deleted, and created in batches; the database is as before afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from random import Random

from benchmarks.database import KIND, Database
from benchmarks.workloads.workload import Measured, Visit, Workload, WrongAnswer, quiet, timed_us
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from stores.contract import Delete, Put

BATCH = 20
"""Agents in one commit."""


def measure(database: Database, visit: Visit) -> Iterator[Measured]:
    """Change random agents one by one, then a batch; microseconds per agent. Raises WrongAnswer."""
    random = Random(visit.seed)  # noqa: S311 - repeatable keys
    count = min(visit.sizes.reads, database.saved)
    chosen = random.sample(database.agents[: database.saved], count)
    store = database.store
    with quiet():
        put = [partial(store.commit, [Put(KIND, one.metadata.id, one, precondition="present")]) for one in chosen]
        yield Measured("overwrite", "us", tuple(timed_us(each) for each in put))
        gone = [partial(store.commit, [Delete(KIND, one.metadata.id, precondition="present")]) for one in chosen]
        yield Measured("delete", "us", tuple(timed_us(each) for each in gone))
    if any(store.get(KIND, one.metadata.id) is not None for one in chosen):
        raise WrongAnswer("an agent is there after it was deleted")
    batches = [chosen[place : place + BATCH] for place in range(0, count, BATCH)]
    with quiet():
        yield Measured(
            "batch", "us", tuple(timed_us(partial(_create, database, batch)) / len(batch) for batch in batches)
        )


def _create(database: Database, batch: list[Agent]) -> None:
    database.store.commit([Put(KIND, one.metadata.id, one, precondition="absent") for one in batch])


WORKLOAD = Workload(
    "changes", "overwrite and delete agents, create them in batches", ("overwrite", "delete", "batch"), measure
)
