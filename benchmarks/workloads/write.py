"""Write: agents are created one by one, each in a commit of its own (encode, index rows, engine, durability)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks.database import Database
from benchmarks.workloads.workload import Measured, Visit, Workload, quiet, timed_us


def measure(database: Database, visit: Visit) -> Iterator[Measured]:
    """Save this round's share of the agents; microseconds per agent."""
    share = visit.sizes.writes // visit.sizes.visits
    agents = database.agents[database.saved : database.saved + share]
    database.store  # noqa: B018 - opens it: opening isn't writing
    with quiet():
        values = tuple(timed_us(partial(database.save, agent)) for agent in agents)
    yield Measured("write", "us", values)


WORKLOAD = Workload("write", "create agents one by one", ("write",), measure, fills=True)
