"""Publish: puts an event into the outbox, in the same commit as the change. The relay sends it afterwards."""

from __future__ import annotations

from google.protobuf.message import Message

from reference_server.call import State
from reference_server.events.outbox import stage_event
from reference_server.pipeline import StepFunction
from reference_server.redaction import redacted
from reference_server.unit_of_work import UnitOfWork


def publish(event: str) -> StepFunction:
    """Make the step that announces `created`, `updated` or `deleted`."""

    def publish_event(state: State, work: UnitOfWork) -> State:
        """Stage the event, with the resource as callers see it."""
        kind = state.operation.kind
        public: Message = redacted(kind, state.resource)
        data = work.wire(public) if public is state.resource else public.SerializeToString()
        stage_event(state, work, kind, state.resource.metadata.id, event, data)
        return state

    return publish_event
