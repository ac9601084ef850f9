"""What a method asks of its caller: read from the method options of the descriptors, once, at start.

Methods without an option stand in `WITHOUT_OPTION`, in the same form.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from google.protobuf.descriptor import MethodDescriptor

from protos.ai.stigmer.commons.apiresource.apiresourcekind.api_resource_kind_pb2 import ApiResourceKind
from protos.ai.stigmer.iam.iampolicy.v1.rpcauthorization import method_options_pb2
from protos.ai.stigmer.iam.iampolicy.v1.rpcauthorization.iam_permission_pb2 import ApiResourceIamPermission
from protos.options import option_of


@dataclass(frozen=True, slots=True)
class Requirement:
    """A permission on one resource: of `resource_kind`, with the id at `field_path` (or the fixed `resource_id`)."""

    permission: str
    resource_kind: str
    field_path: str
    error_message: str
    resource_id: str = ""
    id_in: Callable[[Any], str] = field(init=False, repr=False, compare=False)
    """Returns the id at `field_path` of a request. Raises AttributeError for a request that hasn't that path."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "id_in", attrgetter(self.field_path))


WITHOUT_OPTION = {
    "ai.stigmer.agentic.agentinstance.v1.AgentInstanceCommandController.create": Requirement(
        "can_create_instance", "agent", "spec.agent_id", "unauthorized to create instance of this agent"
    ),
    "ai.stigmer.agentic.environment.v1.EnvironmentCommandController.create": Requirement(
        "can_create_environment", "organization", "metadata.org", "unauthorized to create environment"
    ),
}

# The option of Environment delete points at metadata.id, which its request hasn't: the id is in resource_id.
_PATH_OF_REQUEST = {
    ("ai.stigmer.commons.apiresource.ApiResourceDeleteInput", "metadata.id"): "resource_id",
}


def requirement_of(method: MethodDescriptor) -> Requirement | None:
    """Return what a method requires, or None when any known caller may call it."""
    if method.full_name in WITHOUT_OPTION:
        return WITHOUT_OPTION[method.full_name]
    config = option_of(method.GetOptions(), method_options_pb2.config)
    if config is None:
        return None
    path = _PATH_OF_REQUEST.get((method.input_type.full_name, config.field_path), config.field_path)
    return Requirement(
        ApiResourceIamPermission.Name(config.permission),
        ApiResourceKind.Name(config.resource_kind),
        path,
        config.error_msg,
        config.resource_id,
    )
