"""The outbox: events are resources, written in the commit of the change that they announce.

Their position in the store is the position of the event channel, so the order of events is the order of commits.
"""

from __future__ import annotations

from functools import cache

from protos.parity.v1.event_pb2 import CloudEvent
from reference_server.call import State
from reference_server.kinds import KINDS, ResourceKind
from reference_server.unit_of_work import UnitOfWork

KIND = "event"
SOURCE = "/parity/reference-server"


def stage_event(state: State, work: UnitOfWork, kind: ResourceKind, subject: str, event: str, data: bytes) -> None:
    """Stage a CloudEvent 1.0 about a resource; `data` are the wire bytes of the resource as callers see it."""
    message = CloudEvent.FromString(_alike(kind.name, event))
    message.id = event_id = state.rules.clock.new_ulid()
    message.subject = subject
    message.time.CopyFrom(work.moment.instant(state.rules.clock.now))
    message.data.value = data
    work.create(KIND, event_id, message)


@cache
def _alike(kind_name: str, event: str) -> bytes:
    """Return what all events of a sort have in common, as bytes: parsing them is the quickest way to a new message."""
    kind = KINDS[kind_name]
    message = CloudEvent(
        source=SOURCE,
        spec_version="1.0",
        type=f"{kind.event_prefix}.{event}",
        data_content_type="application/protobuf",
    )
    message.data.type_url = f"type.googleapis.com/{kind.message_type.DESCRIPTOR.full_name}"
    return message.SerializeToString()
