"""The calls that loads are made of: paths and messages, and whether an answer is the right one."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence

from google.protobuf.message import DecodeError, Message

from benchmarks.payloads.generator import generate
from benchmarks.server.load import LoadReport
from benchmarks.server.processes import ORGANIZATION
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agent.v1.io_pb2 import AgentId
from protos.ai.stigmer.agentic.agentinstance.v1.io_pb2 import AgentInstanceList, GetAgentInstancesByAgentRequest
from protos.ai.stigmer.commons.apiresource.apiresourcekind.api_resource_kind_pb2 import agent as agent_kind
from protos.ai.stigmer.commons.apiresource.enum_pb2 import organization
from protos.ai.stigmer.commons.apiresource.io_pb2 import ApiResourceReference

_STATUS_NAMES = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
    "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
    "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip


class WrongAnswers(Exception):
    """A server answered what it mustn't: no number. The message says what."""


def agent_to_create(seed: int, size_class: str, organization_of: str = ORGANIZATION) -> Agent:
    """Return a valid agent of an organization, of the middle of a size class."""
    pool = sorted(generate(15, seed, size_class=size_class).agents, key=lambda agent: agent.ByteSize())
    chosen = pool[len(pool) // 2]
    chosen.metadata.org = organization_of
    return chosen


def encoded(messages: Iterable[Message]) -> tuple[str, ...]:
    """Return messages as a load's plan holds them."""
    return tuple(base64.b64encode(message.SerializeToString()).decode() for message in messages)


def gets(agents: Sequence[Agent]) -> tuple[str, ...]:
    """Return a get of each agent."""
    return encoded(AgentId(value=agent.metadata.id) for agent in agents)


def gets_by_reference(agents: Sequence[Agent], organization_of: str = ORGANIZATION) -> tuple[str, ...]:
    """Return a getByReference of each agent, all of one organization."""
    return encoded(
        ApiResourceReference(scope=organization, org=organization_of, kind=agent_kind, slug=agent.metadata.slug)
        for agent in agents
    )


def gets_by_agent(agents: Sequence[Agent]) -> tuple[str, ...]:
    """Return a getByAgent of each agent."""
    return encoded(GetAgentInstancesByAgentRequest(agent_id=agent.metadata.id) for agent in agents)


Judge = Callable[[bytes], bool]
"""Says whether the bytes of an answer are right."""


def is_created(prefix: str) -> Judge:
    """Accept an agent with an id, a default instance, and a name that this load gave."""

    def judge(data: bytes) -> bool:
        agent = Agent.FromString(data)
        named = agent.metadata.name.startswith(prefix)
        return bool(agent.metadata.id and agent.status.default_instance_id and named)

    return judge


def is_one_of(agents: Sequence[Agent]) -> Judge:
    """Accept exactly these agents."""
    known = {agent.metadata.id: agent for agent in agents}
    return lambda data: (found := Agent.FromString(data)) == known.get(found.metadata.id)


def has_default_instance(agents: Sequence[Agent]) -> Judge:
    """Accept a list that holds the default instance of one of these agents."""
    known = {agent.status.default_instance_id for agent in agents}
    return lambda data: any(item.metadata.id in known for item in AgentInstanceList.FromString(data).items)


def has_bytes(count: int, spare: int = 64) -> Judge:
    """Accept an answer of this many bytes, or up to `spare` more (a unique name)."""
    return lambda data: count <= len(data) <= count + spare


def require_right(report: LoadReport, judges: Mapping[str, Judge], what: str) -> None:
    """Check statuses and sampled bodies by operation: an error of gRPC is a success of HTTP. Raises WrongAnswers."""
    for operation, answers in report.operations.items():
        named = what if len(report.operations) == 1 else f"{what}: {operation}"
        bad_answers = {status: count for status, count in answers.statuses.items() if status != 0}
        if bad_answers:
            told = ", ".join(f"{_name(status)} {count} times" for status, count in sorted(bad_answers.items()))
            raise WrongAnswers(f"{named} was answered {told}")
        wrong = [one for one in answers.samples if not _accepts(judges[operation], base64.b64decode(one))]
        if wrong:
            raise WrongAnswers(f"{named}: {len(wrong)} of {len(answers.samples)} sampled answers are not right")
    if not report.completed:
        raise WrongAnswers(f"{what} was not answered in time")


def _accepts(judge: Judge, data: bytes) -> bool:
    try:
        return judge(data)
    except DecodeError:
        return False


def _name(status: int) -> str:
    return _STATUS_NAMES[status] if 0 <= status < len(_STATUS_NAMES) else f"without status ({status})"
