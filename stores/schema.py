"""Which kinds a store keeps and which index entries each has: the one table.

A new kind is one row of `KINDS`. Changing the keys of an existing index changes the on-disk format:
raise `FORMAT_VERSION` in `keyvalue/layout.py` and `sqlite/connections.py` with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

from protos import kinds
from protos.ai.stigmer.agentic.agentinstance.v1.api_pb2 import AgentInstance
from protos.ai.stigmer.commons.apiresource.enum_pb2 import organization
from protos.ai.stigmer.iam.iampolicy.v1.api_pb2 import IamPolicy
from protos.parity.v1.event_pb2 import CloudEvent, Cursor, Revocation
from stores.contract import IndexKey, InvalidOperation, Keys

Entries = Iterable[tuple[str, IndexKey]]
"""Under which keys a message stands: the name of an index and a key of it, for each."""


@dataclass(frozen=True, slots=True)
class Index:
    """One index of a kind: its name, and whether a key may stand for one resource only.

    `counted`: the store keeps the number of entries per key, so that `count` doesn't cost more as they grow. In tables
    that costs a row per key and a read per write; an index whose keys nobody counts does without, and is counted by
    reading. A key-value store always keeps it: it saves an iterator over what was removed (ADR 0025).
    """

    name: str
    unique: bool = False
    counted: bool = True


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of resource: the type of its messages, its indexes, and the entries that a message has in them.

    One function gives the entries of all indexes, as they are made of the same few fields.
    """

    name: str
    message_type: type[Message]
    indexes: tuple[Index, ...]
    entries: Callable[[Any], Entries]
    unique: frozenset[str] = field(init=False)
    """The names of the unique indexes."""
    counted: frozenset[str] = field(init=False)
    """The names of the indexes that keep a number per key in every store."""

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


def slug_key(metadata: Any) -> IndexKey:  # noqa: ANN401 - the metadata of any resource
    """Scope (with the organization for organization scope) and slug: what must be unique in the cloud profile."""
    scope = metadata.owner_scope
    return (str(scope), metadata.org if scope == organization else "", metadata.slug)


def _resource_entries(resource: Any) -> list[tuple[str, IndexKey]]:  # noqa: ANN401 - any message with metadata
    metadata = resource.metadata
    entries: list[tuple[str, IndexKey]] = []
    key = slug_key(metadata)
    slug, org = key[2], key[1] or metadata.org
    if slug:
        entries += (("slug_key", key), ("slug", (slug,)))
    if org:
        entries.append(("org", (org,)))
    return entries


def _instance_entries(instance: AgentInstance) -> Entries:
    entries = _resource_entries(instance)
    entries.append(("agent", (instance.spec.agent_id,)))
    return entries


def policy_keys(held_by: tuple[str, str], of: str, relation: str, held: tuple[str, str]) -> Keys:
    """Return the keys of a policy: `held_by` (kind, id), or all who have the relation `of` to it, are so to `held`."""
    keys = (("tuple", (*held_by, of, relation, *held)), ("resource", held), ("principal", held_by))
    return (*keys, ("userset", (relation, *held))) if of else keys


def _policy_entries(policy: IamPolicy) -> Entries:
    spec = policy.spec
    principal, resource = spec.principal, spec.resource
    return policy_keys((principal.kind, principal.id), principal.relation, spec.relation, (resource.kind, resource.id))


def _no_entries(_: object) -> Entries:
    return ()


_RESOURCE_INDEXES = (Index("slug_key", unique=True), Index("slug"), Index("org"))


def _named(kind: kinds.ResourceKind) -> tuple[str, type[Message]]:
    return kind.name, kind.message_type


KINDS: Schema = {
    kind.name: kind
    for kind in (
        Kind(*_named(kinds.AGENT), _RESOURCE_INDEXES, _resource_entries),
        Kind(*_named(kinds.AGENT_INSTANCE), (*_RESOURCE_INDEXES, Index("agent")), _instance_entries),
        Kind(*_named(kinds.ENVIRONMENT), _RESOURCE_INDEXES, _resource_entries),
        Kind(
            *_named(kinds.IAM_POLICY),
            (
                Index("tuple", unique=True),
                Index("resource", counted=False),
                Index("principal", counted=False),
                Index("userset", counted=False),
            ),
            _policy_entries,
        ),
        Kind("event", CloudEvent, (), _no_entries),
        Kind("cursor", Cursor, (), _no_entries),
        Kind("revocation", Revocation, (), _no_entries),
    )
}


def kind_of(schema: Schema, name: str) -> Kind:
    """Return the kind of this name. Raises InvalidOperation."""
    try:
        return schema[name]
    except KeyError:
        raise InvalidOperation(f"unknown kind {name!r}; the schema has: {', '.join(schema)}") from None
