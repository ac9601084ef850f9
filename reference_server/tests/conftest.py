"""A server without sockets: operations called directly, over the simplest store."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.commons.apiresource.enum_pb2 import organization
from protos.ai.stigmer.iam.iampolicy.v1.spec_pb2 import IamPolicySpec
from reference_server.authorization.model import SYSTEM, Caller
from reference_server.bootstrap import Application, build
from reference_server.clock import Clock
from reference_server.config import ServerConfig
from reference_server.execution.executor import Executor
from reference_server.profile import Profile
from stores.contract import Store
from stores.registry import open_store

TOKENS = """
[[callers]]
id = "root"
token = "root-token"
operator = true
[[callers]]
id = "ada"
token = "ada-token"
admin_of = ["acme"]
[[callers]]
id = "max"
token = "max-token"
member_of = ["acme"]
[[callers]]
id = "eve"
token = "eve-token"
member_of = ["globex"]
[[callers]]
id = "nobody"
token = "nobody-token"
"""


@dataclass
class Bench:
    """An application and the short ways to use it."""

    application: Application

    @property
    def store(self) -> Store:
        return self.application.store

    @property
    def executor(self) -> Executor:
        return self.application.executor

    def call(self, operation: str, request: Any, caller: str | None = None) -> Any:
        """Run an operation as a caller (in the oss profile: as the system) and parse the answer."""
        found = self.application.context.operations[operation]
        who = SYSTEM if self.application.context.profile is Profile.OSS else Caller(caller) if caller else None
        answer = asyncio.run(self.executor.execute(found, request.SerializeToString(), who))
        return found.response_type.FromString(answer)

    def counts(self) -> dict[str, int]:
        return {kind: self.store.count(kind) for kind in ("agent", "agent_instance", "iam_policy", "event")}


def agent(name: str = "Test Agent", org: str = "acme", **metadata: Any) -> Agent:
    message = Agent(api_version="agentic.stigmer.ai/v1", kind="Agent")
    message.metadata.name = name
    message.metadata.org = org
    message.metadata.owner_scope = organization
    for key, value in metadata.items():
        setattr(message.metadata, key, value)
    message.spec.instructions = "You help with tests."
    return message


def policy(principal: str, relation: str, resource: str) -> IamPolicySpec:
    spec = IamPolicySpec(relation=relation)
    spec.principal.kind, spec.principal.id = principal.split(":")
    spec.resource.kind, spec.resource.id = resource.split(":")
    return spec


def exact_clock() -> Clock:
    """Time that goes on a second a call, and ids that count."""
    times = itertools.count(1_700_000_000_000_000_000, 1_000_000_000)
    ids = itertools.count(1)
    return Clock(now_ns=lambda: next(times), new_ulid=lambda: f"{next(ids):026d}")


@pytest.fixture
def oss() -> Iterator[Bench]:
    with open_store("memory:", create=True) as store:
        application = build(ServerConfig(profile="oss"), store, clock=exact_clock())
        yield Bench(application)
        application.close()


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Bench]:
    tokens = tmp_path / "tokens.toml"
    tokens.write_text(TOKENS, encoding="utf-8")
    with open_store("memory:", create=True) as store:
        application = build(ServerConfig(profile="cloud", tokens=str(tokens)), store, clock=exact_clock())
        asyncio.run(application.refresh_callers())
        yield Bench(application)
        application.close()
