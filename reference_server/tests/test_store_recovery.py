"""A store that refused a write: the server says so, opens the database again, and goes on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agent.v1.io_pb2 import AgentId
from reference_server.authorization.model import SYSTEM
from reference_server.background_tasks import BackgroundTasks
from reference_server.bootstrap import Application, build
from reference_server.config import ServerConfig
from reference_server.errors import Unavailable
from reference_server.tests.conftest import agent
from reference_server.tests.full_disk import serve_on_a_full_disk
from stores.contract import StoreUnavailable
from stores.engines.leveldb import LevelDbEngine
from stores.registry import SCHEMES, open_store, unavailable
from stores.suite.full_disk import namespaces_work

WRITE = LevelDbEngine._write


async def called(application: Application, operation: str, request: Agent | AgentId) -> Agent:
    found = application.context.operations[operation]
    data = request.SerializeToString()
    answers = application.context.early_answers.get(operation)
    early = None if answers is None else answers(data, SYSTEM)
    answer = await application.executor.execute(found, data, SYSTEM) if early is None else early
    return Agent.FromString(answer)


def test_what_an_unacknowledged_write_left_is_read_after_the_recovery(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write reached the log before it failed. Nobody was told so, but all read it once the database is reopened."""

    def fails_late(engine: LevelDbEngine, batch: object) -> None:
        WRITE(engine, batch)
        raise StoreUnavailable("no space left on device")

    def is_full(*_: object) -> None:
        raise StoreUnavailable("the disk is still full")

    async def scene(application: Application) -> None:
        tasks = BackgroundTasks(ServerConfig(), application)
        health = application.health
        made = await called(application, "agent-create", agent("First"))
        who = AgentId(value=made.metadata.id)
        assert await called(application, "agent-get", who) == made
        monkeypatch.setattr(LevelDbEngine, "_write", fails_late)
        made.spec.instructions = "You were changed without a word."
        with pytest.raises(Unavailable):
            await called(application, "agent-update", made)
        monkeypatch.setattr(LevelDbEngine, "_write", WRITE)
        assert health.refuses_writes
        with monkeypatch.context() as full:
            full.setattr("stores.keyvalue.reopening.check_space", is_full)
            with pytest.raises(StoreUnavailable, match="still full"):
                await tasks.recover_store()
        with pytest.raises(Unavailable):
            await called(application, "agent-create", agent("Second"))
        await tasks.recover_store()
        assert not application.health.refuses_writes
        assert (await called(application, "agent-get", who)).spec.instructions == made.spec.instructions
        await called(application, "agent-create", agent("Second"))

    with open_store(f"leveldb:{tmp_path / 'db'}", create=True) as store:
        application = build(ServerConfig(), store)
        asyncio.run(scene(application))
        application.close()


ENGINES = [scheme.name for scheme in SCHEMES if scheme.name in {"leveldb", "rocksdb", "lmdb", "sqlite"}]


@pytest.mark.timeout(150)
@pytest.mark.parametrize(
    "engine", ["leveldb", *(pytest.param(name, marks=pytest.mark.full) for name in ENGINES if name != "leveldb")]
)
def test_a_server_goes_on_when_a_full_disk_has_room_again(engine: str, tmp_path: Path) -> None:
    scheme = next(scheme for scheme in SCHEMES if scheme.name == engine)
    if unavailable(scheme):
        pytest.skip(f"{engine} isn't installed")
    if not namespaces_work(tmp_path):
        pytest.skip("this user may not mount a file system of his own here")
    told = serve_on_a_full_disk(engine, tmp_path)
    assert told.created > 50
    assert told.refused_with == "UNAVAILABLE"
    assert (told.while_full, told.server_while_full) == ("NOT_SERVING", "SERVING")
    assert told.afterwards == "SERVING"
    assert told.lost == []
    assert told.lost_after_restart == []
