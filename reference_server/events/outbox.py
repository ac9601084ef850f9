"""The outbox: events are resources, written in the commit of the change that they announce.

Their position in the store is the position of the event channel, so the order of events is the order of commits.
"""

from __future__ import annotations

from protos.parity.v1.event_pb2 import CloudEvent
from reference_server.call import State
from reference_server.kinds import ResourceKind
from reference_server.unit_of_work import UnitOfWork

KIND = "event"
SOURCE = "/parity/reference-server"


def stage_event(state: State, work: UnitOfWork, kind: ResourceKind, subject: str, event: str, data: bytes) -> None:
    """Stage a CloudEvent 1.0 about a resource; `data` are the wire bytes of the resource as callers see it."""
    message = CloudEvent(
        id=state.rules.clock.new_ulid(),
        source=SOURCE,
        spec_version="1.0",
        type=f"{kind.event_prefix}.{event}",
        subject=subject,
        time=state.rules.clock.now(),
        data_content_type="application/protobuf",
    )
    message.data.type_url = f"type.googleapis.com/{kind.message_type.DESCRIPTOR.full_name}"
    message.data.value = data
    work.create(KIND, message.id, message)
