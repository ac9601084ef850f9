"""The audit of a resource: who made and changed it, and when. Source: behaviour contract, step 5 and UPD."""

from __future__ import annotations

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
