"""UpdateAgentStatusWithDefaultInstance: the agent's status names its default instance."""

from __future__ import annotations

from protos.kinds import AGENT, AGENT_INSTANCE
from reference_server.pipeline import State
from reference_server.unit_of_work import UnitOfWork


def update_agent_status_with_default_instance(state: State, work: UnitOfWork) -> State:
    """Write `status.default_instance_id` and stage the agent again. The instance is found as anybody finds it."""
    agent = state.resource
    instance_id = work.find(AGENT_INSTANCE.name, "agent", (agent.metadata.id,))
    if instance_id is not None:
        agent.status.default_instance_id = instance_id
        work.create(AGENT.name, agent.metadata.id, agent)
    return state
