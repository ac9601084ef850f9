"""A Parity server whose authorizer is OpenFGA, as users run it, and the calls that tests make."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2

from benchmarks.server.processes import Running, started
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agent.v1.io_pb2 import AgentId
from protos.ai.stigmer.commons.apiresource.enum_pb2 import organization
from protos.ai.stigmer.iam.iampolicy.v1.api_pb2 import IamPolicy
from protos.ai.stigmer.iam.iampolicy.v1.io_pb2 import CheckAuthorizationInput, CheckAuthorizationResult
from protos.ai.stigmer.iam.iampolicy.v1.spec_pb2 import IamPolicySpec
from protos.parity.v1.list_pb2 import ListAgentsResponse, ListRequest
from tests.serving import TOKENS

DEADLINE_SECONDS = 30.0
"""Of every call: whoever gets DEADLINE_EXCEEDED was kept waiting."""
RECOVERY_SECONDS = 40.0
ROOT, MAX = "root-token", "max-token"
_AGENT, _POLICY = "ai.stigmer.agentic.agent.v1.Agent", "ai.stigmer.iam.iampolicy.v1.IamPolicy"


@dataclass
class Guarded:
    """A server, and a channel to it."""

    running: Running
    channel: grpc.Channel

    def call(self, method: str, request: Any, response: Any, token: str = ROOT) -> Any:
        """Call `package.Service/Method`."""
        invoke = self.channel.unary_unary(
            f"/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=response.FromString,
        )
        return invoke(request, metadata=(("authorization", f"Bearer {token}"),), timeout=DEADLINE_SECONDS)

    def create(self, name: str, token: str = MAX) -> str:
        """Create an agent in the organization acme; return its id."""
        agent = Agent(api_version="agentic.stigmer.ai/v1", kind="Agent")
        agent.metadata.name, agent.metadata.org, agent.metadata.owner_scope = name, "acme", organization
        agent.spec.instructions = "You help with tests."
        return str(self.call(f"{_AGENT}CommandController/create", agent, Agent, token).metadata.id)

    def get(self, agent_id: str, token: str = MAX) -> Agent:
        """Return an agent."""
        found: Agent = self.call(f"{_AGENT}QueryController/get", AgentId(value=agent_id), Agent, token)
        return found

    def names(self, token: str = ROOT) -> list[str]:
        """Return the names of all agents that may be seen."""
        page = self.call("parity.v1.ListService/ListAgents", ListRequest(), ListAgentsResponse, token)
        return [each.metadata.name for each in page.items]

    def grant(self, principal: str, relation: str, resource: str) -> IamPolicy:
        """Store a policy."""
        spec = spec_of(principal, relation, resource)
        policy: IamPolicy = self.call(f"{_POLICY}CommandController/create", spec, IamPolicy)
        return policy

    def revoke(self, principal: str, relation: str, resource: str) -> None:
        """Remove a policy."""
        self.call(f"{_POLICY}CommandController/delete", spec_of(principal, relation, resource), IamPolicy)

    def check(self, question: IamPolicySpec, *contextual: IamPolicySpec) -> bool:
        """Ask whether something is allowed."""
        request = CheckAuthorizationInput(policy=question, contextual_policies=contextual)
        method = f"{_POLICY}QueryController/checkAuthorization"
        return bool(self.call(method, request, CheckAuthorizationResult).is_authorized)

    def health(self, service: str = "parity.authorizer") -> str:
        """Return what the health service says."""
        request, response = health_pb2.HealthCheckRequest(service=service), health_pb2.HealthCheckResponse
        status = self.call("grpc.health.v1.Health/Check", request, response).status
        return str(response.ServingStatus.Name(status))

    def becomes_healthy(self) -> None:
        """Wait until the authorizer is well again."""
        eventually(lambda: self.health() == "SERVING")


@contextmanager
def guarded(store_url: str, authorizer: str, folder: Path) -> Iterator[Guarded]:
    """Run `parity serve` over a store, with an authorizer (`embedded`, or where OpenFGA is)."""
    tokens = folder / "tokens.toml"
    tokens.write_text(TOKENS, encoding="utf-8")
    command = [sys.executable, "-m", "parity.main", "serve", "--store", store_url, "--profile", "cloud"]
    command += ["--listen", "127.0.0.1:0", "--tokens", str(tokens), "--authorizer", authorizer]
    with started(command, folder / "server.log") as running, grpc.insecure_channel(running.address) as channel:
        yield Guarded(running, channel)


def spec_of(principal: str, relation: str, resource: str) -> IamPolicySpec:
    """Return a policy's content, of texts like `agent:a`."""
    spec = IamPolicySpec(relation=relation)
    spec.principal.kind, _, spec.principal.id = principal.partition(":")
    spec.principal.id, _, spec.principal.relation = spec.principal.id.partition("#")
    spec.resource.kind, _, spec.resource.id = resource.partition(":")
    return spec


def refused(call: Callable[[], object]) -> tuple[str, str]:
    """Return code and reason of the refusal of a call that must be refused."""
    try:
        answer = call()
    except grpc.RpcError as error:
        found = {str(key): value for key, value in error.trailing_metadata()}  # type: ignore[misc, has-type] # lagging stubs
        status = status_pb2.Status.FromString(found.get("grpc-status-details-bin", b""))
        for detail in status.details:
            info = error_details_pb2.ErrorInfo()
            if detail.Unpack(info):
                return error.code().name, info.reason
        return error.code().name, ""
    raise AssertionError(f"it was answered: {answer}")


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    until = time.monotonic() + RECOVERY_SECONDS
    while not holds():
        assert time.monotonic() < until, "it never came to hold"
        time.sleep(0.05)
