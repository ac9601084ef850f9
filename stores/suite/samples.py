"""The messages that checks store, and short ways to write and read them."""

from __future__ import annotations

from collections.abc import Iterable

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agentinstance.v1.api_pb2 import AgentInstance
from protos.ai.stigmer.commons.apiresource.enum_pb2 import organization, platform
from protos.ai.stigmer.iam.iampolicy.v1.api_pb2 import IamPolicy
from protos.parity.v1.event_pb2 import CloudEvent
from stores.contract import IndexKey, Precondition, Put, Record, Store
from stores.schema import KINDS

ORG = "acme"


def agent(id: str, slug: str | None = None, org: str = ORG, text: str = "Answer as briefly as you can.") -> Agent:  # noqa: A002
    """Return an agent of an organization; the slug is the id unless given. Without org: of the platform."""
    message = Agent(api_version="agentic.stigmer.ai/v1", kind="Agent")
    message.metadata.id = id
    message.metadata.name = id
    message.metadata.slug = id if slug is None else slug
    message.metadata.org = org
    message.metadata.owner_scope = organization if org else platform
    message.spec.instructions = text
    return message


def instance(id: str, agent_id: str, org: str = ORG) -> AgentInstance:  # noqa: A002
    """Return an instance of an agent."""
    message = AgentInstance(api_version="agentic.stigmer.ai/v1", kind="AgentInstance")
    message.metadata.id = id
    message.metadata.slug = id
    message.metadata.org = org
    message.metadata.owner_scope = organization
    message.spec.agent_id = agent_id
    return message


def policy(id: str, relation: str, principal: str = "ada", resource: str = "agt-1") -> IamPolicy:  # noqa: A002
    """Return a policy (identity_account:principal, relation, agent:resource)."""
    message = IamPolicy()
    message.metadata.id = id
    message.spec.principal.kind = "identity_account"
    message.spec.principal.id = principal
    message.spec.relation = relation
    message.spec.resource.kind = "agent"
    message.spec.resource.id = resource
    return message


def event(id: str, subject: str) -> CloudEvent:  # noqa: A002
    """Return an event about a resource."""
    return CloudEvent(id=id, source="suite", spec_version="1.0", type="created", subject=subject)


def slug_key(slug: str, org: str = ORG) -> IndexKey:
    """Return the unique key of an agent's slug."""
    return (str(organization if org else platform), org, slug)


def put(id: str, slug: str | None = None, org: str = ORG, when: Precondition = "any", expect: int | None = None) -> Put:  # noqa: A002
    """Return the Put of an agent."""
    return Put("agent", id, agent(id, slug, org), when, expect)


def as_bytes(put: Put) -> Put:
    """Return the same put without its message: as wire bytes and index keys."""
    kind = KINDS[put.kind]
    message = put.message or kind.message_type()
    data = message.SerializeToString(deterministic=True)
    return put._replace(message=None, data=data, keys=tuple(kind.entries(message)))


def fill(store: Store, ids: Iterable[str], org: str = ORG) -> None:
    """Create agents, one commit each."""
    for id_ in ids:
        store.commit([put(id_, org=org, when="absent")])


def ids_of(records: Iterable[Record]) -> list[str]:
    """Return the ids of records."""
    return [record.id for record in records]


def everything(store: Store) -> dict[str, list[Record]]:
    """Return all that a store holds, by kind: what a failed operation must leave as it was."""
    return {kind: list(store.scan(kind)) for kind in ("agent", "agent_instance", "environment", "iam_policy", "event")}
