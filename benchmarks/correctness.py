"""No correctness, no number: sampled read-back that a database must pass before anything about it is kept."""

from __future__ import annotations

from random import Random

from benchmarks.database import KIND, Database
from benchmarks.workloads.workload import WrongAnswer
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent

SAMPLED = 16
FIRST = 24
"""Agents whose order is checked, from the first on."""


def check(database: Database, seed: str) -> None:
    """Read sampled agents back in every way that is measured. Raises WrongAnswer with what was wrong, StoreError."""
    random = Random(seed)  # noqa: S311 - repeatable sample
    agents, store = database.agents, database.store
    if (count := store.count(KIND)) != len(agents):
        raise WrongAnswer(f"count says {count}, {len(agents)} agents were stored")
    sample = {0, len(agents) - 1, *random.sample(range(len(agents)), min(SAMPLED, len(agents)))}
    for place in sorted(sample):
        _check_agent(database, agents[place])
    first = [Agent.FromString(record.data) for record in store.scan(KIND, limit=FIRST)]
    if first != list(agents[:FIRST]):
        raise WrongAnswer("a list from the first agent on is not what was stored, in the order of creation")
    org = agents[0].metadata.org
    of_org = [agent.metadata.id for agent in agents if agent.metadata.org == org][:FIRST]
    if [record.id for record in store.scan(KIND, index="org", key=(org,), limit=FIRST)] != of_org:
        raise WrongAnswer(f"the list of organization {org!r} is not what was stored, in the order of creation")


def _check_agent(database: Database, agent: Agent) -> None:
    store, id_ = database.store, agent.metadata.id
    if store.get(KIND, id_) != agent:
        raise WrongAnswer(f"get of {id_!r} is not what was stored")
    data = store.get_bytes(KIND, id_)
    if data is None or Agent.FromString(data) != agent:
        raise WrongAnswer(f"get_bytes of {id_!r} is not what was stored")
    if store.find(KIND, "slug", (agent.metadata.slug,)) != id_:
        raise WrongAnswer(f"slug {agent.metadata.slug!r} does not lead to {id_!r}")
