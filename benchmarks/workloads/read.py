"""Read: random agents by id, and by slug, decoded to messages. All of them fit in the caches of every engine."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from random import Random

from benchmarks.database import KIND, Database
from benchmarks.workloads.workload import Measured, Visit, Workload, WrongAnswer, quiet, timed_us
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from stores.contract import Store


def measure(database: Database, visit: Visit) -> Iterator[Measured]:
    """Read random agents; microseconds per agent. Raises WrongAnswer."""
    random = Random(visit.seed)  # noqa: S311 - repeatable keys
    chosen = random.choices(database.agents[: database.saved], k=visit.sizes.reads)
    store = database.store
    if visit.round == 0:
        for agent in database.agents[: database.saved]:
            store.get(KIND, agent.metadata.id)  # Warm for every engine alike: cold and warm mixed would be neither.
    with quiet():
        yield Measured("read", "us", tuple(timed_us(partial(_by_id, store, agent.metadata.id)) for agent in chosen))
        yield Measured("read_by_slug", "us", tuple(timed_us(partial(_by_slug, store, agent)) for agent in chosen))


def _by_id(store: Store, id_: str) -> None:
    if store.get(KIND, id_) is None:
        raise WrongAnswer(f"get of {id_!r}, which is stored, found nothing")


def _by_slug(store: Store, agent: Agent) -> None:
    id_ = store.find(KIND, "slug", (agent.metadata.slug,))
    if id_ is None or store.get(KIND, id_) is None:
        raise WrongAnswer(f"slug {agent.metadata.slug!r}, which is stored, was not found")


WORKLOAD = Workload("read", "read random agents by id and by slug", ("read", "read_by_slug"), measure)
