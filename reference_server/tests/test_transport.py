"""TLS, mutual TLS, unix sockets, deadlines, the limit of requests at once, a port that is taken."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.parity.v1.list_pb2 import ListAgentsResponse, ListRequest
from reference_server.config import ConfigError, ServerConfig
from reference_server.pipeline import State, step
from reference_server.pipelines import OPERATIONS
from reference_server.server import ServerError
from reference_server.tests.certificates import Authority, Pair
from reference_server.tests.conftest import TOKENS, agent
from reference_server.tests.running import Running, running
from reference_server.tests.test_server import CREATE, WATCH
from reference_server.unit_of_work import UnitOfWork

LIST = "parity.v1.ListService/ListAgents"


def over_tls(address: str, ca: Path, client: Pair | None = None) -> Any:
    pair = (client.key.read_bytes(), client.cert.read_bytes()) if client else (None, None)
    channel: Any = grpc.secure_channel(address, grpc.ssl_channel_credentials(ca.read_bytes(), *pair))
    with channel:
        invoke = channel.unary_unary(f"/{CREATE}", response_deserializer=Agent.FromString)
        return invoke(agent("Over TLS").SerializeToString(), timeout=10)


def test_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("server")
    config = ServerConfig(listen="127.0.0.1:0", tls_cert=str(pair.cert), tls_key=str(pair.key))
    with running(config) as server:
        assert over_tls(server.address, authority.cert).metadata.slug == "over-tls"
        with pytest.raises(grpc.RpcError) as caught:
            over_tls(server.address, Authority(tmp_path, "stranger").cert)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        with pytest.raises(grpc.RpcError):
            server.call(CREATE, agent("In Clear"), Agent)
        assert server.store.count("agent") == 1


def test_mutual_tls_asks_for_a_certificate_of_the_ca(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair, client = authority.issue("server"), authority.issue("client")
    stranger = Authority(tmp_path, "stranger").issue("stranger-client")
    config = ServerConfig(
        listen="127.0.0.1:0", tls_cert=str(pair.cert), tls_key=str(pair.key), tls_client_ca=str(authority.cert)
    )
    with running(config) as server:
        assert over_tls(server.address, authority.cert, client).metadata.slug == "over-tls"
        for other in (None, stranger):
            with pytest.raises(grpc.RpcError):
                over_tls(server.address, authority.cert, other)


def test_a_missing_certificate_is_named(tmp_path: Path) -> None:
    config = ServerConfig(listen="127.0.0.1:0", tls_cert=str(tmp_path / "no.pem"), tls_key=str(tmp_path / "no.key"))
    with pytest.raises(ConfigError, match=r"no\.key"), running(config):
        pass


def test_unix_socket(tmp_path: Path) -> None:
    with running(ServerConfig(listen=f"unix:{tmp_path / 'parity.sock'}")) as server:
        assert server.call(CREATE, agent(), Agent).metadata.slug == "test-agent"


def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ServerError, match=address), running(ServerConfig(listen=address)):
            pass


class Hurdle:
    """A step that waits until the test lets it go on."""

    def __init__(self) -> None:
        self.reached, self.go_on = threading.Event(), threading.Event()

    def __call__(self, state: State, work: UnitOfWork) -> State:
        self.reached.set()
        assert self.go_on.wait(10)
        return state


def with_hurdle(hurdle: Hurdle) -> dict[str, Any]:
    create = OPERATIONS["agent-create"]
    return {**OPERATIONS, "agent-create": replace(create, steps=(*create.steps, step(hurdle, "Hurdle")))}


def test_an_expired_deadline_leaves_nothing(tmp_path: Path) -> None:
    hurdle = Hurdle()
    url = f"leveldb:{tmp_path / 'db'}?durability=relaxed"
    with running(ServerConfig(listen="127.0.0.1:0"), url, with_hurdle(hurdle)) as server:
        with pytest.raises(grpc.RpcError) as caught:
            server.call(CREATE, agent(), Agent, timeout=0.5)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert hurdle.reached.is_set()
        hurdle.go_on.set()
        assert not server.call(LIST, ListRequest(), ListAgentsResponse).items
        assert server.store.count("agent_instance") == 0
        assert server.call(CREATE, agent(), Agent).metadata.slug == "test-agent"


def test_more_requests_at_once_than_allowed_are_refused(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.toml"
    tokens.write_text(TOKENS, encoding="utf-8")
    config = ServerConfig(listen="127.0.0.1:0", profile="cloud", tokens=str(tokens), max_concurrent_requests=2)
    credentials = (("authorization", "Bearer max-token"),)
    with running(config) as server:
        watch = server.channel.unary_stream(WATCH, bytes, bytes)
        watches = [watch(b"", metadata=credentials, timeout=30) for _ in range(2)]
        for each in watches:
            next(each)
        with pytest.raises(grpc.RpcError) as caught:
            server.call(CREATE, agent(), Agent, "max-token")
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        for each in watches:
            each.cancel()
        assert eventually_created(server).metadata.slug == "test-agent"


def eventually_created(server: Running) -> Agent:
    """Create as soon as the server has noticed that the watches are gone."""
    for _ in range(100):
        try:
            created: Agent = server.call(CREATE, agent(), Agent, "max-token")
        except grpc.RpcError:
            time.sleep(0.05)
        else:
            return created
    raise AssertionError("the watches still count as requests five seconds after they were cancelled")
