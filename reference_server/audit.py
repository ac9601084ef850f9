"""The audit of a resource: who made and changed it, and when. Source: behaviour contract, step 5 and UPD."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from google.protobuf.timestamp_pb2 import Timestamp

from protos.ai.stigmer.commons.apiresource.status_pb2 import ApiResourceAudit


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


@dataclass(slots=True)
class Moment:
    """The one instant at which all happens that is done in one go: a request, or requests that gathered."""

    _instant: Timestamp | None = None
    _audits: dict[str, ApiResourceAudit] = field(default_factory=dict)
    parts: dict[Hashable, bytes] = field(default_factory=dict)
    """Wire bytes of what is the same in all that is made at this instant, by whoever makes it."""

    def instant(self, now: Callable[[], Timestamp]) -> Timestamp:
        """Return the instant; the first who asks reads the clock. To be copied."""
        if self._instant is None:
            self._instant = now()
        return self._instant

    def audit_of_creation(self, actor_id: str, now: Callable[[], Timestamp]) -> ApiResourceAudit:
        """Return the audit of what an actor creates at this instant. To be copied."""
        audit = self._audits.get(actor_id)
        if audit is None:
            audit = self._audits[actor_id] = created(actor_id, self.instant(now))
        return audit
