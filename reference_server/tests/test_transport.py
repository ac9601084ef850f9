"""TLS, mutual TLS, unix sockets, deadlines, the limit of requests at once, a port that is taken."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import grpc
import pytest

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.parity.v1.list_pb2 import ListAgentsResponse, ListRequest
from reference_server.config import ConfigError, ServerConfig
from reference_server.pipeline import State, step
from reference_server.pipelines import OPERATIONS
from reference_server.start_check import ServerError
from reference_server.tests.certificates import Authority, Pair
from reference_server.tests.conftest import TOKENS, agent
from reference_server.tests.running import Running, running
from reference_server.tests.test_server import CREATE, WATCH
from reference_server.unit_of_work import UnitOfWork

Answer = TypeVar("Answer")
LIST = "parity.v1.ListService/ListAgents"
HEALTH_WATCH = "/grpc.health.v1.Health/Watch"
MAX = (("authorization", "Bearer max-token"),)


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


@contextmanager
def limited(tmp_path: Path) -> Iterator[Running]:
    """A server that allows one request and two watches at once."""
    tokens = tmp_path / "tokens.toml"
    tokens.write_text(TOKENS, encoding="utf-8")
    config = ServerConfig(
        listen="127.0.0.1:0", profile="cloud", tokens=str(tokens), max_concurrent_requests=1, max_watches=2
    )
    with running(config) as server:
        yield server


@contextmanager
def open_streams(server: Running, method: str, count: int) -> Iterator[None]:
    """Streams that have begun and stay open."""
    stream = server.channel.unary_stream(method, bytes, bytes)
    streams = [stream(b"", metadata=MAX, timeout=30) for _ in range(count)]
    for each in streams:
        next(each)
    try:
        yield
    finally:
        for each in streams:
            each.cancel()


def test_more_watches_than_allowed_are_refused_and_leave_room_for_requests(tmp_path: Path) -> None:
    with limited(tmp_path) as server:
        with open_streams(server, WATCH, 2):
            with pytest.raises(grpc.RpcError) as caught:
                watch_once(server)
            assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert caught.value.details() == "2 watches are open, and more may not be; try again later"
            assert eventually(lambda: create(server)).metadata.slug == "test-agent"
        assert all(eventually(lambda: watch_once(server)) for _ in range(3)), "watches that have ended count no more"


def test_more_requests_at_once_than_allowed_are_refused(tmp_path: Path) -> None:
    with limited(tmp_path) as server:
        with open_streams(server, WATCH, 2), open_streams(server, HEALTH_WATCH, 1):
            with pytest.raises(grpc.RpcError) as caught:
                create(server)
            assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert eventually(lambda: create(server)).metadata.slug == "test-agent"


def eventually(call: Callable[[], Answer]) -> Answer:
    """Call until the server has noticed that streams are gone."""
    for _ in range(100):
        try:
            return call()
        except grpc.RpcError:
            time.sleep(0.05)
    raise AssertionError("streams still count five seconds after they have ended")


def create(server: Running) -> Agent:
    created: Agent = server.call(CREATE, agent(), Agent, "max-token")
    return created


def watch_once(server: Running) -> bool:
    with open_streams(server, WATCH, 1):
        return True
