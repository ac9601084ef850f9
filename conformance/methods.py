"""The methods that the suite calls, by a short name: `agent.create`, `instance.by_agent`, `policy.check`, ...

Paths and message types are taken from the descriptors, so they can't drift from the wire contract.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeAlias

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass

from conformance.kinds import KINDS
from protos.ai.stigmer.agentic.agent.v1 import command_pb2 as agent_command
from protos.ai.stigmer.agentic.agent.v1 import query_pb2 as agent_query
from protos.ai.stigmer.agentic.agentinstance.v1 import command_pb2 as instance_command
from protos.ai.stigmer.agentic.agentinstance.v1 import query_pb2 as instance_query
from protos.ai.stigmer.agentic.environment.v1 import command_pb2 as environment_command
from protos.ai.stigmer.agentic.environment.v1 import query_pb2 as environment_query
from protos.ai.stigmer.iam.iampolicy.v1 import command_pb2 as policy_command
from protos.ai.stigmer.iam.iampolicy.v1 import query_pb2 as policy_query
from protos.ai.stigmer.iam.iampolicy.v1.rpcauthorization.method_options_pb2 import config
from protos.options import option_of
from protos.parity.v1 import event_pb2, list_pb2

Proto: TypeAlias = Any
"""A protobuf message whose class is known at run time only, so that mypy can't know its fields."""


@dataclass(frozen=True)
class Method:
    """One method: its short name, its path on the wire, and its message types."""

    name: str
    path: str
    request: Proto
    response: Proto
    denied_message: str
    """What the method's authorization option says on refusal; empty where it has none."""

    @property
    def kind(self) -> str:
        """The first part of the short name: agent, instance, environment, policy, list or event."""
        return self.name.partition(".")[0]

    @property
    def operation(self) -> str:
        """The second part of the short name."""
        return self.name.partition(".")[2]


_SHORT = {
    "getByReference": "by_reference",
    "getByAgent": "by_agent",
    "checkAuthorization": "check",
    "ListAgents": "agents",
    "ListAgentInstances": "instances",
    "ListEnvironments": "environments",
    "Watch": "watch",
}


def _service(module: ModuleType, name: str) -> ServiceDescriptor:
    service: ServiceDescriptor = module.DESCRIPTOR.services_by_name[name]
    return service


_SERVICES: tuple[tuple[str, ServiceDescriptor], ...] = (
    ("agent", _service(agent_command, "AgentCommandController")),
    ("agent", _service(agent_query, "AgentQueryController")),
    ("instance", _service(instance_command, "AgentInstanceCommandController")),
    ("instance", _service(instance_query, "AgentInstanceQueryController")),
    ("environment", _service(environment_command, "EnvironmentCommandController")),
    ("environment", _service(environment_query, "EnvironmentQueryController")),
    ("policy", _service(policy_command, "IamPolicyCommandController")),
    ("policy", _service(policy_query, "IamPolicyQueryController")),
    ("list", _service(list_pb2, "ListService")),
    ("event", _service(event_pb2, "EventService")),
)


def _method(kind: str, descriptor: MethodDescriptor) -> Method:
    option = option_of(descriptor.GetOptions(), config)
    return Method(
        name=f"{kind}.{_SHORT.get(descriptor.name, descriptor.name)}",
        path=f"/{descriptor.containing_service.full_name}/{descriptor.name}",
        request=GetMessageClass(descriptor.input_type),
        response=GetMessageClass(descriptor.output_type),
        denied_message=option.error_msg if option is not None else "",
    )


METHODS: dict[str, Method] = {
    method.name: method for method in (_method(kind, row) for kind, service in _SERVICES for row in service.methods)
}

SERVICE_NAMES: tuple[str, ...] = tuple(service.full_name for _, service in _SERVICES)


def deletion(kind: str, resource_id: str) -> Proto:
    """Return the request that deletes a resource of a kind."""
    return METHODS[f"{kind}.delete"].request(**{KINDS[kind].delete_field: resource_id})
