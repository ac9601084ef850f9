"""LoadTarget and LoadExistingForDelete: the stored resource with the requested id."""

from __future__ import annotations

from reference_server.errors import NotFound
from reference_server.identity import message_of
from reference_server.pipeline import State
from reference_server.steps.extract_resource_id import resource_id_of
from reference_server.unit_of_work import UnitOfWork


def load_target(state: State, work: UnitOfWork) -> State:
    """Load by id. Raises NotFound."""
    kind = state.operation.kind.name
    wanted = resource_id_of(state.request)
    record = work.record(kind, wanted)
    if record is None:
        raise NotFound(kind, wanted)
    return state._replace(existing=record)


def load_existing_for_delete(state: State, work: UnitOfWork) -> State:
    """Load what is to be deleted, as the answer and the event show it. Raises NotFound."""
    state = load_target(state, work)
    if state.existing is None:
        return state
    return state.with_resource(message_of(state, state.existing))
