"""The outbox: events are resources, written in the commit of the change that they announce.

Their position in the store is the position of the event channel, so the order of events is the order of commits.
"""

from __future__ import annotations

from functools import cache

from google.protobuf.any_pb2 import Any

from protos.parity.v1.event_pb2 import CloudEvent
from reference_server.call import State
from reference_server.kinds import KINDS, ResourceKind
from reference_server.unit_of_work import UnitOfWork
from reference_server.wire_template import WireTemplate, begin

KIND = "event"
SOURCE = "/parity/reference-server"
_CONTENT_TYPE = CloudEvent(data_content_type="application/protobuf").SerializeToString()
_DATA = CloudEvent.DATA_FIELD_NUMBER
_VALUE = Any.VALUE_FIELD_NUMBER


def stage_event(state: State, work: UnitOfWork, kind: ResourceKind, subject: str, event: str, data: bytes) -> None:
    """Stage a CloudEvent 1.0 about a resource; `data` are the wire bytes of the resource as callers see it."""
    id_ = state.rules.clock.new_ulid()
    template, type_url = _alike(kind.name, event)
    time = work.moment.parts.get(KIND)
    if time is None:
        instant = work.moment.instant(state.rules.clock.now)
        time = work.moment.parts[KIND] = CloudEvent(time=instant).SerializeToString()
    front, value = template.fill(id_.encode(), subject.encode()), begin(_VALUE, len(data))
    content = begin(_DATA, len(type_url) + len(value) + len(data))
    work.create_bytes(KIND, id_, b"".join((front, time, _CONTENT_TYPE, content, type_url, value, data)), ())


@cache
def _alike(kind_name: str, event: str) -> tuple[WireTemplate, bytes]:
    """Return what all events of a sort have in common: the fields before the time, and the type of the content."""
    kind = KINDS[kind_name]
    front = CloudEvent(source=SOURCE, spec_version="1.0", type=f"{kind.event_prefix}.{event}")
    content = Any(type_url=f"type.googleapis.com/{kind.message_type.DESCRIPTOR.full_name}")
    return WireTemplate(front, "id", "subject"), content.SerializeToString()
