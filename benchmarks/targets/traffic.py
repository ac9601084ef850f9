"""What a target is sent, and which of its answers are right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from google.protobuf.message import Message

from benchmarks.server import calls
from benchmarks.server.calls import Judge
from benchmarks.server.load import Traffic
from benchmarks.server.operations import instructed
from benchmarks.targets.mixes import INSTEAD_OF_LIST, LIST, Mix, Part, draw
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.parity.v1.list_pb2 import ListAgentsResponse, ListRequest

PAGE = 20
DRAWN = 512
"""So many requests of a sort are drawn; then they come again."""


@dataclass(slots=True)
class Stock:
    """What is known of a target's agents: some of those that this run made, in the order in which it did."""

    organization: str
    agents: list[Agent] = field(default_factory=list)
    has_list: bool = True


def traffic_of(mix: Mix, stock: Stock, message: Agent, prefix: str, random: Random) -> tuple[Traffic, ...]:
    """Return a mix as a load sends it. `message` is created, under names that begin with `prefix`."""
    return tuple(_traffic(part, mix, stock, message, prefix, random) for part in mix.parts)


def _traffic(part: Part, mix: Mix, stock: Stock, message: Agent, prefix: str, random: Random) -> Traffic:
    operation = offered(part.operation, stock)
    if operation == "create":
        return Traffic(operation, calls.encoded([message]), part.share, prefix, part.then)
    if operation == LIST:
        return Traffic(operation, calls.encoded([_page(stock)]), part.share)
    drawn = draw(stock.agents, DRAWN, mix, random)
    return Traffic(operation, _requests(operation, drawn, stock), part.share, then=part.then)


def _requests(operation: str, agents: Sequence[Agent], stock: Stock) -> tuple[str, ...]:
    if operation == "update":
        changed = (Agent.FromString(instructed(one.SerializeToString(), "Changed by a load.")) for one in agents)
        return calls.encoded(changed)
    if operation == "get_by_reference":
        return calls.gets_by_reference(agents, stock.organization)
    return {"get": calls.gets, "get_by_agent": calls.gets_by_agent}[operation](agents)


def _page(stock: Stock) -> Message:
    request = ListRequest(org=stock.organization)
    request.page.size = PAGE
    return request


def offered(operation: str, stock: Stock) -> str:
    """Return the operation, or what stands for it on a server that doesn't offer it."""
    return INSTEAD_OF_LIST if operation == LIST and not stock.has_list else operation


def judges_of(stock: Stock, prefix: str) -> dict[str, Judge]:
    """Return what an answer of each operation must be."""
    known = {agent.metadata.id: _unchanging(agent) for agent in stock.agents}

    def is_known(data: bytes) -> bool:
        found = Agent.FromString(data)
        if found.metadata.name.startswith(prefix):
            return bool(found.metadata.id)
        return known.get(found.metadata.id) == _unchanging(found)

    def is_page(data: bytes) -> bool:
        items = ListAgentsResponse.FromString(data).items
        return 0 < len(items) <= PAGE and all(one.metadata.org == stock.organization for one in items)

    return {
        "create": calls.is_created(prefix),
        "get": is_known,
        "get_by_reference": is_known,
        "update": lambda data: is_known(data) and Agent.FromString(data).spec.instructions.startswith("Changed by"),
        "delete": is_known,
        "get_by_agent": calls.has_default_instance(stock.agents),
        LIST: is_page,
    }


def _unchanging(agent: Agent) -> Agent:
    """Return an agent without what loads and their updates change."""
    bare = Agent()
    bare.CopyFrom(agent)
    bare.ClearField("status")
    bare.spec.instructions = ""
    return bare
