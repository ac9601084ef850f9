"""The invariants can fail: each kind of damage is seen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.parity.v1.event_pb2 import CloudEvent
from reference_server.bootstrap import build
from reference_server.config import ServerConfig
from reference_server.tests.conftest import TOKENS, Bench
from stores.contract import Delete, Put, Store
from stores.registry import open_store
from tests.invariants import violations
from tests.test_soak import agent


def lose_instance(store: Store, made: Agent) -> None:
    store.commit([Delete("agent_instance", made.status.default_instance_id)])


def lose_agent(store: Store, made: Agent) -> None:
    store.commit([Delete("agent", made.metadata.id)])


def lose_status(store: Store, made: Agent) -> None:
    made.ClearField("status")
    store.commit([Put("agent", made.metadata.id, made)])


def lose_policies(store: Store, made: Agent) -> None:
    key = ("agent", made.metadata.id)
    store.commit([Delete("iam_policy", each.id) for each in store.scan("iam_policy", index="resource", key=key)])


def lose_events(store: Store, made: Agent) -> None:
    events = {each.id: CloudEvent.FromString(each.data) for each in store.scan("event")}
    store.commit([Delete("event", id_) for id_, event in events.items() if event.subject == made.metadata.id])


DAMAGES: dict[Callable[[Store, Agent], None], str] = {
    lose_instance: "names the instance",
    lose_agent: "speaks of",
    lose_status: "has no audit",
    lose_policies: "has no owner",
    lose_events: "was never announced",
}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_damage_is_seen(tmp_path: Path, damage: Callable[[Store, Agent], None]) -> None:
    tokens = tmp_path / "tokens.toml"
    tokens.write_text(TOKENS, encoding="utf-8")
    with open_store("memory:", create=True) as store:
        bench = Bench(build(ServerConfig(profile="cloud", tokens=str(tokens)), store))
        asyncio.run(bench.application.refresh_callers())
        made = bench.call("agent-create", agent("Whole"), "max")
        assert violations(store, cloud=True) == []
        damage(store, made)
        assert any(DAMAGES[damage] in sentence for sentence in violations(store, cloud=True))
        bench.application.close()
