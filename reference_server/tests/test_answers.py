"""Answers that are remembered are never older than what anybody was told."""

from __future__ import annotations

import asyncio

import pytest

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agent.v1.io_pb2 import AgentId
from protos.ai.stigmer.commons.apiresource.io_pb2 import ApiResourceDeleteInput
from reference_server.answers import ANSWER_BYTES_MAX, Answers, request_of
from reference_server.call import SYSTEM
from reference_server.errors import NotFound
from reference_server.executor import Executor
from reference_server.tests.conftest import Bench, agent
from stores.contract import Batch, Delete, Operation, Put
from stores.group_commit_turn import TurnCommitter

A, B = request_of("a"), request_of("b")
REWRITES_A = [Put("agent", "a", Agent(), "present", 1)]
REVOKES = [Delete("iam_policy", "p")]


def learned(answers: Answers, request: bytes = A, caller: str = "ada", answer: bytes = b"answer") -> None:
    answers.learn("agent", request, caller, answer)


def test_an_answer_is_for_those_who_had_it() -> None:
    answers = Answers()
    learned(answers)
    assert answers.find("agent", A, "ada") == b"answer"
    assert answers.find("agent", A, "max") is None
    assert answers.find("environment", A, "ada") is None
    learned(answers, caller="max")
    assert answers.find("agent", A, "max") == answers.find("agent", A, "ada") == b"answer"


@pytest.mark.parametrize(("batch", "others"), [(REWRITES_A, b"other"), (REVOKES, None)])
def test_a_write_makes_it_forgotten_and_not_learned_meanwhile(batch: list[Operation], others: bytes | None) -> None:
    answers = Answers()
    learned(answers)
    learned(answers, B, answer=b"other")
    with answers.during(batch):
        assert answers.find("agent", A, "ada") is None
        learned(answers)
        assert answers.find("agent", A, "ada") is None
        with answers.during(batch):
            pass
        learned(answers)
        assert answers.find("agent", A, "ada") is None, "one of two writes goes on"
    assert answers.find("agent", B, "ada") == others
    learned(answers, answer=b"new")
    assert answers.find("agent", A, "ada") == b"new"


def test_a_failed_write_leaves_nothing_behind() -> None:
    answers = Answers()
    with pytest.raises(MemoryError), answers.during([*REWRITES_A, *REVOKES]):
        raise MemoryError
    learned(answers)
    assert answers.find("agent", A, "ada") == b"answer"


def test_the_oldest_go_when_there_are_too_many() -> None:
    answers = Answers(bytes_max=10_000)
    for number in range(100):
        learned(answers, request_of(str(number)), answer=b"x" * 1000)
    kept = [number for number in range(100) if answers.find("agent", request_of(str(number)), "ada")]
    assert kept == list(range(100 - len(kept), 100))
    assert 1 < len(kept) <= 10
    learned(answers, A, answer=b"x" * (ANSWER_BYTES_MAX + 1))
    assert answers.find("agent", A, "ada") is None


def test_the_request_of_an_id_is_what_clients_send() -> None:
    for id_ in ("agt-1", "é", "x" * 127):
        assert request_of(id_) == AgentId(value=id_).SerializeToString()


# ---- in the server


def got(bench: Bench, id_: str) -> bytes | None:
    way = bench.executor.short_way(bench.application.rules.operations["agent-get"])
    assert way is not None
    return way(AgentId(value=id_).SerializeToString(), SYSTEM)


def test_updates_and_deletes_are_seen_at_once(oss: Bench) -> None:
    made = oss.call("agent-create", agent())
    assert got(oss, made.metadata.id) == got(oss, made.metadata.id) == made.SerializeToString()
    made.spec.description = "changed"
    changed = oss.call("agent-update", made)
    assert changed.spec.description == "changed"
    assert got(oss, made.metadata.id) == changed.SerializeToString()
    oss.call("agent-delete", ApiResourceDeleteInput(resource_id=made.metadata.id))
    assert got(oss, made.metadata.id) is None
    with pytest.raises(NotFound):
        oss.call("agent-get", AgentId(value=made.metadata.id))


def test_a_caller_who_leaves_during_the_write_leaves_no_old_answer(oss: Bench) -> None:
    """The write goes on without him, and so does the forgetting."""
    made = oss.call("agent-create", agent())
    begun, go_on = asyncio.Event(), asyncio.Event()

    class Slow(TurnCommitter):
        async def commit(self, batch: Batch) -> int:
            begun.set()
            await go_on.wait()
            return oss.store.commit(batch)

    executor = Executor(oss.store, oss.application.rules, Slow(oss.store))
    operations = oss.application.rules.operations
    way = executor.short_way(operations["agent-get"])
    assert way is not None
    request = AgentId(value=made.metadata.id).SerializeToString()
    before = made.SerializeToString()
    made.spec.description = "changed"

    async def scene() -> None:
        update = executor.execute(operations["agent-update"], made.SerializeToString(), SYSTEM)
        leaving = asyncio.ensure_future(update)
        await begun.wait()
        leaving.cancel()
        assert way(request, SYSTEM) == before
        go_on.set()
        for _ in range(100):
            await asyncio.sleep(0)
        assert leaving.cancelled()

    asyncio.run(scene())
    assert Agent.FromString(way(request, SYSTEM) or b"").spec.description == "changed"
