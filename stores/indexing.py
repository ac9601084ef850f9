"""Which kinds a store keeps and which index entries each has: the one table.

A new kind is one row of `KINDS`. Changing the keys of an existing index changes the on-disk format:
raise `FORMAT_VERSION` in `keyvalue.py` and `sqlite.py` with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agentinstance.v1.api_pb2 import AgentInstance
from protos.ai.stigmer.agentic.environment.v1.api_pb2 import Environment
from protos.ai.stigmer.commons.apiresource.enum_pb2 import organization
from protos.ai.stigmer.iam.iampolicy.v1.api_pb2 import IamPolicy
from protos.parity.v1.event_pb2 import CloudEvent, Cursor
from stores.contract import IndexKey, InvalidOperation


@dataclass(frozen=True, slots=True)
class Index:
    """One index of a kind: its name, whether a key may stand for one resource only, and the keys of a message.

    `counted`: the store keeps the number of entries per key, so that `count` doesn't cost more as they grow. It costs
    a row per key and a read per write; an index whose keys nobody counts does without, and is counted by reading.
    """

    name: str
    keys: Callable[[Any], Iterable[IndexKey]]
    unique: bool = False
    counted: bool = True


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of resource: the type of its messages and its indexes."""

    name: str
    message_type: type[Message]
    indexes: tuple[Index, ...]
    unique: frozenset[str] = field(init=False)
    """The names of the unique indexes."""
    counted: frozenset[str] = field(init=False)
    """The names of the indexes that keep a number per key."""

    def __post_init__(self) -> None:
        counted = (index.name for index in self.indexes if index.counted and not index.unique)
        object.__setattr__(self, "counted", frozenset(counted))
        object.__setattr__(self, "unique", frozenset(index.name for index in self.indexes if index.unique))

    def index(self, name: str) -> Index:
        """Return the index of this name. Raises InvalidOperation."""
        for index in self.indexes:
            if index.name == name:
                return index
        known = ", ".join(index.name for index in self.indexes)
        raise InvalidOperation(f"kind {self.name!r} has no index {name!r}; it has: {known}")


Schema = Mapping[str, Kind]


def slug_key(resource: Any) -> Iterable[IndexKey]:  # noqa: ANN401 - any message with metadata
    """Scope (with the organization for organization scope) and slug: what must be unique in the cloud profile."""
    metadata = resource.metadata
    org = metadata.org if metadata.owner_scope == organization else ""
    return ((str(metadata.owner_scope), org, metadata.slug),) if metadata.slug else ()


def _slug(resource: Any) -> Iterable[IndexKey]:  # noqa: ANN401
    return ((resource.metadata.slug,),) if resource.metadata.slug else ()


def _org(resource: Any) -> Iterable[IndexKey]:  # noqa: ANN401
    return ((resource.metadata.org,),) if resource.metadata.org else ()


def _agent(instance: AgentInstance) -> Iterable[IndexKey]:
    return ((instance.spec.agent_id,),)


def _policy_tuple(policy: IamPolicy) -> Iterable[IndexKey]:
    spec = policy.spec
    principal, resource = spec.principal, spec.resource
    return ((principal.kind, principal.id, principal.relation, spec.relation, resource.kind, resource.id),)


def _policy_resource(policy: IamPolicy) -> Iterable[IndexKey]:
    return ((policy.spec.resource.kind, policy.spec.resource.id),)


def _policy_principal(policy: IamPolicy) -> Iterable[IndexKey]:
    return ((policy.spec.principal.kind, policy.spec.principal.id),)


def _userset(policy: IamPolicy) -> Iterable[IndexKey]:
    spec = policy.spec
    return ((spec.relation, spec.resource.kind, spec.resource.id),) if spec.principal.relation else ()


def _subject(event: CloudEvent) -> Iterable[IndexKey]:
    return ((event.subject,),)


_RESOURCE_INDEXES = (Index("slug_key", slug_key, unique=True), Index("slug", _slug), Index("org", _org))

KINDS: Schema = {
    kind.name: kind
    for kind in (
        Kind("agent", Agent, _RESOURCE_INDEXES),
        Kind("agent_instance", AgentInstance, (*_RESOURCE_INDEXES, Index("agent", _agent))),
        Kind("environment", Environment, _RESOURCE_INDEXES),
        Kind(
            "iam_policy",
            IamPolicy,
            (
                Index("tuple", _policy_tuple, unique=True),
                Index("resource", _policy_resource, counted=False),
                Index("principal", _policy_principal, counted=False),
                Index("userset", _userset, counted=False),
            ),
        ),
        Kind("event", CloudEvent, (Index("subject", _subject, counted=False),)),
        Kind("cursor", Cursor, ()),
    )
}


def kind_of(schema: Schema, name: str) -> Kind:
    """Return the kind of this name. Raises InvalidOperation."""
    try:
        return schema[name]
    except KeyError:
        raise InvalidOperation(f"unknown kind {name!r}; the schema has: {', '.join(schema)}") from None
