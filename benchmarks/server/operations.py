"""The operations that loads are made of: their methods, and the calls that follow an answer."""

from __future__ import annotations

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agent.v1.io_pb2 import AgentId
from protos.ai.stigmer.agentic.agent.v1.spec_pb2 import AgentSpec
from protos.ai.stigmer.commons.apiresource.metadata_pb2 import ApiResourceMetadata

_AGENT = "/ai.stigmer.agentic.agent.v1"
PATHS = {
    "get": f"{_AGENT}.AgentQueryController/get",
    "get_by_reference": f"{_AGENT}.AgentQueryController/getByReference",
    "get_by_agent": "/ai.stigmer.agentic.agentinstance.v1.AgentInstanceQueryController/getByAgent",
    "list": "/parity.v1.ListService/ListAgents",
    "create": f"{_AGENT}.AgentCommandController/create",
    "update": f"{_AGENT}.AgentCommandController/update",
    "delete": f"{_AGENT}.AgentCommandController/delete",
    "echo": "/parity.bench.Bare/echo",
    "fixed": "/parity.bench.Bare/fixed",
}
"""The method of each operation; the last two are the bare server's."""


def renamed(message: bytes, name: str) -> bytes:
    """Return an Agent's bytes with another name: in wire bytes, what comes again is merged into the earlier."""
    return message + Agent(metadata=ApiResourceMetadata(name=name)).SerializeToString()


def instructed(message: bytes, instructions: str) -> bytes:
    """Return an Agent's bytes with other instructions."""
    return message + Agent(spec=AgentSpec(instructions=instructions)).SerializeToString()


def follow_up(operation: str, answered: bytes, number: int) -> bytes:
    """Return the request of a get, update or delete of the agent that was answered; an update says `number`.

    Raises DecodeError if the answer is no agent.
    """
    if operation == "update":
        return instructed(answered, f"Changed by call {number} of a load.")
    return AgentId(value=Agent.FromString(answered).metadata.id).SerializeToString()
