"""A corpus through a server: what comes back equal, what is refused, and what has changed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from parity.corpus import difference, send_all
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.commons.apiresource.enum_pb2 import platform
from tests.second_server.server import RunningServer, start


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    running = start("oss", {})
    yield running
    running.stop()


def agent(name: str, **spec: str) -> Agent:
    made = Agent(api_version="agentic.stigmer.ai/v1", kind="Agent")
    made.metadata.name = name
    made.metadata.owner_scope = platform
    made.spec.instructions = spec.get("instructions", "Be of help to people.")
    return made


def test_agents_that_come_back_equal_and_one_that_is_refused(server: RunningServer) -> None:
    agents = [agent("One"), agent("Two", instructions="Zwei für alle 🎯"), agent("Bad", instructions="short")]
    first, second, third = send_all(server.address, agents)
    assert (first, second) == (None, None)
    assert third is not None
    assert third.startswith("Bad: INVALID_ARGUMENT")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda made: made.spec.ClearField("instructions"), "spec differs"),
        (lambda made: made.metadata.labels.update(a="b"), "metadata differs"),
        (lambda made: made.metadata.ClearField("id"), "missing"),
        (lambda made: made.status.ClearField("default_instance_id"), "missing"),
    ],
)
def test_a_changed_agent_is_noticed(change: object, sentence: str) -> None:
    sent = agent("Sent")
    made = agent("Sent")
    made.metadata.id, made.metadata.slug, made.status.default_instance_id = "agt-1", "sent", "ain-1"
    assert difference(sent, made, made) == ""
    assert callable(change)
    change(made)
    assert sentence in difference(sent, made, made)


def test_get_that_answers_something_else_is_noticed() -> None:
    assert "get answers" in difference(agent("A"), agent("A"), agent("B"))
