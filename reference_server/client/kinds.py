"""The resource kinds that the client handles, one row each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from protos import kinds
from protos.ai.stigmer.agentic.agent.v1.io_pb2 import AgentId
from protos.ai.stigmer.agentic.agentinstance.v1.io_pb2 import AgentInstanceId
from protos.ai.stigmer.commons.apiresource.io_pb2 import ApiResourceDeleteInput, ApiResourceId
from protos.kinds import ResourceKind
from reference_server.client.failures import BadInput
from reference_server.client.source import escaped

API_VERSION = "agentic.stigmer.ai/v1"

Column = tuple[str, Callable[[Any], str]]
"""A heading, and what stands under it for a resource."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind: what people call it, how its requests name one resource, and its columns in a table."""

    word: str
    resource: ResourceKind
    get_request: Callable[[str], Message]
    delete_request: Callable[[str], Message]
    columns: tuple[Column, ...]

    @property
    def methods(self) -> dict[str, MethodDescriptor]:
        """Its methods by name; `list` is the one of our extension."""
        methods = {
            method.name: method
            for service in (self.resource.command, self.resource.query)
            for method in service.methods
        }
        return {**methods, "list": self.resource.list_method}

    @property
    def title(self) -> str:
        """The field `kind` of its resources."""
        return self.resource.title

    @property
    def message_type(self) -> type[Message]:
        """The type of its resources."""
        return self.resource.message_type


_COMMON: tuple[Column, ...] = (
    ("ID", lambda resource: resource.metadata.id),
    ("SLUG", lambda resource: resource.metadata.slug),
    ("NAME", lambda resource: resource.metadata.name),
    ("ORG", lambda resource: resource.metadata.org),
)

AGENT = Kind(
    "agent",
    kinds.AGENT,
    lambda resource_id: AgentId(value=resource_id),
    lambda resource_id: AgentId(value=resource_id),
    (*_COMMON, ("DEFAULT INSTANCE", lambda agent: agent.status.default_instance_id)),
)
INSTANCE = Kind(
    "instance",
    kinds.AGENT_INSTANCE,
    lambda resource_id: AgentInstanceId(value=resource_id),
    lambda resource_id: AgentInstanceId(value=resource_id),
    (*_COMMON, ("AGENT", lambda instance: instance.spec.agent_id)),
)
ENVIRONMENT = Kind(
    "environment",
    kinds.ENVIRONMENT,
    lambda resource_id: ApiResourceId(value=resource_id),
    lambda resource_id: ApiResourceDeleteInput(resource_id=resource_id),
    (*_COMMON, ("VALUES", lambda environment: str(len(environment.spec.data)))),
)

KINDS = (AGENT, INSTANCE, ENVIRONMENT)

WIDE: tuple[Column, ...] = (
    ("UPDATED", lambda resource: time_of(resource.status.audit.spec_audit.updated_at)),
    ("BY", lambda resource: resource.status.audit.spec_audit.updated_by.id),
    ("LABELS", lambda resource: ",".join(f"{key}={value}" for key, value in sorted(resource.metadata.labels.items()))),
)
"""What `-o wide` adds for every kind."""


def kind_called(text: str) -> tuple[Kind, str]:
    """Take `agent/NAME` apart. Raises BadInput."""
    word, slash, name = text.partition("/")
    found = next((row for row in KINDS if row.word == word), None)
    if found is None or not slash or not name:
        words = ", ".join(f"{row.word}/NAME" for row in KINDS)
        raise BadInput(f"{text!r} names no resource", hint=f"Write one of {words}.")
    return found, name


def time_of(moment: Timestamp) -> str:
    """Return a time to the second, as in 2026-11-26T14:00:00Z; empty for none."""
    return f"{moment.ToDatetime():%Y-%m-%dT%H:%M:%SZ}" if moment.seconds else ""


def name_of(kind: Kind, resource: Any) -> str:  # noqa: ANN401 - a resource of any kind
    """Return how commands speak of a resource: `agent/SLUG`."""
    return f"{kind.word}/{escaped(resource.metadata.slug or resource.metadata.id)}"
