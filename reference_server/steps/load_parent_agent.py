"""LoadParentAgent: an instance belongs to an agent that exists."""

from __future__ import annotations

from protos.kinds import AGENT
from reference_server.errors import NotFound
from reference_server.pipeline import State
from reference_server.unit_of_work import UnitOfWork


def load_parent_agent(state: State, work: UnitOfWork) -> State:
    """Raises NotFound when the agent isn't there; the commit fails when it goes meanwhile."""
    agent_id = state.request.spec.agent_id
    if not work.exists(AGENT.name, agent_id):
        raise NotFound(AGENT.name, agent_id)
    work.require_present(AGENT.name, agent_id)
    return state
