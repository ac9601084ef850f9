"""MoveToAgent: an instance that an update gives to another agent hangs below that one. Source: ADR 0006."""

from __future__ import annotations

from protos.kinds import AGENT
from reference_server.authorization.model import Ref, RelationTuple
from reference_server.authorization.policies import ensure, revoke
from reference_server.identity import message_of
from reference_server.pipeline import State
from reference_server.steps.authorize import Demand, authorize_on
from reference_server.unit_of_work import UnitOfWork


def move_to_agent(state: State, work: UnitOfWork) -> State:
    """Stage that the instance hangs below its new agent, and no longer below the old one.

    Raises PermissionDenied without `can_create_instance` on the new agent, whether that exists or not.
    """
    if state.existing is None:
        return state
    before, after = message_of(state, state.existing).spec.agent_id, state.request.spec.agent_id
    if before == after:
        return state
    _authorize(state, work)
    instance = Ref(state.operation.kind.name, state.existing.id)
    revoke(work, RelationTuple(Ref(AGENT.name, before), AGENT.name, instance))
    ensure(work, state.context.clock, state.actor, RelationTuple(Ref(AGENT.name, after), AGENT.name, instance))
    return state


def _to_create_there(state: State, work: UnitOfWork) -> Demand:  # noqa: ARG001 - the signature of a target
    return "can_create_instance", Ref(AGENT.name, state.request.spec.agent_id)


_authorize = authorize_on(_to_create_there)
