"""TransformResponse: the caller doesn't get what it may not see."""

from __future__ import annotations

from reference_server.identity import message_of
from reference_server.pipeline import State
from reference_server.redaction import may_hold_secrets, redacted
from reference_server.unit_of_work import UnitOfWork


def transform_response(state: State, work: UnitOfWork) -> State:  # noqa: ARG001 - the signature of a step
    """Set the response to the redacted resource where there is something to hide; else nothing is to be changed."""
    kind = state.operation.kind
    if state.resource is not None:
        public = redacted(kind, state.resource)
        return state if public is state.resource else state.with_response(public)
    if state.existing is None or not may_hold_secrets(state.existing.data):
        return state
    stored = message_of(state, state.existing)
    public = redacted(kind, stored)
    return state if public is stored else state.with_response(public)
