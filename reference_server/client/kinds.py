"""The resource kinds that the client handles, one row each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from protos import kinds
from protos.ai.stigmer.agentic.agent.v1.io_pb2 import AgentId
from protos.ai.stigmer.agentic.agentinstance.v1.io_pb2 import AgentInstanceId
from protos.ai.stigmer.commons.apiresource.io_pb2 import ApiResourceDeleteInput, ApiResourceId
from protos.kinds import ResourceKind

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
