"""DeleteResource: the resource goes, and with it what can't be without it."""

from __future__ import annotations

from protos.kinds import AGENT, AGENT_INSTANCE
from reference_server.authorization.model import Ref
from reference_server.authorization.policies import revoke_all
from reference_server.events.outbox import stage_event
from reference_server.pipeline import State
from reference_server.profile import Profile
from reference_server.unit_of_work import UnitOfWork


def delete_resource(state: State, work: UnitOfWork) -> State:
    """Stage the removal of the resource, of an agent's instances, and of the policies of all of them.

    The commit fails, and the request is done over, when an instance comes to an agent meanwhile.
    """
    kind, resource = state.operation.kind, state.resource
    if state.existing is None:
        return state
    if kind is AGENT:
        key = (resource.metadata.id,)
        for instance in list(work.scan(AGENT_INSTANCE.name, "agent", key)):
            work.delete(AGENT_INSTANCE.name, instance.id)
            _forget(state, work, AGENT_INSTANCE.name, instance.id)
            if state.context.profile is Profile.CLOUD:
                stage_event(work, state.context.clock, AGENT_INSTANCE, instance.id, "deleted", instance.data)
        work.require_vacant(AGENT_INSTANCE.name, "agent", key)
    work.delete(kind.name, resource.metadata.id, state.existing.revision)
    _forget(state, work, kind.name, resource.metadata.id)
    return state


def _forget(state: State, work: UnitOfWork, kind: str, resource_id: str) -> None:
    if state.context.profile is Profile.CLOUD:
        revoke_all(work, Ref(kind, resource_id))
