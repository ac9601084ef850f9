"""Persist: the new state of the resource goes into the unit of work."""

from __future__ import annotations

from reference_server.pipeline import State
from reference_server.profile import Profile
from reference_server.unit_of_work import UnitOfWork


def persist(state: State, work: UnitOfWork) -> State:
    """Stage the resource: as new, or over exactly the revision that was loaded."""
    kind, resource = state.operation.kind.name, state.resource
    if state.existing is None:
        work.create(kind, resource.metadata.id, resource)
        if state.context.profile is Profile.OSS:
            # The store's own unique index is the cloud's (scope and slug); here the slug alone must be free.
            work.require_vacant(kind, "slug", (resource.metadata.slug,), unless=resource.metadata.id)
    else:
        work.replace(kind, resource.metadata.id, resource, state.existing.revision)
    return state
