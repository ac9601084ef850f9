"""BuildUpdateState: what an update may change, over what it may not. Source: behaviour contract, UPD."""

from __future__ import annotations

from protos.conditions import change_mark
from reference_server.audit import updated
from reference_server.errors import Aborted
from reference_server.identity import message_of
from reference_server.pipeline import State
from reference_server.redaction import keep_masked_secrets
from reference_server.unit_of_work import UnitOfWork


def build_update_state(state: State, work: UnitOfWork) -> State:
    """The spec, name, labels, annotations and tags are the request's; id, slug, scope and status are the store's.

    Raises Aborted when the caller knows another state than the stored one, and asked for that to be noticed.
    """
    if state.existing is None:
        return state
    stored = message_of(state, state.existing)
    if state.unchanged_since not in {"", change_mark(stored.status.audit)}:
        raise Aborted(
            f"{state.operation.kind.name} {stored.metadata.id!r} was changed since you read it; read it again"
        )
    resource = state.request
    metadata, before = resource.metadata, stored.metadata
    metadata.id, metadata.slug = before.id, before.slug
    metadata.org, metadata.owner_scope = before.org, before.owner_scope
    metadata.name = metadata.name or before.name
    resource.ClearField("status")
    resource.status.CopyFrom(stored.status)
    updated(resource.status.audit, state.actor.id, work.instant.time())
    keep_masked_secrets(state.operation.kind, resource, stored)
    return state.with_resource(resource)
