"""Real agents through a real server: each is created, read back, and compared field by field with what was sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import grpc

from protos.ai.stigmer.agentic.agent.v1 import command_pb2, query_pb2
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agent.v1.io_pb2 import AgentId

CALLS_AT_ONCE = 8
DEADLINE_S = 30.0
_OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    # A request may hold 10 MiB, and so may an answer; gRPC's own limit is 4.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
)
_CREATE = f"/{command_pb2.DESCRIPTOR.services_by_name['AgentCommandController'].full_name}/create"
_GET = f"/{query_pb2.DESCRIPTOR.services_by_name['AgentQueryController'].full_name}/get"


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """What became of the agents of a corpus on one store: how many came back equal, and the others by name."""

    store: str
    agents: int
    equal: int
    differences: tuple[str, ...]
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether all came back as they were sent."""
        return not self.differences and self.equal == self.agents


def send_all(address: str, agents: Sequence[Agent]) -> Iterator[str | None]:
    """Create each agent and read it back; yield None for one that came back equal, else what is wrong with it."""
    with grpc.insecure_channel(address, _OPTIONS) as channel, ThreadPoolExecutor(CALLS_AT_ONCE) as pool:
        create = channel.unary_unary(
            _CREATE, request_serializer=Agent.SerializeToString, response_deserializer=Agent.FromString
        )
        get = channel.unary_unary(
            _GET, request_serializer=AgentId.SerializeToString, response_deserializer=Agent.FromString
        )

        def send(agent: Agent) -> str | None:
            try:
                made: Agent = create(agent, timeout=DEADLINE_S)
                read: Agent = get(AgentId(value=made.metadata.id), timeout=DEADLINE_S)
            except grpc.RpcError as error:
                return f"{agent.metadata.name}: {error.code().name}: {error.details()}"
            found = difference(agent, made, read)
            return f"{agent.metadata.name}: {found}" if found else None

        yield from pool.map(send, agents)


def difference(sent: Agent, made: Agent, read: Agent) -> str:
    """Say how an agent came back other than it was sent; empty when it didn't."""
    if read != made:
        return "get answers something else than create did"
    if not made.metadata.id or not made.metadata.slug or not made.status.default_instance_id:
        return "id, slug or default instance is missing"
    expected = Agent()
    expected.CopyFrom(sent)
    expected.metadata.id = made.metadata.id
    expected.metadata.slug = sent.metadata.slug or made.metadata.slug
    expected.status.CopyFrom(made.status)
    if expected == made:
        return ""
    changed = [
        field.name for field in Agent.DESCRIPTOR.fields if getattr(expected, field.name) != getattr(made, field.name)
    ]
    return f"{', '.join(changed)} differs from what was sent"
