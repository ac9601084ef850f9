"""An apply over an agent that lacks its default instance makes it in the update. Source: behaviour contract, APL."""

from __future__ import annotations

from dataclasses import replace

from protos.ai.stigmer.agentic.agentinstance.v1.api_pb2 import AgentInstance
from protos.kinds import AGENT, AGENT_INSTANCE
from reference_server.identity import message_of, record_by_slug_key
from reference_server.pipeline import Operation, State, Step, run_steps
from reference_server.steps.create_default_instance import default_instance_state
from reference_server.unit_of_work import UnitOfWork


def lacks_default_instance(state: State, work: UnitOfWork) -> bool:
    """Say whether what was loaded is an agent whose default instance isn't there: deleted, or never made."""
    if state.existing is None or state.operation.kind is not AGENT:
        return False
    named = message_of(state, state.existing).status.default_instance_id
    return not named or work.record(AGENT_INSTANCE.name, named) is None


def healing(update: Operation) -> Operation:
    """Return an update that makes the default instance before it stores the agent."""
    heal = Step("CreateDefaultInstance", _heal_default_instance)
    place = [step.name for step in update.steps].index("Persist")
    return replace(update, steps=(*update.steps[:place], heal, *update.steps[place:]))


def _heal_default_instance(state: State, work: UnitOfWork) -> State:
    """Make the default instance, or take the agent's own that has its slug: then only the status didn't name it."""
    new = default_instance_state(state)
    record = record_by_slug_key(new, work)
    found = AgentInstance.FromString(record.data) if record is not None else None
    if found is None or found.spec.agent_id != state.resource.metadata.id:
        found = run_steps(new, work).resource
    state.resource.status.default_instance_id = found.metadata.id
    return state
