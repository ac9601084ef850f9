"""The kinds of resources: the one table. What the descriptors say of a kind is read from them.

A new kind is a row here. Its index entries stand in `stores.schema`, its operations in `reference_server.pipelines`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message

from protos.ai.stigmer.agentic.agent.v1 import command_pb2 as agent_command
from protos.ai.stigmer.agentic.agent.v1 import query_pb2 as agent_query
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agentinstance.v1 import command_pb2 as instance_command
from protos.ai.stigmer.agentic.agentinstance.v1 import query_pb2 as instance_query
from protos.ai.stigmer.agentic.agentinstance.v1.api_pb2 import AgentInstance
from protos.ai.stigmer.agentic.environment.v1 import command_pb2 as environment_command
from protos.ai.stigmer.agentic.environment.v1 import query_pb2 as environment_query
from protos.ai.stigmer.agentic.environment.v1.api_pb2 import Environment
from protos.ai.stigmer.commons.apiresource.apiresourcekind.api_resource_kind_pb2 import ApiResourceKind, kind_meta
from protos.ai.stigmer.iam.iampolicy.v1 import command_pb2 as policy_command
from protos.ai.stigmer.iam.iampolicy.v1 import query_pb2 as policy_query
from protos.ai.stigmer.iam.iampolicy.v1.api_pb2 import IamPolicy
from protos.options import option_of
from protos.parity.v1 import list_pb2


@dataclass(frozen=True, slots=True)
class ResourceKind:
    """One kind, as the descriptors describe it."""

    name: str
    """In the store and in policies, for example `agent_instance`."""
    number: ApiResourceKind
    """On the wire, in references."""
    title: str
    """The field `kind` of its resources, for example `AgentInstance`."""
    id_prefix: str
    message_type: type[Message]
    command: ServiceDescriptor
    query: ServiceDescriptor
    package: str
    """With it the types of its events begin."""

    @property
    def list_method(self) -> MethodDescriptor:
        """The method of our extension that lists the kind. Raises KeyError for a kind without."""
        method: MethodDescriptor = list_pb2.DESCRIPTOR.services_by_name["ListService"].methods_by_name[
            f"List{self.title}s"
        ]
        return method


def _kind(name: str, message_type: type[Message], command: Any, query: Any) -> ResourceKind:  # noqa: ANN401 - modules
    value = ApiResourceKind.DESCRIPTOR.values_by_name[name]
    meta = option_of(value.GetOptions(), kind_meta)
    if meta is None:
        raise TypeError(f"the descriptor of kind {name} has no kind_meta option")
    title = message_type.DESCRIPTOR.name
    return ResourceKind(
        name,
        ApiResourceKind.Value(name),  # type: ignore[arg-type] # the stub says int
        title,
        meta.id_prefix,
        message_type,
        command.DESCRIPTOR.services_by_name[f"{title}CommandController"],
        query.DESCRIPTOR.services_by_name[f"{title}QueryController"],
        message_type.DESCRIPTOR.file.package,
    )


AGENT = _kind("agent", Agent, agent_command, agent_query)
AGENT_INSTANCE = _kind("agent_instance", AgentInstance, instance_command, instance_query)
ENVIRONMENT = _kind("environment", Environment, environment_command, environment_query)
IAM_POLICY = _kind("iam_policy", IamPolicy, policy_command, policy_query)

KINDS = {kind.name: kind for kind in (AGENT, AGENT_INSTANCE, ENVIRONMENT, IAM_POLICY)}
