"""`describe`: a resource with what belongs to it: instances, policies, the last events."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import grpc
import typer

from protos.ai.stigmer.commons.apiresource.enum_pb2 import ApiResourceOwnerScope
from reference_server.client.events import events_about
from reference_server.client.failures import Refused
from reference_server.client.kinds import AGENT, INSTANCE, Kind, time_of
from reference_server.client.plain import to_plain
from reference_server.client.policies import Ref, authorized_principals
from reference_server.client.resources import instances_of
from reference_server.client.session import Session
from reference_server.client.table import printable
from reference_server.client.verbs import Existing, Org
from reference_server.client.yaml_text import write_yaml

INSTANCES_MAX = 20
EVENTS_MAX = 10
RELATIONS = ("owner", "can_edit", "can_view", "can_delete")
"""Who holds these is told; the first is a relation, the others are permissions."""
_NOT_OFFERED = {
    grpc.StatusCode.UNIMPLEMENTED: "this server offers none",
    grpc.StatusCode.PERMISSION_DENIED: "you may not see them",
}


def describe(session: Session, reference: Existing, org: Org = "") -> None:
    """Tell all about one: itself, its instances, who may do what with it, and its last events."""
    resource = session.resources.find(reference, org)
    for line in _lines(session, session.resources.kind, resource):
        typer.echo(line)


def _lines(session: Session, kind: Kind, resource: Any) -> Iterator[str]:  # noqa: ANN401 - a resource
    metadata, audit = resource.metadata, resource.status.audit.spec_audit
    yield from _facts(
        ("Name", metadata.name),
        ("Kind", kind.title),
        ("Slug", metadata.slug),
        ("Id", metadata.id),
        ("Scope", " ".join(part for part in (_scope(metadata.owner_scope), metadata.org) if part)),
        ("Labels", ", ".join(f"{key}={value}" for key, value in sorted(metadata.labels.items()))),
        ("Tags", ", ".join(metadata.tags)),
        ("Created", f"{time_of(audit.created_at)} by {audit.created_by.id or '-'}"),
        ("Updated", f"{time_of(audit.updated_at)} by {audit.updated_by.id or '-'}"),
    )
    yield "Spec:"
    yield from _indented(write_yaml([to_plain(resource.spec)]))
    if kind is AGENT:
        yield from _part("Instances", lambda: _instances(session, resource))
    yield from _part("Policies", lambda: _policies(session, kind, metadata.id))
    yield from _part("Events", lambda: _events(session, resource))


def _facts(*rows: tuple[str, str]) -> Iterator[str]:
    width = max(len(name) for name, _ in rows) + 1
    return (f"{name + ':':<{width}} {printable(value) or '-'}" for name, value in rows)


def _scope(number: int) -> str:
    values = ApiResourceOwnerScope.DESCRIPTOR.values_by_number
    return values[number].name if number in values else str(number)


def _indented(text: str) -> Iterator[str]:
    return (f"  {line}".rstrip() for line in text.splitlines())


def _part(title: str, lines: Callable[[], list[str]]) -> Iterator[str]:
    """Yield a part, or why this server or this caller gets none."""
    try:
        found = lines()
    except Refused as refused:
        if refused.code not in _NOT_OFFERED:
            raise
        yield f"{title}: {_NOT_OFFERED[refused.code]}"
        return
    yield f"{title}:" if found else f"{title}: none"
    yield from (f"  {printable(line)}" for line in found)


def _instances(session: Session, agent: Any) -> list[str]:  # noqa: ANN401 - an agent
    default = agent.status.default_instance_id
    found = list(islice(instances_of(session.server, agent.metadata.id), INSTANCES_MAX + 1))
    lines = [
        f"{one.metadata.slug} ({one.metadata.id})" + (", the default" if one.metadata.id == default else "")
        for one in found[:INSTANCES_MAX]
    ]
    return [*lines, f"... more: parity {INSTANCE.word} list --agent"] if len(found) > INSTANCES_MAX else lines


def _policies(session: Session, kind: Kind, resource_id: str) -> list[str]:
    resource = Ref(kind=kind.resource.name, id=resource_id)
    holders = ((name, authorized_principals(session.server, resource, name, "identity_account")) for name in RELATIONS)
    return [f"{name}: {', '.join(found)}" for name, found in holders if found]


def _events(session: Session, resource: Any) -> list[str]:  # noqa: ANN401 - a resource
    last = events_about(session.server, resource)[-EVENTS_MAX:]
    return [f"{time_of(event.time)} {event.done}" + _by(event.resource) for event in last]


def _by(resource: Any) -> str:  # noqa: ANN401 - a resource, or None
    who = resource.status.audit.spec_audit.updated_by.id if resource is not None else ""
    return f" by {who}" if who else ""
