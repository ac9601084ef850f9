"""A clock that is set back an hour, while a server runs and while it is down: nothing is lost, doubled or reordered."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.parity.v1.event_pb2 import WatchRequest
from reference_server.authorization.model import Caller
from reference_server.bootstrap import build
from reference_server.clock import Clock
from reference_server.config import ServerConfig
from reference_server.events.relay import FileSink, Relay
from reference_server.events.watch import Watcher
from reference_server.tests.conftest import TOKENS, Bench, agent
from stores.integrity.verify import verify
from stores.registry import open_store

HOUR_NS = 3600 * 1_000_000_000
ENGINES = ["leveldb", "sqlite", pytest.param("lmdb", marks=pytest.mark.full)]


class SettableTime:
    """The machine's clock: it goes on a millisecond with each look."""

    def __init__(self) -> None:
        self.now_ns = 1_800_000_000_000_000_000

    def __call__(self) -> int:
        self.now_ns += 1_000_000
        return self.now_ns


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> SettableTime:
    settable = SettableTime()
    monkeypatch.setattr("reference_server.clock.time.time_ns", settable)
    return settable


@contextmanager
def bench(url: str, tokens: Path, time: SettableTime) -> Iterator[Bench]:
    """A server of its own process would be so: a new series of ids, and the machine's time."""
    tokens.write_text(TOKENS, encoding="utf-8")
    with open_store(url, create=True) as store:
        config = ServerConfig(profile="cloud", tokens=str(tokens))
        application = build(config, store, clock=Clock(now_ns=time))
        asyncio.run(application.refresh_callers())
        yield Bench(application)
        application.close()


def three(bench: Bench, name: str) -> list[Any]:
    return [bench.call("agent-create", agent(f"{name} {number}"), "max") for number in range(3)]


def relayed(bench: Bench, path: Path) -> None:
    asyncio.run(Relay(bench.store, bench.application.queue, FileSink(path)).advance())


def watched(bench: Bench, after: int, number: int) -> list[tuple[int, str]]:
    watcher = Watcher(bench.store, bench.application.queue, bench.application.context.authorizer, Caller("max"))

    async def events() -> list[tuple[int, str]]:
        seen: list[tuple[int, str]] = []
        async with asyncio.timeout(30):
            async for response in watcher.responses(WatchRequest(after_position=after), lambda: len(seen) >= number):
                if response.HasField("event"):
                    seen.append((response.position, response.event.subject))
                    if len(seen) == number:
                        break
        return seen

    return asyncio.run(events())


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_depends_on_a_clock_that_only_goes_on(engine: str, time: SettableTime, tmp_path: Path) -> None:
    url, out = f"{engine}:{tmp_path / 'db'}", tmp_path / "events.jsonl"
    with bench(url, tmp_path / "tokens.toml", time) as first:
        made = three(first, "Before")
        time.now_ns -= HOUR_NS
        made += three(first, "Set back")
        assert [each.metadata.id for each in made] == sorted(each.metadata.id for each in made), "ids only grow"
        relayed(first, out)
        before = first.store.last_position()
    time.now_ns -= HOUR_NS
    with bench(url, tmp_path / "tokens.toml", time) as second:
        later = three(second, "Started again")
        assert later[0].metadata.id < made[0].metadata.id, "the new process knows of an earlier hour only"
        changed = made[0]
        changed.spec.instructions = "You were changed an hour before you were made."
        changed = second.call("agent-update", changed, "max")
        relayed(second, out)
        listed = [record.id for record in second.store.scan("agent")]
        assert listed == [each.metadata.id for each in made + later], "lists are in order of creation"
        events = watched(second, before, 7)
        assert events == sorted(events), "a watch goes on behind its position"
        assert {subject for _, subject in events} >= {each.metadata.id for each in later} | {changed.metadata.id}
        positions = [record.position for record in second.store.scan("event")]
        ids = [record.id for record in second.store.scan("event")]
        assert positions == sorted(set(positions))
    told = [orjson.loads(line)["id"] for line in out.read_bytes().splitlines()]
    assert told == ids, "each event was relayed once, in order"
    assert verify(url) == []


def test_an_id_that_comes_again_overwrites_nothing(time: SettableTime, tmp_path: Path) -> None:
    """Beyond what a clock does: the same ids from the beginning, as if also the random digits were drawn again."""
    url = f"leveldb:{tmp_path / 'db'}"

    def server() -> Bench:
        ids = (f"{number:026d}" for number in range(100))
        clock = Clock(now_ns=time, new_ulid=lambda: next(ids))
        return Bench(build(ServerConfig(profile="oss"), store, clock=clock))

    with open_store(url, create=True) as store:
        made = server().call("agent-create", agent("First"))
        other = server().call("agent-create", agent("Second"))
        held = {record.id: Agent.FromString(record.data) for record in store.scan("agent")}
        assert held == {made.metadata.id: made, other.metadata.id: other}, "the second was given new ids"
    assert verify(url) == []
