"""The resource kinds that the server serves: one row each.

Names, ids and types come from the descriptors, so a row says only what they don't.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agentinstance.v1.api_pb2 import AgentInstance
from protos.ai.stigmer.agentic.environment.v1.api_pb2 import Environment
from protos.ai.stigmer.agentic.environment.v1.spec_pb2 import EnvironmentSpec
from protos.ai.stigmer.commons.apiresource.apiresourcekind.api_resource_kind_pb2 import ApiResourceKind, kind_meta
from protos.ai.stigmer.iam.iampolicy.v1.api_pb2 import IamPolicy
from protos.options import option_of


@dataclass(frozen=True, slots=True)
class ResourceKind:
    """One kind: its name in the store and in policies, its number on the wire, its type, the prefix of its ids."""

    name: str
    number: int
    title: str
    id_prefix: str
    message_type: type[Message]
    secrets_of: Callable[[Any], EnvironmentSpec | None]
    """The part of a message whose secret values are redacted; None for a kind without."""

    @property
    def event_prefix(self) -> str:
        """The package of the kind's messages, with which the types of its events begin."""
        return str(self.message_type.DESCRIPTOR.file.package)


def _kind(
    name: str, message_type: type[Message], secrets_of: Callable[[Any], EnvironmentSpec | None] = lambda _: None
) -> ResourceKind:
    value = ApiResourceKind.DESCRIPTOR.values_by_name[name]
    meta = option_of(value.GetOptions(), kind_meta)
    if meta is None:
        raise TypeError(f"the descriptor of kind {name} has no kind_meta option")
    return ResourceKind(name, value.number, meta.name, meta.id_prefix, message_type, secrets_of)


AGENT = _kind("agent", Agent, lambda agent: agent.spec.env_spec)
AGENT_INSTANCE = _kind("agent_instance", AgentInstance)
ENVIRONMENT = _kind("environment", Environment, lambda environment: environment.spec)
IAM_POLICY = _kind("iam_policy", IamPolicy)

KINDS = {kind.name: kind for kind in (AGENT, AGENT_INSTANCE, ENVIRONMENT, IAM_POLICY)}

PLATFORM_ID = "stigmer"
"""The id of the one platform resource; the value of `PlatformIdValue` in the wire contract."""

SYSTEM_ID = "system"
"""The identity behind what the server does itself, and behind every request in the oss profile."""
