"""Size: allocated blocks per agent, at three moments: after load, after every agent was overwritten, after compaction.

At each the store was closed in good order, so write-ahead logs are as small as the engine leaves them.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.database import FILL_AT_ONCE, KIND, Database
from benchmarks.workloads.workload import Measured, Visit, Workload
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from stores.contract import Put

METRICS = ("size_loaded", "size_overwritten", "size_compacted")
UNIT = "bytes/agent"


def measure(database: Database, visit: Visit) -> Iterator[Measured]:
    """Overwrite and compact a copy of the database; bytes per agent."""
    twin = database.copy(f"size-{visit.round}")
    try:
        agents = len(database.agents)
        yield Measured("size_loaded", UNIT, (twin.allocated_bytes() / agents,))
        _overwrite(twin)
        yield Measured("size_overwritten", UNIT, (twin.allocated_bytes() / agents,))
        twin.store.compact()
        yield Measured("size_compacted", UNIT, (twin.allocated_bytes() / agents,))
    finally:
        twin.remove()


def _overwrite(database: Database) -> None:
    for start in range(0, len(database.agents), FILL_AT_ONCE):
        batch = database.agents[start : start + FILL_AT_ONCE]
        database.store.commit(
            [Put(KIND, agent.metadata.id, _changed(agent), precondition="present") for agent in batch]
        )


def _changed(agent: Agent) -> Agent:
    changed = Agent()
    changed.CopyFrom(agent)
    changed.spec.description += " (revised)"
    return changed


WORKLOAD = Workload("size", "space on disk", METRICS, measure, fresh=True)
