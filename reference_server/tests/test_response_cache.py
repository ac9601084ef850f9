"""ResponseCache that are remembered are never older than what anybody was told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agent.v1.io_pb2 import AgentId
from protos.ai.stigmer.commons.apiresource.io_pb2 import ApiResourceDeleteInput
from reference_server.authorization.model import SYSTEM
from reference_server.bootstrap import build
from reference_server.config import ServerConfig
from reference_server.errors import NotFound
from reference_server.fast.get import RESPONSE_BYTES_MAX, ResponseCache, request_of
from reference_server.tests.conftest import Bench, agent
from stores.contract import BatchOperation, Delete, Put
from stores.suite.held_store import WAIT_SECONDS, HeldStore

A, B = request_of("a"), request_of("b")
REWRITES_A = [Put("agent", "a", Agent(), "present", 1)]
REVOKES = [Delete("iam_policy", "p")]


def learned(cache: ResponseCache, request: bytes = A, caller: str = "ada", response: bytes = b"response") -> None:
    cache.learn("agent", request, caller, response)


def test_an_answer_is_for_those_who_had_it() -> None:
    cache = ResponseCache()
    learned(cache)
    assert cache.find("agent", A, "ada") == b"response"
    assert cache.find("agent", A, "max") is None
    assert cache.find("environment", A, "ada") is None
    learned(cache, caller="max")
    assert cache.find("agent", A, "max") == cache.find("agent", A, "ada") == b"response"


@pytest.mark.parametrize(("batch", "others"), [(REWRITES_A, b"other"), (REVOKES, None)])
def test_a_write_makes_it_forgotten_and_not_learned_meanwhile(
    batch: list[BatchOperation], others: bytes | None
) -> None:
    cache = ResponseCache()
    learned(cache)
    learned(cache, B, response=b"other")
    cache.writing(batch)
    assert cache.find("agent", A, "ada") is None
    learned(cache)
    assert cache.find("agent", A, "ada") is None
    cache.writing(batch)
    cache.written(batch)
    learned(cache)
    assert cache.find("agent", A, "ada") is None, "one of two writes goes on"
    cache.written(batch)
    assert cache.find("agent", B, "ada") == others
    learned(cache, response=b"new")
    assert cache.find("agent", A, "ada") == b"new"


def test_the_oldest_go_when_there_are_too_many() -> None:
    cache = ResponseCache(bytes_max=10_000)
    for number in range(100):
        learned(cache, request_of(str(number)), response=b"x" * 1000)
    kept = [number for number in range(100) if cache.find("agent", request_of(str(number)), "ada")]
    assert kept == list(range(100 - len(kept), 100))
    assert 1 < len(kept) <= 10
    learned(cache, A, response=b"x" * (RESPONSE_BYTES_MAX + 1))
    assert cache.find("agent", A, "ada") is None


def test_the_request_of_an_id_is_what_clients_send() -> None:
    for id_ in ("agt-1", "é", "x" * 127):
        assert request_of(id_) == AgentId(value=id_).SerializeToString()


# ---- in the server


def got(bench: Bench, id_: str) -> bytes | None:
    return bench.application.context.early_answers["agent-get"](AgentId(value=id_).SerializeToString(), SYSTEM)


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


def test_a_caller_who_leaves_during_the_write_leaves_no_old_response(tmp_path: Path) -> None:
    """The write goes on without him, and so does the forgetting."""
    with HeldStore() as store:
        application = build(ServerConfig(profile="oss"), store)
        bench = Bench(application)
        store.go.release()
        made = bench.call("agent-create", agent())
        store.entered.acquire()
        before = made.SerializeToString()
        made.spec.description = "changed"
        update = application.context.operations["agent-update"]

        async def scene() -> None:
            leaving = asyncio.ensure_future(application.executor.execute(update, made.SerializeToString(), SYSTEM))
            assert await asyncio.to_thread(store.entered.acquire, timeout=WAIT_SECONDS)
            leaving.cancel()
            await asyncio.sleep(0)
            assert leaving.cancelled()
            assert got(bench, made.metadata.id) == before
            before_write = application.queue.committer.version
            store.go.release()
            await application.queue.committer.wait_beyond(before_write)
            for _ in range(3):
                await asyncio.sleep(0)

        asyncio.run(scene())
        application.close()
        assert Agent.FromString(got(bench, made.metadata.id) or b"").spec.description == "changed"
