"""The resource kinds that the client handles, one row each. Methods and types come from the descriptors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from protos.ai.stigmer.agentic.agent.v1 import command_pb2 as agent_command
from protos.ai.stigmer.agentic.agent.v1 import query_pb2 as agent_query
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agent.v1.io_pb2 import AgentId
from protos.ai.stigmer.agentic.agentinstance.v1 import command_pb2 as instance_command
from protos.ai.stigmer.agentic.agentinstance.v1 import query_pb2 as instance_query
from protos.ai.stigmer.agentic.agentinstance.v1.api_pb2 import AgentInstance
from protos.ai.stigmer.agentic.agentinstance.v1.io_pb2 import AgentInstanceId
from protos.ai.stigmer.agentic.environment.v1 import command_pb2 as environment_command
from protos.ai.stigmer.agentic.environment.v1 import query_pb2 as environment_query
from protos.ai.stigmer.agentic.environment.v1.api_pb2 import Environment
from protos.ai.stigmer.commons.apiresource.apiresourcekind.api_resource_kind_pb2 import ApiResourceKind, kind_meta
from protos.ai.stigmer.commons.apiresource.io_pb2 import ApiResourceDeleteInput, ApiResourceId
from protos.options import option_of
from protos.parity.v1 import list_pb2

API_VERSION = "agentic.stigmer.ai/v1"

Column = tuple[str, Callable[[Any], str]]
"""A heading, and what stands under it for a resource."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind: what people call it, its type, its methods by operation, and how its requests name one resource."""

    word: str
    title: str
    number: ApiResourceKind
    id_prefix: str
    message_type: type[Message]
    methods: dict[str, MethodDescriptor]
    get_request: Callable[[str], Message]
    delete_request: Callable[[str], Message]
    columns: tuple[Column, ...]


def _methods(command_file: Any, query_file: Any, title: str) -> dict[str, MethodDescriptor]:  # noqa: ANN401 - modules
    command = command_file.DESCRIPTOR.services_by_name[f"{title}CommandController"]
    query = query_file.DESCRIPTOR.services_by_name[f"{title}QueryController"]
    listing = list_pb2.DESCRIPTOR.services_by_name["ListService"]
    methods = {method.name: method for service in (command, query) for method in service.methods}
    return {**methods, "list": listing.methods_by_name[f"List{title}s"]}


def _id_prefix(number: int) -> str:
    meta = option_of(ApiResourceKind.DESCRIPTOR.values_by_number[number].GetOptions(), kind_meta)
    if meta is None:
        raise TypeError(f"kind {number} has no kind_meta option in the descriptors")
    return str(meta.id_prefix)


_COMMON: tuple[Column, ...] = (
    ("ID", lambda resource: resource.metadata.id),
    ("SLUG", lambda resource: resource.metadata.slug),
    ("NAME", lambda resource: resource.metadata.name),
    ("ORG", lambda resource: resource.metadata.org),
)

AGENT = Kind(
    "agent",
    "Agent",
    ApiResourceKind.agent,
    _id_prefix(ApiResourceKind.agent),
    Agent,
    _methods(agent_command, agent_query, "Agent"),
    lambda resource_id: AgentId(value=resource_id),
    lambda resource_id: AgentId(value=resource_id),
    (*_COMMON, ("DEFAULT INSTANCE", lambda agent: agent.status.default_instance_id)),
)
INSTANCE = Kind(
    "instance",
    "AgentInstance",
    ApiResourceKind.agent_instance,
    _id_prefix(ApiResourceKind.agent_instance),
    AgentInstance,
    _methods(instance_command, instance_query, "AgentInstance"),
    lambda resource_id: AgentInstanceId(value=resource_id),
    lambda resource_id: AgentInstanceId(value=resource_id),
    (*_COMMON, ("AGENT", lambda instance: instance.spec.agent_id)),
)
ENVIRONMENT = Kind(
    "environment",
    "Environment",
    ApiResourceKind.environment,
    _id_prefix(ApiResourceKind.environment),
    Environment,
    _methods(environment_command, environment_query, "Environment"),
    lambda resource_id: ApiResourceId(value=resource_id),
    lambda resource_id: ApiResourceDeleteInput(resource_id=resource_id),
    (*_COMMON, ("VALUES", lambda environment: str(len(environment.spec.data)))),
)

KINDS = (AGENT, INSTANCE, ENVIRONMENT)
