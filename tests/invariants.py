"""What holds in every store of the reference server, whatever happened: no half agents, no orphans."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agentinstance.v1.api_pb2 import AgentInstance
from protos.ai.stigmer.commons.apiresource.enum_pb2 import organization
from protos.ai.stigmer.iam.iampolicy.v1.api_pb2 import IamPolicy
from protos.parity.v1.event_pb2 import CloudEvent
from stores.contract import Store
from stores.schema import KINDS


def violations(store: Store, *, cloud: bool) -> list[str]:
    """Return a sentence for each thing in the store that contradicts the contract."""
    return [
        *_agents_without_instance(store),
        *_instances_without_agent(store),
        *_wrong_counts(store),
        *(_missing_policies(store) if cloud else ()),
        *(_policies_about_nothing(store) if cloud else ()),
        *(_resources_without_event(store) if cloud else ()),
    ]


def _all(store: Store, kind: str) -> Iterator[Any]:
    for record in store.scan(kind):
        yield KINDS[kind].message_type.FromString(record.data)


def _agents_without_instance(store: Store) -> Iterator[str]:
    agent: Agent
    for agent in _all(store, "agent"):
        named = agent.status.default_instance_id
        instance = store.get("agent_instance", named) if named else None
        if not isinstance(instance, AgentInstance):
            yield f"{agent.metadata.id} names the instance {named!r}, which isn't there"
        elif instance.spec.agent_id != agent.metadata.id:
            yield f"{agent.metadata.id} names the instance of another agent"
        if not agent.status.audit.spec_audit.created_at.seconds:
            yield f"{agent.metadata.id} has no audit"


def _instances_without_agent(store: Store) -> Iterator[str]:
    instance: AgentInstance
    for instance in _all(store, "agent_instance"):
        if store.get_bytes("agent", instance.spec.agent_id) is None:
            yield f"{instance.metadata.id} belongs to {instance.spec.agent_id!r}, which isn't there"


def _wrong_counts(store: Store) -> Iterator[str]:
    for name, kind in KINDS.items():
        counted, found = store.count(name), sum(1 for _ in store.scan(name))
        if counted != found:
            yield f"count of {name} is {counted}, but {found} are there"
        for message in _all(store, name):
            for index, key in kind.entries(message):
                if store.find(name, index, key) is None:
                    yield f"{name}: index {index} has lost {key!r}"


def _holds(store: Store, *relation_tuple: str) -> bool:
    principal_kind, principal, relation, kind, resource_id = relation_tuple
    key = (principal_kind, principal, "", relation, kind, resource_id)
    return store.find("iam_policy", "tuple", key) is not None


def _missing_policies(store: Store) -> Iterator[str]:
    for kind in ("agent", "agent_instance"):
        for resource in _all(store, kind):
            found, owner = resource.metadata.id, resource.status.audit.spec_audit.created_by.id
            if not _holds(store, "identity_account", owner, "owner", kind, found):
                yield f"{found} has no owner"
            parent = ("organization", resource.metadata.org, "organization")
            if resource.metadata.owner_scope == organization and not _holds(store, *parent, kind, found):
                yield f"{found} isn't linked to its organization"
            if kind == "agent_instance" and not _holds(store, "agent", resource.spec.agent_id, "agent", kind, found):
                yield f"{found} isn't linked to its agent"


def _policies_about_nothing(store: Store) -> Iterator[str]:
    policy: IamPolicy
    for policy in _all(store, "iam_policy"):
        resource = policy.spec.resource
        if resource.kind in {"agent", "agent_instance"} and store.get_bytes(resource.kind, resource.id) is None:
            yield f"policy {policy.metadata.id} speaks of {resource.id!r}, which isn't there"


def _resources_without_event(store: Store) -> Iterator[str]:
    announced = {event.subject for event in _all(store, "event") if isinstance(event, CloudEvent)}
    for kind in ("agent", "agent_instance"):
        for record in store.scan(kind):
            if record.id not in announced:
                yield f"{record.id} was never announced"
