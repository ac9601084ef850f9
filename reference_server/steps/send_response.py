"""SendResponse: the answer is the new state, or what was loaded."""

from __future__ import annotations

from reference_server.pipeline import State
from reference_server.unit_of_work import UnitOfWork, stored_message


def send_response(state: State, work: UnitOfWork) -> State:  # noqa: ARG001 - the signature of a step
    """Answer with the resource unless a step before has set the response. Raises CorruptRecord."""
    if state.response is not None:
        return state
    if state.resource is not None:
        return state.with_response(state.resource)
    if state.existing is None:
        return state.with_response(b"")
    stored_message(*state.existing[:2], state.existing.data)  # it goes out as it is stored: its caller must understand
    return state.with_response(state.existing.data)
