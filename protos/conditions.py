"""Our extension to updates and applies: metadata by which a caller says which state of the resource it knows.

A server that knows it refuses with ABORTED when the resource was changed since; every other server ignores it.
"""

from __future__ import annotations

from protos.ai.stigmer.commons.apiresource.status_pb2 import ApiResourceAudit

UNCHANGED_SINCE = "parity-unchanged-since"
"""The key of the metadata. Its value is the `change_mark` of the resource as the caller read it."""


def change_mark(audit: ApiResourceAudit) -> str:
    """Return what names the last change of a resource: its time to the nanosecond, as JSON writes it."""
    return audit.spec_audit.updated_at.ToJsonString()
