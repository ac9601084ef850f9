"""List: the first agents of all, and those of one organization, decoded to messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from random import Random

from benchmarks.database import KIND, Database
from benchmarks.workloads.workload import Measured, Visit, Workload, WrongAnswer, quiet, timed_us
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from stores.contract import Record

LISTS_PER_VISIT = 3
"""A single list is at the mercy of one interruption; the middle of three isn't."""


def measure(database: Database, visit: Visit) -> Iterator[Measured]:
    """List some times of each kind; microseconds per agent that was listed. Raises WrongAnswer."""
    store = database.store
    limit = min(visit.sizes.listed, database.saved)
    orgs = Counter(agent.metadata.org for agent in database.agents[: database.saved])
    org = Random(visit.seed).choice(sorted(orgs))  # noqa: S311 - repeatable choice
    of_org = min(orgs[org], limit)
    by_org = partial(store.scan, KIND, index="org", key=(org,), limit=of_org)
    with quiet():
        yield Measured("list", "us", _repeated(partial(store.scan, KIND, limit=limit), limit))
        yield Measured("list_by_org", "us", _repeated(by_org, of_org))


def _repeated(scan: Callable[[], Iterator[Record]], expected: int) -> tuple[float, ...]:
    return tuple(_per_agent(scan, expected) for _ in range(LISTS_PER_VISIT))


def _per_agent(scan: Callable[[], Iterator[Record]], expected: int) -> float:
    found: list[Agent] = []
    taken = timed_us(lambda: found.extend(Agent.FromString(record.data) for record in scan()))
    if len(found) != expected:
        raise WrongAnswer(f"a list gave {len(found)} agents where {expected} are stored")
    return taken / expected


WORKLOAD = Workload("list", "list agents, all and of one organization", ("list", "list_by_org"), measure)
