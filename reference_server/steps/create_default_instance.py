"""CreateDefaultInstance: every agent gets an instance, made by the instance's own create pipeline."""

from __future__ import annotations

from protos.ai.stigmer.agentic.agentinstance.v1.api_pb2 import AgentInstance
from protos.ai.stigmer.commons.apiresource.enum_pb2 import organization
from reference_server.authorization.model import SYSTEM
from reference_server.pipeline import State, run_steps
from reference_server.unit_of_work import UnitOfWork

_ALIKE = AgentInstance(
    api_version="agentic.stigmer.ai/v1",
    kind="AgentInstance",
    spec={"description": "Default instance (auto-created, no custom configuration)"},
).SerializeToString()
"""What all default instances have in common; parsing it is the quickest way to a new one."""


def default_instance_state(state: State) -> State:
    """Return the state with which the pipeline of the default instance begins.

    The instance's slug follows the agent's slug, not its name: two agents may share a name, and a name may have
    nothing to make a slug of.
    """
    agent = state.resource.metadata
    instance = AgentInstance.FromString(_ALIKE)
    instance.metadata.name = f"{agent.name}-default"
    instance.metadata.slug = f"{agent.slug}-default"
    instance.metadata.owner_scope = agent.owner_scope
    if agent.owner_scope == organization:
        instance.metadata.org = agent.org
    instance.spec.agent_id = agent.id
    operation = state.context.operations["agent-instance-create"]
    return State(state.context, operation, instance, SYSTEM)


def create_default_instance(state: State, work: UnitOfWork) -> State:
    """Run `agent-instance-create` as the system, inside this request's unit of work."""
    run_steps(default_instance_state(state), work)
    return state
