"""Events in NATS JetStream: in binary mode, in order, none lost and none twice, whenever the broker is away."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

import nats
import pytest
from nats.js.api import ConsumerConfig, DeliverPolicy

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.parity.v1.event_pb2 import CloudEvent
from reference_server.background_tasks import BackgroundTasks
from reference_server.config import ConfigError, ServerConfig
from reference_server.events.nats_sink import LEFT_OUT, NatsSink, binary_form
from reference_server.events.relay import Delivery, Relay
from reference_server.events.sink_url import parse_sink
from reference_server.tests.conftest import Bench, agent
from reference_server.tests.nats_broker import PROGRAM, Broker
from stores.contract import Put

needs_broker = pytest.mark.skipif(
    PROGRAM is None, reason="nats-server isn't on this machine: apt-get install nats-server"
)
MEMORY_GROWTH_MAX_KB = 60_000
"""Of the relay and the client, however many events wait."""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path / "jetstream")
    made.start()
    yield made
    made.kill()


@asynccontextmanager
async def sink_of(broker: Broker, options: str = "") -> AsyncIterator[NatsSink]:
    sink = NatsSink(parse_sink(f"{broker.url}/EVENTS{options}"))
    try:
        yield sink
    finally:
        await sink.close()


async def stored(broker: Broker) -> list[Any]:
    """All messages of the stream, in its order."""
    client = await nats.connect(broker.url)
    stream = client.jetstream()
    count = (await stream.stream_info("EVENTS")).state.messages
    every = ConsumerConfig(deliver_policy=DeliverPolicy.ALL)
    subscription = await stream.subscribe(">", stream="EVENTS", config=every, ordered_consumer=True)
    found = [await subscription.next_msg(timeout=10) for _ in range(count)]
    await client.close()
    return found


def event(number: int, subject: str = "agt-1", data: bytes = b"data") -> CloudEvent:
    made = CloudEvent(id=f"e{number}", source="/s", spec_version="1.0", subject=subject)
    made.type, made.data_content_type = "ai.stigmer.agentic.agent.v1.updated", "application/protobuf"
    made.data.type_url, made.data.value = "type.googleapis.com/x.Y", data
    return made


def ids(messages: list[Any]) -> list[str]:
    return [message.headers["ce-id"] for message in messages]


@needs_broker
def test_a_created_agent_arrives_in_binary_mode(cloud: Bench, broker: Broker) -> None:
    created = cloud.call("agent-create", agent(), "max")

    async def scene() -> list[Any]:
        async with sink_of(broker, "?subject=acme.events") as sink:
            relay = Relay(cloud.store, cloud.application.queue, sink)
            assert await relay.advance() == 2
            assert await relay.advance() == 0
            again = Relay(cloud.store, cloud.application.queue, sink)
            assert await again.advance() == 0, "the cursor is kept"
        return await stored(broker)

    instance, last = asyncio.run(scene())
    assert (instance.subject, last.subject) == ("acme.events.agentinstance.created", "acme.events.agent.created")
    assert last.headers["ce-specversion"] == "1.0"
    assert last.headers["ce-type"] == "ai.stigmer.agentic.agent.v1.created"
    assert last.headers["ce-subject"] == created.metadata.id
    assert last.headers["content-type"] == "application/protobuf"
    assert Agent.FromString(last.data) == created
    position = [record.position for record in cloud.store.scan("event")][-1]
    assert last.headers["Nats-Msg-Id"] == f"{position}.{last.headers['ce-id']}"


@needs_broker
def test_what_is_delivered_again_is_stored_once(broker: Broker) -> None:
    deliveries = [Delivery(number, event(number)) for number in range(1, 300)]

    async def scene() -> list[Any]:
        async with sink_of(broker) as sink:
            await sink.deliver(deliveries[:200])
        async with sink_of(broker) as sink:  # after a crash between the delivery and the cursor
            await sink.deliver(deliveries[100:])
        return await stored(broker)

    assert ids(asyncio.run(scene())) == [each.event.id for each in deliveries]


@needs_broker
@pytest.mark.parametrize(
    ("count", "kills", "away_seconds"),
    [(1000, 2, 0.1), pytest.param(100_000, 8, 7.0, marks=[pytest.mark.full, pytest.mark.timeout(600)])],
)
def test_nothing_is_lost_or_out_of_order_while_the_broker_is_away(
    cloud: Bench, broker: Broker, count: int, kills: int, away_seconds: float
) -> None:
    for start in range(0, count, 1000):
        cloud.store.commit([Put("event", f"e{n}", event(n, f"agt-{n % 7}")) for n in range(start, start + 1000)])
    chance = Random(count)
    before, grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, list[int]()

    async def scene() -> tuple[list[Any], int]:
        failures = 0
        kill_at = sorted(chance.sample(range(count), kills))
        async with sink_of(broker) as sink:
            relay = Relay(cloud.store, cloud.application.queue, sink)
            done = 0
            while done < count:
                if kill_at and done >= kill_at[0]:
                    kill_at.pop(0)
                    failures += await killed_under(relay)
                    done = relay_count(relay)
                    await asyncio.sleep(away_seconds)
                    broker.start()
                with suppress(OSError):
                    await relay.advance()
                done = relay_count(relay)
        grown.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
        return await stored(broker), failures

    async def killed_under(relay: Relay) -> int:
        """Kill the broker while a chunk is on its way; say whether that was seen."""
        advancing = asyncio.create_task(relay.advance())
        await asyncio.sleep(chance.random() * 0.02)
        broker.kill()
        try:
            await advancing
            await relay.advance()
        except OSError:
            return 1
        return 0

    first = next(iter(cloud.store.scan("event"))).position

    def relay_count(relay: Relay) -> int:
        return relay.position - first + 1 if relay.position else 0

    messages, failures = asyncio.run(scene())
    assert failures > 0, "no kill came while anything was on its way"
    assert ids(messages) == [f"e{number}" for number in range(count)]
    assert grown[0] < MEMORY_GROWTH_MAX_KB


@needs_broker
def test_data_that_the_broker_does_not_take_is_left_out(broker: Broker) -> None:
    large = event(1, data=b"x" * 2_000_000)

    async def scene() -> list[Any]:
        async with sink_of(broker) as sink:
            await sink.deliver([Delivery(1, large), Delivery(2, event(2))])
        return await stored(broker)

    first, second = asyncio.run(scene())
    assert (first.data, first.headers[LEFT_OUT]) == (b"", "2000000")
    assert second.data == b"data"


def test_a_broker_that_is_not_there_is_said_once_and_nothing_is_cleared(
    cloud: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    away = Broker(tmp_path)
    config = ServerConfig(profile="cloud", tokens="x", sink=f"{away.url}/EVENTS", events_max=1)
    tasks = BackgroundTasks(config, cloud.application)
    cloud.call("agent-create", agent(), "max")

    async def scene() -> None:
        for _ in range(3):
            assert not await tasks.deliver_events()
            assert not await tasks.clear_events()
        await tasks.close()

    asyncio.run(scene())
    assert cloud.store.count("event") == 2
    assert capsys.readouterr().err.count("events not delivered") <= 1


def test_what_a_header_can_not_hold_is_encoded() -> None:
    headers, _ = binary_form(event(1, "agt-é\r\nevil: 1 %"), 100)
    assert headers["ce-subject"] == "agt-%C3%A9%0D%0Aevil:%201%20%25"


@pytest.mark.parametrize(
    "sink",
    [
        "kafka://x",
        "nats://user:secret@host/S",
        "nats:///S",
        "nats://host/S?colour=red",
        "nats://host/a.b",
        "nats://host/S?subject=a..b",
        "nats://host/S?token_file=/no/such/file",
    ],
)
def test_a_wrong_sink_is_refused_before_the_server_starts(sink: str) -> None:
    with pytest.raises(ConfigError, match="sink:") as refused:
        ServerConfig(profile="cloud", tokens="x", sink=sink).checked()
    assert "secret" not in str(refused.value)


def test_the_oss_profile_has_no_events_to_deliver() -> None:
    with pytest.raises(ConfigError, match="no events"):
        ServerConfig(sink="nats://host/S").checked()
