"""CreateIamPolicies: the creator owns the resource, and the resource hangs below its parents."""

from __future__ import annotations

from protos.ai.stigmer.commons.apiresource.enum_pb2 import organization, platform
from protos.kinds import AGENT_INSTANCE
from reference_server.authorization.model import PLATFORM, Ref
from reference_server.authorization.policies import Grants, grant, revoke_all
from reference_server.pipeline import State
from reference_server.unit_of_work import UnitOfWork


def create_iam_policies(state: State, work: UnitOfWork) -> State:
    """Stage the ownership, the link to the organization or platform, and an instance's link to its agent."""
    resource, grants = grants_of(state, work)
    grant(work, state.context.clock, state.actor, resource, grants)
    return state


def grants_of(state: State, work: UnitOfWork) -> tuple[Ref, Grants]:
    """Return the new resource and what is to be granted on it; stage the end of what was granted on its id before."""
    metadata = state.resource.metadata
    resource = Ref(state.operation.kind.name, metadata.id)
    if state.id_is_chosen:
        # Whatever was granted on this id before belongs to no resource, least of all to this new one.
        revoke_all(work, resource)
    grants = [(state.actor.ref, "owner")]
    if metadata.owner_scope == organization and metadata.org:
        grants.append((Ref("organization", metadata.org), "organization"))
    elif metadata.owner_scope == platform:
        grants.append((PLATFORM, "platform"))
    if state.operation.kind is AGENT_INSTANCE:
        grants.append((Ref("agent", state.resource.spec.agent_id), "agent"))
    return resource, grants
