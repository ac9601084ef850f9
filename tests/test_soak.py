"""Everything at once for a while: only named answers, no growth, and a store in which all invariants hold."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from benchmarks.server.processes import Running
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agent.v1.io_pb2 import AgentId
from protos.ai.stigmer.agentic.agentinstance.v1.api_pb2 import AgentInstance
from protos.ai.stigmer.agentic.agentinstance.v1.io_pb2 import AgentInstanceList, GetAgentInstancesByAgentRequest
from protos.ai.stigmer.commons.apiresource.enum_pb2 import organization
from protos.ai.stigmer.commons.apiresource.io_pb2 import ApiResourceReference
from protos.parity.v1.list_pb2 import ListAgentsResponse, ListRequest
from stores.registry import open_store
from tests.invariants import violations
from tests.serving import serve

CALLERS = 32
CREDENTIALS = (("authorization", "Bearer max-token"),)
AGENT = "/ai.stigmer.agentic.agent.v1.Agent"
INSTANCE = "/ai.stigmer.agentic.agentinstance.v1.AgentInstance"
NAMED = {
    "OK",
    "NOT_FOUND",
    "PERMISSION_DENIED",
    "ALREADY_EXISTS",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "CANCELLED",
    "ABORTED",
}
MEMORY_GROWTH_MAX_BYTES = 96 * 1024 * 1024
"""LevelDB's write buffers and caches fill during the run; a leak of a message per request would be far beyond this."""
DESCRIPTOR_GROWTH_MAX = 60
"""32 connections' worth of sockets, and the table files that LevelDB opens as it grows."""


def agent(name: str) -> Agent:
    message = Agent(api_version="agentic.stigmer.ai/v1", kind="Agent")
    message.metadata.name = name
    message.metadata.org = "acme"
    message.metadata.owner_scope = organization
    message.spec.instructions = "Keep going, whatever the others do. " * 40
    return message


def instance(agent_id: str, name: str) -> AgentInstance:
    message = AgentInstance(api_version="agentic.stigmer.ai/v1", kind="AgentInstance")
    message.metadata.name = name
    message.metadata.org = "acme"
    message.metadata.owner_scope = organization
    message.spec.agent_id = agent_id
    return message


@dataclass
class Caller:
    """One of the callers: what it has made, and what it was answered."""

    channel: Any
    random: random.Random
    number: int
    ids: list[str] = field(default_factory=list)
    codes: Counter[str] = field(default_factory=Counter)

    async def call(self, method: str, request: Any, response: Any, within: float = 10.0) -> Any:
        invoke = self.channel.unary_unary(
            method, request_serializer=type(request).SerializeToString, response_deserializer=response.FromString
        )
        try:
            answer = await invoke(request, metadata=CREDENTIALS, timeout=within)
        except grpc.aio.AioRpcError as error:
            self.codes[error.code().name] += 1
            return None
        self.codes["OK"] += 1
        return answer

    def an_id(self) -> str:
        return self.random.choice(self.ids) if self.ids and self.random.random() < 0.9 else "agt-unknown"

    async def create(self) -> None:
        made = await self.call(f"{AGENT}CommandController/create", agent(f"S {self.random.randrange(400)}"), Agent)
        if made is not None:
            self.ids.append(made.metadata.id)

    async def apply(self) -> None:
        await self.call(f"{AGENT}CommandController/apply", agent(f"Shared {self.random.randrange(5)}"), Agent)

    async def update(self) -> None:
        request = agent("Renamed")
        request.metadata.id = self.an_id()
        await self.call(f"{AGENT}CommandController/update", request, Agent)

    async def delete(self) -> None:
        found = self.an_id()
        if await self.call(f"{AGENT}CommandController/delete", AgentId(value=found), Agent) is not None:
            self.ids.remove(found)

    async def read(self) -> None:
        await self.call(f"{AGENT}QueryController/get", AgentId(value=self.an_id()), Agent)
        await self.call(f"{AGENT}QueryController/getByReference", ApiResourceReference(slug="shared-1"), Agent)
        request = GetAgentInstancesByAgentRequest(agent_id=self.an_id())
        await self.call(f"{INSTANCE}QueryController/getByAgent", request, AgentInstanceList)

    async def list(self) -> None:
        request = ListRequest(org="acme")
        request.page.size = 20
        await self.call("/parity.v1.ListService/ListAgents", request, ListAgentsResponse)

    async def instance(self) -> None:
        name = f"i {self.number} {self.random.randrange(10**6)}"
        await self.call(f"{INSTANCE}CommandController/create", instance(self.an_id(), name), AgentInstance)

    async def invalid(self) -> None:
        await self.call(f"{AGENT}CommandController/create", Agent(), Agent)

    async def expire(self) -> None:
        await self.call(f"{AGENT}CommandController/create", agent(f"E {self.random.random()}"), Agent, within=0.001)

    async def cancel(self) -> None:
        task = asyncio.create_task(self.create())
        await asyncio.sleep(self.random.random() * 0.004)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            self.codes["CANCELLED"] += 1

    async def run(self, until: float) -> None:
        loop = asyncio.get_running_loop()
        mix = [self.create, self.apply, self.update, self.delete, self.read, self.read, self.list, self.instance]
        mix += [self.invalid, self.expire, self.cancel]
        while loop.time() < until:
            await self.random.choice(mix)()


async def soak(address: str, seconds: float, seed: int) -> Counter[str]:
    until = asyncio.get_running_loop().time() + seconds
    async with grpc.aio.insecure_channel(address) as channel:
        callers = [Caller(channel, random.Random(seed + number), number) for number in range(CALLERS)]
        await asyncio.gather(*(caller.run(until) for caller in callers))
    return sum((caller.codes for caller in callers), Counter())


def resources_of(serving: Running) -> tuple[int, int]:
    """Resident bytes and open file descriptors of the server's process."""
    process = Path(f"/proc/{serving.process.pid}")
    resident = next(line for line in (process / "status").read_text().splitlines() if line.startswith("VmRSS:"))
    return int(resident.split()[1]) * 1024, len(list((process / "fd").iterdir()))


@pytest.mark.parametrize("seconds", [6, pytest.param(120, marks=[pytest.mark.full, pytest.mark.timeout(300)])])
def test_soak(tmp_path: Path, seconds: int) -> None:
    url = f"leveldb:{tmp_path / 'db'}?durability=durable"
    serving = serve(url, tmp_path / "server.log")
    try:
        warm = asyncio.run(soak(serving.address, seconds * 0.4, seed=1))
        before = resources_of(serving)
        codes = asyncio.run(soak(serving.address, seconds * 0.6, seed=2)) + warm
        after = resources_of(serving)
    finally:
        assert serving.stop() == 0
    assert set(codes) <= NAMED, codes
    assert codes["OK"] > 100 * seconds / 6
    assert codes["DEADLINE_EXCEEDED"], "no deadline expired; the soak shows nothing about deadlines"
    assert codes["CANCELLED"], "nothing was cancelled; the soak shows nothing about cancelling"
    assert after[0] - before[0] < MEMORY_GROWTH_MAX_BYTES
    assert after[1] - before[1] < DESCRIPTOR_GROWTH_MAX
    log = (tmp_path / "server.log").read_text(encoding="utf-8")
    assert '"level": "error"' not in log, log[-2000:]
    assert "Traceback" not in log, log[-2000:]
    with open_store(url, create=True) as store:
        assert violations(store, cloud=True) == []
