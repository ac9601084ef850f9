"""The outbox: events are resources, written in the commit of the change that they announce.

Their position in the store is the position of the event channel, so the order of events is the order of commits.
"""

from __future__ import annotations

from protos.kinds import ResourceKind
from protos.parity.v1.event_pb2 import CloudEvent
from reference_server.clock import Clock
from reference_server.unit_of_work import UnitOfWork

KIND = "event"
SOURCE = "/parity/reference-server"
CONTENT_TYPE = "application/protobuf"


def type_url(kind: ResourceKind) -> str:
    """Return the type of an event's data, in the form of `google.protobuf.Any`."""
    return f"type.googleapis.com/{kind.message_type.DESCRIPTOR.full_name}"


def stage_event(work: UnitOfWork, clock: Clock, kind: ResourceKind, subject: str, event: str, data: bytes) -> None:
    """Stage a CloudEvent 1.0 about a resource; `data` are the wire bytes of the resource as callers see it."""
    announced = CloudEvent(
        id=clock.new_ulid(),
        source=SOURCE,
        spec_version="1.0",
        type=f"{kind.package}.{event}",
        subject=subject,
        data_content_type=CONTENT_TYPE,
        time=work.instant.time(),
    )
    announced.data.type_url, announced.data.value = type_url(kind), data
    work.create(KIND, announced.id, announced)
