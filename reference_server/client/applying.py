"""What apply does with one resource: created, configured or unchanged; and what it would change."""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import grpc

from protos.ai.stigmer.commons.apiresource.io_pb2 import ApiResourceReference
from protos.conditions import change_mark
from reference_server.client.changes import TRIES_MAX, changed, write
from reference_server.client.failures import Changed, Refused
from reference_server.client.kinds import AGENT
from reference_server.client.resources import Resources

_NOT_THERE = frozenset({grpc.StatusCode.NOT_FOUND, grpc.StatusCode.PERMISSION_DENIED})
"""Who may not see a resource isn't told whether it is there."""


class Done(StrEnum):
    """What became of a resource."""

    CREATED = "created"
    CONFIGURED = "configured"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Applied:
    """A resource as the server has it now, and what was done."""

    resource: Any
    done: Done


def apply(resources: Resources, wanted: Any, *, force: bool = False) -> Applied:  # noqa: ANN401 - a resource
    """Make the server have what a file says; nothing is sent that changes nothing.

    A file that says when its resource was last changed (`get -o yaml` writes that) is refused with Changed when the
    resource was changed since then, unless `force`. Raises what `Server.call` raises.
    """
    for _ in range(TRIES_MAX):
        existing = existing_of(resources, wanted)
        if existing is None:
            made = resources.apply(wanted)
            return Applied(made, Done.CREATED if _is_new(made) else Done.CONFIGURED)
        if _is_whole(resources, existing) and is_same(existing, outcome(existing, wanted)):
            return Applied(existing, Done.UNCHANGED)
        if not force:
            check_known(resources, wanted, existing)
        try:
            now = write(resources, resources.apply, wanted, existing)
        except Changed:
            continue  # what the file says is wanted whatever was there
        return Applied(now, Done.UNCHANGED if is_same(now, existing) else Done.CONFIGURED)
    raise changed(resources, existing)


def replace(resources: Resources, wanted: Any, *, force: bool = False) -> Any:  # noqa: ANN401 - resources
    """Update what a file describes; refused as an apply is when it was changed since the file was written."""
    existing = existing_of(resources, wanted)
    if existing is None or force:
        return resources.update(wanted)
    check_known(resources, wanted, existing)
    return write(resources, resources.update, wanted, existing)


def check_known(resources: Resources, wanted: Any, existing: Any) -> None:  # noqa: ANN401 - resources
    """Raise Changed if a file says that its resource was last changed at another time than it was."""
    audit = wanted.status.audit
    if audit.spec_audit.HasField("updated_at") and change_mark(audit) != change_mark(existing.status.audit):
        error = changed(resources, existing)
        raise Changed(
            f"{error} into the file",
            hint="diff -f FILE shows what differs. --force writes the file's state all the same; so does taking "
            "`status` out of the file.",
        )


def existing_of(resources: Resources, wanted: Any) -> Any | None:  # noqa: ANN401 - resources
    """Return the resource that an apply would update, or None if none is seen."""
    metadata = wanted.metadata
    slug = metadata.slug or slug_of(metadata.name)
    try:
        if metadata.id:
            return resources.get(metadata.id)
        if not slug:
            return None
        return resources.refer(ApiResourceReference(scope=metadata.owner_scope, org=metadata.org, slug=slug))
    except Refused as refused:
        if refused.code in _NOT_THERE:
            return None
        raise


def outcome(existing: Any, wanted: Any) -> Any:  # noqa: ANN401 - resources
    """Return what a resource becomes by an update. Source: behaviour contract, UPD."""
    result = deepcopy(wanted)
    for field in ("id", "slug", "org", "owner_scope"):
        setattr(result.metadata, field, getattr(existing.metadata, field))
    result.metadata.name = wanted.metadata.name or existing.metadata.name
    result.status.CopyFrom(existing.status)
    return result


def is_same(one: Any, other: Any) -> bool:  # noqa: ANN401 - resources
    """Whether two resources are equal but for their status, fields of a newer schema included."""
    return _bytes_but_status(one) == _bytes_but_status(other)


def _bytes_but_status(resource: Any) -> bytes:  # noqa: ANN401 - a resource
    bare = deepcopy(resource)
    bare.ClearField("status")
    data: bytes = bare.SerializeToString(deterministic=True)
    return data


def _is_new(resource: Any) -> bool:  # noqa: ANN401 - a resource
    return bool(resource.status.audit.spec_audit.event == "created")


def _is_whole(resources: Resources, existing: Any) -> bool:  # noqa: ANN401 - a resource
    """Whether nothing is missing that an apply would make: an agent has its default instance."""
    return resources.kind is not AGENT or bool(existing.status.default_instance_id)


def slug_of(name: str) -> str:
    """Return the slug that a server makes of a name. Source: behaviour contract, step 3."""
    kept = re.sub(r"[^a-z0-9-]", "", re.sub(r"\s", "-", name.lower()))
    return re.sub(r"-+", "-", kept).strip("-")
