"""Publish: puts an event into the outbox, in the same commit as the change. The relay sends it afterwards."""

from __future__ import annotations

from functools import partial

from reference_server.events.outbox import stage_event
from reference_server.pipeline import State
from reference_server.redaction import redacted
from reference_server.unit_of_work import UnitOfWork


def publish(event: str, state: State, work: UnitOfWork) -> State:
    """Announce that the resource was `created`, `updated` or `deleted`, with the resource as callers see it."""
    kind, data = state.operation.kind, public_bytes(state, work)
    stage_event(work, state.context.clock, kind, state.resource.metadata.id, event, data)
    return state


def public_bytes(state: State, work: UnitOfWork) -> bytes:
    """Return the wire bytes of the resource as callers see it."""
    return work.wire(redacted(state.operation.kind, state.resource))


STEPS = {event: partial(publish, event) for event in ("created", "updated", "deleted")}
"""The step's function for each event."""
