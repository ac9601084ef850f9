"""A backup of a server that goes on serving: of one moment, for operators only, and whole again when it is restored."""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import grpc
import pytest

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agent.v1.io_pb2 import AgentId
from protos.ai.stigmer.agentic.agentinstance.v1.api_pb2 import AgentInstance
from protos.kinds import KINDS as RESOURCE_KINDS
from protos.parity.v1.admin_pb2 import BackupRequest, BackupResponse
from protos.parity.v1.event_pb2 import Cursor
from reference_server.bootstrap import Application, build
from reference_server.config import ServerConfig
from reference_server.errors import Unavailable
from reference_server.tests.conftest import TOKENS, agent
from reference_server.tests.running import Running, running
from reference_server.tests.test_server import CREATE
from reference_server.transport.admin import AdminServicer
from stores.backup.restore import check_file, restore
from stores.contract import Put, Store
from stores.integrity.verify import verify
from stores.keyvalue import layout
from stores.registry import SCHEMES, open_store, unavailable
from stores.schema import KINDS

BACKUP = "/parity.v1.AdminService/Backup"
COMMANDS = "ai.stigmer.agentic.agent.v1.AgentCommandController"
WRITERS = 32
ENGINES_AT_LENGTH = [scheme.name for scheme in SCHEMES if scheme.needs_path and not unavailable(scheme)]


@contextmanager
def served(
    tmp_path: Path, engine: str = "leveldb", profile: str = "cloud", options: str = "", **settings: Any
) -> Iterator[Running]:
    tokens = tmp_path / "tokens.toml"
    tokens.write_text(TOKENS, encoding="utf-8")
    store = "memory:" if engine == "memory" else f"{engine}:{tmp_path / 'db'}{options}"
    config = ServerConfig(listen="127.0.0.1:0", profile=profile, tokens=str(tokens), **settings)
    with running(config, store) as server:
        yield server


OPERATOR = "root-token"


def stream(server: Running, token: str = OPERATOR, since: int = 0, timeout: float = 60) -> Any:
    invoke = server.channel.unary_stream(BACKUP, BackupRequest.SerializeToString, BackupResponse.FromString)
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    return invoke(BackupRequest(since_position=since), metadata=metadata, timeout=timeout)


def taken(server: Running, path: Path, since: int = 0) -> Path:
    path.write_bytes(b"".join(response.data for response in stream(server, since=since)))
    return path


def refusal(call: Any) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as caught:
        for _ in call:
            pass
    error: Any = caught.value
    return error.code().name, error.details()


# ---- under load


class Load:
    """Writers that create agents, change them and delete them again, until they are told to stop."""

    def __init__(self, server: Running, seed: int = 1) -> None:
        self._server = server
        self._stop = threading.Event()
        self.done: Counter[str] = Counter()
        self._threads = [
            threading.Thread(target=self._write, args=(random.Random(seed * 1000 + number), number))
            for number in range(WRITERS)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _write(self, choices: random.Random, number: int) -> None:
        mine: list[Agent] = []
        while not self._stop.is_set():
            try:
                self._step(choices, mine, f"Writer {number} {choices.random()}")
            except grpc.RpcError as error:
                self.done[str(error.code().name)] += 1

    def _step(self, choices: random.Random, mine: list[Agent], name: str) -> None:
        call, kind = self._server.call, choices.random()
        if len(mine) < 3 or kind < 0.4:
            mine.append(call(f"{COMMANDS}/create", agent(name), Agent, "max-token"))
            self.done["created"] += 1
        elif kind < 0.7:
            changed = mine[-1]
            changed.spec.instructions = f"You were changed: {name}"
            mine[-1] = call(f"{COMMANDS}/update", changed, Agent, "max-token")
            self.done["updated"] += 1
        else:
            gone = mine.pop(choices.randrange(len(mine)))
            call(f"{COMMANDS}/delete", AgentId(value=gone.metadata.id), Agent, "max-token")
            self.done["deleted"] += 1


def contents(store: Store) -> dict[tuple[str, str], tuple[int, bytes]]:
    return {(r.kind, r.id): (r.position, r.data) for kind in KINDS for r in store.scan(kind)}


def problems(store: Store) -> list[str]:
    """Say what can't be of one moment: everything that a create writes, it writes at once, and a delete takes away."""
    agents = {record.id: Agent.FromString(record.data) for record in store.scan("agent")}
    instances = {record.id: AgentInstance.FromString(record.data) for record in store.scan("agent_instance")}
    found = [f"{id_} is of no agent" for id_, each in instances.items() if each.spec.agent_id not in agents]
    found += [f"{id_} lacks its instance" for id_, a in agents.items() if a.status.default_instance_id not in instances]
    owned: set[str] = set()
    for record in store.scan("iam_policy"):
        resource: Any = RESOURCE_KINDS["iam_policy"].message_type.FromString(record.data)
        about = resource.spec.resource
        owned.add(about.id)
        if about.kind in RESOURCE_KINDS and store.get_bytes(about.kind, about.id) is None:
            found.append(f"{record.id} is a policy of nothing: {about.id}")
    found += [f"{id_} has no policy" for id_ in (*agents, *instances) if id_ not in owned]
    told: Counter[str] = Counter()
    for record in store.scan("event"):
        event: Any = KINDS["event"].message_type.FromString(record.data)
        told[event.subject] += event.type.endswith(".created")
        told[event.subject] -= event.type.endswith(".deleted")
    there = {id_ for id_, number in told.items() if number > 0}
    return found + [f"{id_} and its events disagree" for id_ in there ^ {*agents, *instances}]


@pytest.mark.timeout(200)
@pytest.mark.parametrize(
    ("engine", "seconds"),
    [
        ("leveldb", 2.0),
        *(pytest.param(name, 20.0, marks=pytest.mark.full) for name in ENGINES_AT_LENGTH),
    ],
)
def test_backups_under_load_are_of_one_moment(engine: str, seconds: float, tmp_path: Path) -> None:
    """SQLite keeps JSON by the native codec: with its default one, in Python, all reading here takes minutes."""
    whole: list[Path] = []
    options = "?codec=json" if engine == "sqlite" else ""
    with served(tmp_path, engine, options=options) as server:
        with Load(server) as load:
            chain = [taken(server, tmp_path / "first")]
            begun = time.monotonic()
            while len(whole) < 2 or time.monotonic() - begun < seconds:
                time.sleep(seconds / 8)
                whole.append(taken(server, tmp_path / f"whole-{len(whole)}"))
                chain.append(taken(server, tmp_path / f"increment-{len(chain)}", check_file(chain[-1]).position))
        chain.append(taken(server, tmp_path / "last", check_file(chain[-1]).position))
        final = contents(server.store)
    assert load.done["created"] > 50
    assert min(load.done["updated"], load.done["deleted"]) > 10
    positions = [check_file(file).position for file in whole]
    assert positions == sorted(set(positions)), "each saw more than the one before"
    for number, files in enumerate([[whole[0]], [whole[-1]], chain]):
        url = f"{engine}:{tmp_path / f'restored-{number}'}{options}"
        assert restore(files, url).is_whole
        assert verify(url) == []
        with open_store(url) as store:
            assert problems(store) == []
            if files is chain:
                assert contents(store) == final


def test_the_check_of_one_moment_finds_what_is_not(tmp_path: Path) -> None:
    with served(tmp_path, "memory") as server:
        made = server.call(CREATE, agent(), Agent, "max-token")
        assert problems(server.store) == []
        from stores.contract import Delete

        server.store.commit([Delete("agent", made.metadata.id)])
        said = " ".join(problems(server.store))
    assert all(text in said for text in ("is of no agent", "is a policy of nothing", "events disagree"))


# ---- who may, and what is refused


def test_only_an_operator_takes_a_backup(tmp_path: Path) -> None:
    with served(tmp_path, "memory") as server:
        assert refusal(stream(server, token=""))[0] == "UNAUTHENTICATED"
        for token in ("ada-token", "max-token", "nobody-token"):
            assert refusal(stream(server, token=token))[0] == "PERMISSION_DENIED"
        assert taken(server, tmp_path / "backup").stat().st_size > 100
        invoke = server.channel.unary_stream(BACKUP)
        junk = invoke(b"\xff\xff", metadata=(("authorization", "Bearer root-token"),), timeout=10)
        assert refusal(junk)[0] == "INVALID_ARGUMENT"


def test_the_oss_profile_gives_whole_backups_only(tmp_path: Path) -> None:
    with served(tmp_path, "leveldb", "oss") as server:
        made = server.call(CREATE, agent(), Agent)
        assert refusal(stream(server, since=1))[0] == "FAILED_PRECONDITION"
        file = taken(server, tmp_path / "backup")
    restore([file], f"sqlite:{tmp_path / 'restored'}")
    with open_store(f"sqlite:{tmp_path / 'restored'}") as store:
        assert store.get("agent", made.metadata.id) == made


def test_an_increment_needs_the_events_since(tmp_path: Path) -> None:

    with served(tmp_path, "memory") as server:
        server.call(CREATE, agent(), Agent, "max-token")
        last = server.store.last_position()
        assert refusal(stream(server, since=last + 1))[0] == "OUT_OF_RANGE"
        assert taken(server, tmp_path / "nothing", since=last).stat().st_size > 0
        server.store.commit([Put("cursor", "cleared", Cursor(name="cleared", position=last))])
        code, details = refusal(stream(server, since=last - 1))
    assert code == "OUT_OF_RANGE"
    assert f"up to position {last} are cleared" in details


@pytest.fixture
def large(tmp_path: Path) -> Iterator[Running]:
    """A server with 30 MB in it: more than gRPC holds for a client that doesn't read."""
    with served(tmp_path, "leveldb", watch_send_seconds=1.0) as server:
        request = agent()
        for number in range(10):
            request.metadata.name = f"Large {number}"
            request.spec.instructions = os.urandom(750_000).hex()
            server.call(CREATE, request, Agent, "max-token")
        yield server


def test_one_backup_at_a_time_and_none_for_who_does_not_read(large: Running, tmp_path: Path) -> None:
    slow = stream(large)
    next(slow)
    code, details = refusal(stream(large))
    assert (code, "another backup" in details) == ("RESOURCE_EXHAUSTED", True)
    time.sleep(1.5)
    code, details = refusal(slow)
    assert (code, "too slowly" in details) == ("RESOURCE_EXHAUSTED", True)
    assert check_file(taken(large, tmp_path / "backup")).position == large.store.last_position()


def test_who_leaves_is_forgotten(large: Running, tmp_path: Path) -> None:
    left = stream(large)
    next(left)
    left.cancel()
    for _ in range(100):
        try:
            taken(large, tmp_path / "backup")
        except grpc.RpcError:
            time.sleep(0.05)
        else:
            break
    check_file(tmp_path / "backup")


class OssContext:
    """As much of a call's context as a servicer asks for."""

    def invocation_metadata(self) -> tuple[()]:
        return ()


def test_a_server_that_stops_ends_its_backup() -> None:
    async def scene(application: Application) -> None:
        servicer = AdminServicer(application.executor, application.caller_of)
        context: Any = OssContext()
        responses = servicer._responses(b"", context)
        assert await anext(responses)
        servicer.stop()
        with pytest.raises(Unavailable, match="shutting down"):
            await anext(responses)

    with open_store("memory:") as store:
        application = build(ServerConfig(), store)
        asyncio.run(scene(application))
        application.close()


def test_a_damaged_record_ends_the_backup(tmp_path: Path) -> None:
    with served(tmp_path, "leveldb") as server:
        made = server.call(CREATE, agent(), Agent, "max-token")
        key = layout.KindLayout(KINDS["agent"]).record(made.metadata.id)
        server.store.parts[0].write([(key, None)], sync=False)  # type: ignore[attr-defined] # a key-value store
        code, details = refusal(stream(server))
    assert code == "DATA_LOSS"
    assert made.metadata.id in details
