"""CheckDuplicate: the slug key and the id are free.

The store enforces both again inside the commit, so concurrent creates can't both pass; this step is what gives the
answer its place in the order of steps. No step after it refuses a create for anything else, so over a network a slug is
looked up only once the commit has refused it.
"""

from __future__ import annotations

from reference_server.errors import AlreadyExists
from reference_server.identity import holder_of_slug, record_by_slug_key, slug_key_text
from reference_server.pipeline import State
from reference_server.unit_of_work import UnitOfWork


def check_duplicate(state: State, work: UnitOfWork) -> State:
    """Raises AlreadyExists when the slug key or a client-sent id is taken."""
    kind = state.operation.kind.name
    metadata = state.resource.metadata
    if work.optimistic and not metadata.id:
        return state
    holder = holder_of_slug(state, work, metadata, metadata.slug)
    if holder is not None:
        record_by_slug_key(state, work)  # a holder that is gone is damage, not a duplicate
        raise AlreadyExists(kind, slug_key_text(state.resource), holder, "slug")
    if not metadata.id:
        return state
    if work.exists(kind, metadata.id):
        raise AlreadyExists(kind, metadata.id, metadata.id, "id")
    return state._replace(id_is_chosen=True)
