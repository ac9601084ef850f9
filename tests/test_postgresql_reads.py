"""What a create asks a database before it writes, and that it is refused over one as it is over an embedded store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest

from conformance import samples
from conformance.methods import METHODS
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from reference_server.config import ServerConfig
from reference_server.profile import Profile
from reference_server.tests.running import Running, running
from stores.registry import scheme_of as scheme
from stores.registry import unavailable
from tests.mutants.hosting import token_file

if unavailable(scheme("postgresql")):
    pytest.skip(str(unavailable(scheme("postgresql"))), allow_module_level=True)

from stores.postgresql.connections import Connections

CREATE = METHODS["agent.create"].path.removeprefix("/")
OPERATOR = "token-operator"


def configured(profile: str, folder: Path) -> ServerConfig:
    tokens = folder / "tokens.toml"
    tokens.write_text(token_file())
    return ServerConfig(
        profile=Profile(profile), listen="127.0.0.1:0", tokens=str(tokens) if profile == "cloud" else ""
    )


def create(server: Running, name: str, **metadata: str) -> Agent:
    request = samples.agent(name, "acme")
    for field, value in metadata.items():
        setattr(request.metadata, field, value)
    answer = server.call(CREATE, request, Agent, OPERATOR)
    assert isinstance(answer, Agent)
    return answer


def refusal(server: Running, name: str, **metadata: str) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as refused:
        create(server, name, **metadata)
    error: Any = refused.value
    return error.code().name, error.details()


@pytest.mark.parametrize(("profile", "asked"), [("oss", 0), ("cloud", 2)])
def test_a_create_asks_only_what_its_caller_may_do(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: str, asked: int
) -> None:
    statements: list[str] = []
    rows = Connections.rows

    def counted(self: Connections, statement: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        statements.append(statement)
        return rows(self, statement, values)

    with running(configured(profile, tmp_path), url) as server:
        create(server, "First")
        monkeypatch.setattr(Connections, "rows", counted)
        create(server, "Second")
        assert len(statements) == asked, statements
        create(server, "Third", id="agt-chosen")
        assert len(statements) > 2 * asked, "what is known of an id that somebody chose has to be looked up"


@pytest.mark.parametrize("profile", ["oss", "cloud"])
def test_what_is_taken_is_refused_as_over_an_embedded_store(url: str, tmp_path: Path, profile: str) -> None:
    config = configured(profile, tmp_path)
    told = []
    for store in (url, "memory:"):
        with running(config, store) as server:
            create(server, "Mine", id="agt-mine")
            refused = [
                refusal(server, "Mine"),
                refusal(server, "Elsewhere", id="agt-mine"),
                refusal(server, "Mine", id="agt-mine"),
            ]
            assert {code for code, _ in refused} == {"ALREADY_EXISTS"}
            assert server.store.count("agent") == 1
            told.append(refused)
    assert told[0] == told[1]
