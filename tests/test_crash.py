"""Kill the server in the middle of 200 creates: what was acknowledged is whole, and nothing is half there."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import grpc.aio
import pytest

from benchmarks.server.processes import Running
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agent.v1.command_pb2_grpc import AgentCommandControllerStub
from protos.ai.stigmer.agentic.agent.v1.io_pb2 import AgentId
from protos.ai.stigmer.agentic.agent.v1.query_pb2_grpc import AgentQueryControllerStub
from protos.ai.stigmer.commons.apiresource.enum_pb2 import organization
from stores.registry import open_store
from tests.durable_engines import ENGINES
from tests.invariants import violations
from tests.serving import serve

CREATES = 200
KILL_AFTER = 60
"""Acknowledged creates before the kill: some are done, most are under way."""
CREDENTIALS = (("authorization", "Bearer max-token"),)


def agent(number: int) -> Agent:
    message = Agent(api_version="agentic.stigmer.ai/v1", kind="Agent")
    message.metadata.name = f"Crash Agent {number}"
    message.metadata.org = "acme"
    message.metadata.owner_scope = organization
    message.spec.instructions = "Survive what comes. " * 200
    return message


async def create_until_killed(serving: Running) -> list[Agent]:
    acknowledged: list[Agent] = []
    async with grpc.aio.insecure_channel(serving.address) as channel:
        create = AgentCommandControllerStub(channel).create  # type: ignore[no-untyped-call] # generated

        async def one(number: int) -> None:
            try:
                acknowledged.append(await create(agent(number), metadata=CREDENTIALS, timeout=20))
            except grpc.aio.AioRpcError:
                return
            if len(acknowledged) == KILL_AFTER:
                serving.kill()

        await asyncio.gather(*(one(number) for number in range(CREATES)))
    return acknowledged


async def read_back(serving: Running, agents: list[Agent]) -> list[Agent]:
    async with grpc.aio.insecure_channel(serving.address) as channel:
        get = AgentQueryControllerStub(channel).get  # type: ignore[no-untyped-call] # generated
        return [await get(AgentId(value=each.metadata.id), metadata=CREDENTIALS, timeout=20) for each in agents]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("codec", ["protobuf", "json-orjson"])
def test_acknowledged_agents_survive_sigkill_whole(tmp_path: Path, engine: str, codec: str) -> None:
    url = f"{engine}:{tmp_path / 'db'}?codec={codec}&durability=durable"
    first = serve(url, tmp_path / "first.log")
    acknowledged = asyncio.run(create_until_killed(first))
    assert KILL_AFTER <= len(acknowledged) < CREATES, "the kill came too late to hit anything under way"
    second = serve(url, tmp_path / "second.log")
    try:
        assert asyncio.run(read_back(second, acknowledged)) == acknowledged
    finally:
        assert second.stop() == 0
    with open_store(url, create=True) as store:
        assert violations(store, cloud=True) == []
        assert store.count("agent") >= len(acknowledged)
