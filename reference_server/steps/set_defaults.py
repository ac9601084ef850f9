"""SetDefaults: what the server decides about a new resource: its id, an empty status, its audit."""

from __future__ import annotations

from reference_server.pipeline import State
from reference_server.unit_of_work import UnitOfWork


def set_defaults(state: State, work: UnitOfWork) -> State:
    """Drop the client's status, set the id (unless the client gave one) and the audit."""
    resource = state.resource
    if not resource.metadata.id:
        resource.metadata.id = f"{state.operation.kind.id_prefix}-{state.context.clock.new_ulid()}"
    resource.ClearField("status")
    resource.status.audit.CopyFrom(work.instant.audit_of_creation(state.actor.id))
    return state
