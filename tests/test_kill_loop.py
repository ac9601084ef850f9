"""Kill the server again and again over one database: no half state, no lost acknowledged write, a clean start."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import grpc.aio
import pytest

from benchmarks.server.processes import START_S, Running
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agent.v1.io_pb2 import AgentId
from stores.registry import open_store
from tests.durable_engines import ENGINES
from tests.invariants import violations
from tests.serving import serve
from tests.test_soak import CREDENTIALS, agent

WORKERS = 12


async def load_until_killed(serving: Running, name: str, after_seconds: float) -> tuple[list[str], list[str]]:
    """Create and delete until the server dies, which it does some time after the first deletes were acknowledged.

    Returns the ids acknowledged as created and those acknowledged as deleted.
    """
    created: list[str] = []
    deleted: list[str] = []
    under_way = asyncio.Event()
    async with grpc.aio.insecure_channel(serving.address) as channel:
        service = "/ai.stigmer.agentic.agent.v1.AgentCommandController/"
        create = channel.unary_unary(
            service + "create", request_serializer=bytes, response_deserializer=Agent.FromString
        )
        delete = channel.unary_unary(
            service + "delete", request_serializer=bytes, response_deserializer=Agent.FromString
        )

        async def work(worker: int) -> None:
            for number in range(10_000):
                try:
                    request = agent(f"{name} {worker} {number}").SerializeToString()
                    made = await create(request, metadata=CREDENTIALS, timeout=5)
                    if number % 4 == 3:
                        # An unanswered delete may have happened or not: its id is in neither list.
                        request = AgentId(value=made.metadata.id).SerializeToString()
                        await delete(request, metadata=CREDENTIALS, timeout=5)
                        deleted.append(made.metadata.id)
                        if len(deleted) >= WORKERS // 2:
                            under_way.set()
                    else:
                        created.append(made.metadata.id)
                except grpc.aio.AioRpcError:
                    return

        async def kill() -> None:
            await asyncio.wait_for(under_way.wait(), START_S)
            await asyncio.sleep(after_seconds)
            serving.kill()

        await asyncio.gather(kill(), *(work(worker) for worker in range(WORKERS)))
    return created, deleted


ROUNDS_PER_LOOK = 10


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rounds", [3, pytest.param(50, marks=[pytest.mark.full, pytest.mark.timeout(900)])])
def test_kill_loop(tmp_path: Path, engine: str, rounds: int) -> None:
    url = f"{engine}:{tmp_path / 'db'}?durability=durable"
    rng = random.Random(rounds)
    kept: set[str] = set()
    gone: set[str] = set()
    for number in range(rounds):
        serving = serve(url, tmp_path / "server.log")
        created, deleted = asyncio.run(load_until_killed(serving, f"R{number}", rng.random() * 0.5))
        kept.update(created)
        gone.update(deleted)
        with open_store(url, create=True) as store:
            # Half a state stays half in later rounds; looking at all of it costs more the longer the loop runs.
            if number % ROUNDS_PER_LOOK == ROUNDS_PER_LOOK - 1 or number == rounds - 1:
                assert violations(store, cloud=True) == [], f"round {number}"
            assert [found for found in kept if store.get_bytes("agent", found) is None] == [], f"round {number}"
            assert [found for found in gone if store.get_bytes("agent", found) is not None] == [], f"round {number}"
    assert len(kept) > rounds, "hardly anything was acknowledged: the kills came too early to show anything"
    assert gone
