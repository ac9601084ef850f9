"""LoadExisting and its kin: find the stored resource that a request is about."""

from __future__ import annotations

from reference_server.errors import FieldViolation, InvalidArgument, NotFound
from reference_server.identity import record_by_slug_key
from reference_server.pipeline import State
from reference_server.unit_of_work import UnitOfWork


def load_existing(state: State, work: UnitOfWork) -> State:
    """For an update: by id, else by slug. Raises NotFound; InvalidArgument when the request gives neither."""
    metadata = state.request.metadata
    kind = state.operation.kind.name
    if not metadata.id and not metadata.slug:
        raise InvalidArgument(
            [FieldViolation("metadata", f"names no {kind}; send metadata.id, metadata.slug or metadata.name")]
        )
    record = work.record(kind, metadata.id) if metadata.id else record_by_slug_key(state, work)
    if record is None:
        raise NotFound(kind, metadata.id or metadata.slug)
    return state._replace(existing=record)


def load_for_apply(state: State, work: UnitOfWork) -> State:
    """For an apply: by id, else by slug; nothing found is no error but a create."""
    wanted = state.request.metadata.id
    existing = work.record(state.operation.kind.name, wanted) if wanted else record_by_slug_key(state, work)
    return state._replace(existing=existing)
