"""Whatever calls were made, the database holds together: `verify` finds no damage in what was only used properly."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from protos.ai.stigmer.agentic.agent.v1.io_pb2 import AgentId
from protos.ai.stigmer.agentic.agentinstance.v1.api_pb2 import AgentInstance
from protos.ai.stigmer.agentic.agentinstance.v1.io_pb2 import AgentInstanceId
from reference_server.bootstrap import build
from reference_server.config import ServerConfig
from reference_server.errors import ApiError, NotFound
from reference_server.tests.conftest import TOKENS, Bench, agent, exact_clock, policy
from stores.integrity.verify import verify
from stores.registry import SCHEMES, open_store, unavailable

ENGINES = [scheme.name for scheme in SCHEMES if scheme.options and not unavailable(scheme)]
CALLS = 300
CALLER = "root"
CHANGING = tuple(
    f"{kind}-{verb}" for kind in ("agent", "agent-instance") for verb in ("create", "apply", "update", "delete")
)
LAWFUL = {"default-instance-gone", "policy-of-nothing"}


class History:
    """Random calls of every sort that changes something, right ones and refused ones."""

    def __init__(self, bench: Bench, seed: int) -> None:
        self._bench = bench
        self._random = Random(seed)
        self.done: Counter[str] = Counter()

    def go_on(self) -> None:
        calls = (self._agent, self._agent, self._instance, self._delete, self._delete, self._policy)
        name, request = self._random.choice(calls)()
        if name not in self._bench.application.context.operations:  # the oss profile knows no policies
            return
        try:
            self._bench.call(name, request, CALLER)
        except ApiError as error:
            self.done[f"{name} {type(error).__name__}"] += 1
        else:
            self.done[name] += 1

    def _agent(self) -> tuple[str, Any]:
        verb = self._random.choice(("create", "create", "apply", "update"))
        request = agent(f"Agent {self._random.randrange(12)}")
        request.spec.instructions = f"You were made by call {self.done.total()}."
        if verb == "create" and self._random.random() < 0.2:
            request.metadata.id = f"agt-{self._random.randrange(9)}"
        if verb == "update":
            request.metadata.id = self._some("agent")
        return f"agent-{verb}", request

    def _instance(self) -> tuple[str, Any]:
        verb = self._random.choice(("create", "apply", "update"))
        request = AgentInstance(api_version="agentic.stigmer.ai/v1", kind="AgentInstance")
        request.metadata.CopyFrom(agent(f"Instance {self._random.randrange(12)}").metadata)
        if verb == "update":
            request.metadata.id = self._some("agent_instance")
        request.spec.agent_id = self._some("agent")
        return f"agent-instance-{verb}", request

    def _delete(self) -> tuple[str, Any]:
        if self._random.random() < 0.3:
            return "agent-delete", AgentId(value=self._some("agent"))
        return "agent-instance-delete", AgentInstanceId(value=self._some("agent_instance"))

    def _policy(self) -> tuple[str, Any]:
        verb, kind = (
            self._random.choice(("create", "create", "delete")),
            self._random.choice(("agent", "agent_instance")),
        )
        who = self._random.choice(("identity_account:ada", f"agent:{self._some('agent')}"))
        return f"iam-policy-{verb}", policy(who, "viewer", f"{kind}:{self._some(kind)}")

    def _some(self, kind: str) -> str:
        """Return an id that is there, or, seldom, one that is not."""
        ids = [record.id for record in self._bench.store.scan(kind)]
        return self._random.choice(ids) if ids and self._random.random() < 0.9 else f"gone-{self._random.randrange(3)}"


@pytest.mark.parametrize("profile", ["oss", "cloud"])
@pytest.mark.parametrize(
    ("engine", "calls", "seeds"),
    [
        ("leveldb", CALLS, 1),
        *(pytest.param(name, 10 * CALLS, 5, marks=pytest.mark.full) for name in ENGINES),
    ],
)
def test_a_store_that_was_used_properly_is_whole(
    engine: str, profile: str, calls: int, seeds: int, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens.toml"
    tokens.write_text(TOKENS, encoding="utf-8")
    config = ServerConfig(profile=profile, tokens=str(tokens) if profile == "cloud" else "")
    for seed in range(seeds):
        url = f"{engine}:{tmp_path / f'{seed}'}?durability=relaxed"
        with open_store(url, create=True) as store:
            application = build(config, store, clock=exact_clock())
            asyncio.run(application.refresh_callers())
            history = History(Bench(application), seed)
            for _ in range(calls):
                history.go_on()
            application.close()
        found = verify(url)
        assert [finding for finding in found if not finding.lawful] == [], history.done
        assert {finding.what for finding in found} <= LAWFUL
        assert min(history.done[name] for name in CHANGING) > 0, history.done


def test_an_instance_never_moves_to_an_agent_that_is_not_there(cloud: Bench) -> None:
    made = cloud.call("agent-create", agent(), CALLER)
    instance: Any = cloud.store.get("agent_instance", made.status.default_instance_id)
    instance.spec.agent_id = "gone"
    for operation in ("agent-instance-update", "agent-instance-apply"):
        with pytest.raises(NotFound):
            cloud.call(operation, instance, CALLER)
    kept: Any = cloud.store.get("agent_instance", made.status.default_instance_id)
    assert kept.spec.agent_id == made.metadata.id
