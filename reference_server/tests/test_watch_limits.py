"""What a watch survives: events larger than its client takes, and clients that ping while nothing happens."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.parity.v1.event_pb2 import WatchRequest, WatchResponse
from reference_server.config import ServerConfig
from reference_server.events.watch import RESPONSE_BYTES_MAX
from reference_server.tests.conftest import TOKENS, agent
from reference_server.tests.running import Running, running
from reference_server.tests.test_server import CREATE, WATCH

Options = list[tuple[str, int]]
TAKES_ALL = ("grpc.max_receive_message_length", -1)


@contextmanager
def cloud(tmp_path: Path, **settings: Any) -> Iterator[Running]:
    tokens = tmp_path / "tokens.toml"
    tokens.write_text(TOKENS, encoding="utf-8")
    with running(ServerConfig(listen="127.0.0.1:0", profile="cloud", tokens=str(tokens), **settings)) as server:
        yield server


@contextmanager
def watched(server: Running, options: Options, seconds: float = 20, **fields: Any) -> Iterator[Any]:
    with grpc.insecure_channel(server.address, options) as channel:
        invoke: Any = channel.unary_stream(WATCH, WatchRequest.SerializeToString, WatchResponse.FromString)
        stream = invoke(WatchRequest(**fields), metadata=(("authorization", "Bearer max-token"),), timeout=seconds)
        assert not next(stream).HasField("event")
        yield stream
        stream.cancel()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Agent, Agent]]:
    """A server with a large agent and, behind it, a small one."""
    with cloud(tmp_path_factory.mktemp("large")) as server:
        request = agent("Large")
        request.spec.instructions = "x" * (5 * 1024 * 1024)
        with grpc.insecure_channel(server.address, [TAKES_ALL]) as channel:
            made = Running(server.address, channel, server.store).call(CREATE, request, Agent, "max-token")
        yield server, made, server.call(CREATE, agent("Small"), Agent, "max-token")


def test_an_event_that_a_usual_client_cannot_take_comes_without_its_data(large: tuple[Running, Agent, Agent]) -> None:
    server, made, small = large
    with watched(server, []) as stream:
        instance_of_large, event_of_large, _, event_of_small = (next(stream) for _ in range(4))
    assert event_of_large.event.subject == made.metadata.id
    assert not event_of_large.event.HasField("data")
    assert event_of_large.data_bytes_left_out == made.ByteSize() > RESPONSE_BYTES_MAX
    assert instance_of_large.event.HasField("data")
    assert Agent.FromString(event_of_small.event.data.value) == small
    assert event_of_small.data_bytes_left_out == 0


def test_a_client_says_what_it_takes(large: tuple[Running, Agent, Agent]) -> None:
    server, made, small = large
    with watched(server, [TAKES_ALL], response_bytes_max=16 * 1024 * 1024) as stream:
        seen = [next(stream) for _ in range(4)]
    assert Agent.FromString(seen[1].event.data.value) == made
    assert [each.data_bytes_left_out for each in seen] == [0] * 4
    with watched(server, [("grpc.max_receive_message_length", 400)], response_bytes_max=400) as stream:
        assert [next(stream).event.HasField("data") for _ in range(4)] == [False] * 4
    with watched(server, [], without_data=True) as stream:
        seen = [next(stream) for _ in range(4)]
    assert [each.event.HasField("data") for each in seen] == [False] * 4
    assert seen[3].data_bytes_left_out == small.ByteSize()


# ---- pings


def pings(each_ms: int) -> Options:
    """Return the options of a channel that pings while it is idle, from the begin of a watch on."""
    return [
        ("grpc.keepalive_time_ms", each_ms),
        ("grpc.http2.max_pings_without_data", 0),
        # A channel of the process that has the same options is used again, with its history of pings.
        ("grpc.use_local_subchannel_pool", 1),
    ]


def survives(server: Running, options: Options, seconds: float) -> bool:
    """Say whether an idle watch is still there after so many seconds."""
    ended = threading.Event()
    with watched(server, options, seconds + 20, from_now=True) as stream:
        stream.add_callback(ended.set)
        return not ended.wait(seconds)


def test_a_watch_survives_pings_as_often_as_the_configuration_permits(tmp_path: Path) -> None:
    with cloud(tmp_path, client_ping_seconds=0.25) as server:
        assert survives(server, pings(250), 3)


def test_a_client_that_pings_more_often_is_cut_off(tmp_path: Path) -> None:
    with cloud(tmp_path) as server:
        begun = time.monotonic()
        assert not survives(server, pings(250), 15)
        assert time.monotonic() - begun > 0.5, "the first pings are forgiven"


@pytest.mark.full
@pytest.mark.timeout(90)
def test_a_watch_survives_a_ping_every_ten_seconds(tmp_path: Path) -> None:
    with cloud(tmp_path) as server:
        assert survives(server, pings(10_000), 45)
