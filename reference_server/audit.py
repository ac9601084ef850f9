"""The audit of a resource: who made and changed it, and when. Source: behaviour contract, step 5 and UPD."""

from __future__ import annotations

from collections.abc import Hashable

from google.protobuf.timestamp_pb2 import Timestamp

from protos.ai.stigmer.commons.apiresource.status_pb2 import ApiResourceAudit
from reference_server.clock import Clock


def created(actor_id: str, now: Timestamp) -> ApiResourceAudit:
    """Return the audit of a new resource: both halves created and updated by the actor, now."""
    audit = ApiResourceAudit()
    spec = audit.spec_audit
    spec.created_by.id = spec.updated_by.id = actor_id
    spec.created_at.CopyFrom(now)
    spec.updated_at.CopyFrom(now)
    spec.event = "created"
    audit.status_audit.CopyFrom(spec)
    return audit


def updated(audit: ApiResourceAudit, actor_id: str, now: Timestamp) -> None:
    """Mark a change of the spec: who made the resource, and when, stays."""
    spec = audit.spec_audit
    spec.updated_by.Clear()
    spec.updated_by.id = actor_id
    spec.updated_at.CopyFrom(now)
    spec.event = "updated"


class Instant:
    """The one moment at which everything happens that a group of requests does. The clock is read on first use."""

    __slots__ = ("_audits", "_clock", "_time", "shared")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._time: Timestamp | None = None
        self._audits: dict[str, ApiResourceAudit] = {}
        self.shared: dict[Hashable, bytes] = {}
        """Wire bytes that are the same in all that is made at this moment, by whoever makes them."""

    def time(self) -> Timestamp:
        """Return the time. The caller must copy it."""
        if self._time is None:
            self._time = self._clock.now()
        return self._time

    def audit_of_creation(self, actor_id: str) -> ApiResourceAudit:
        """Return the audit of what an actor creates at this moment. The caller must copy it."""
        audit = self._audits.get(actor_id)
        if audit is None:
            audit = self._audits[actor_id] = created(actor_id, self.time())
        return audit
