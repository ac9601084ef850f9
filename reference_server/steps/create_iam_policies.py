"""CreateIamPolicies: the creator owns the resource, and the resource hangs below its parents."""

from __future__ import annotations

from protos.ai.stigmer.commons.apiresource.enum_pb2 import organization, platform
from reference_server.authorization.model import PLATFORM, Ref, Statement
from reference_server.authorization.policies import grant, revoke_all
from reference_server.call import State
from reference_server.kinds import AGENT_INSTANCE
from reference_server.unit_of_work import UnitOfWork


def create_iam_policies(state: State, work: UnitOfWork) -> State:
    """Stage the ownership, the link to the organization or platform, and an instance's link to its agent."""
    metadata = state.resource.metadata
    resource = Ref(state.operation.kind.name, metadata.id)
    if state.id_is_chosen:
        # Whatever was granted on this id before belongs to no resource, least of all to this new one.
        revoke_all(work, resource)
    grant(state, work, Statement(state.actor.ref, "owner", resource))
    if metadata.owner_scope == organization and metadata.org:
        grant(state, work, Statement(Ref("organization", metadata.org), "organization", resource))
    elif metadata.owner_scope == platform:
        grant(state, work, Statement(PLATFORM, "platform", resource))
    if state.operation.kind is AGENT_INSTANCE:
        grant(state, work, Statement(Ref("agent", state.resource.spec.agent_id), "agent", resource))
    return state
