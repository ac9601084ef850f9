"""Everything that writes goes through one queue: in groups, in order, without holding up the event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from reference_server.authorization.model import SYSTEM, Caller
from reference_server.background_tasks import BackgroundTasks
from reference_server.bootstrap import build
from reference_server.config import ServerConfig
from reference_server.errors import AlreadyExists, DeadlineExceeded
from reference_server.execution import write_queue
from reference_server.execution.request_run import RequestRun
from reference_server.execution.write_queue import GROUP_MAX, QUIET_TURNS, WriteQueue
from reference_server.tests.conftest import TOKENS, Bench, agent
from stores.contract import Batch, StoreError
from stores.engines.leveldb import LevelDbEngine
from stores.memory import MemoryStore
from stores.registry import open_store

WAIT_SECONDS = 10


class Groups(MemoryStore):
    """Remembers how many batches each write had."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def commit_many(self, batches: Sequence[Batch]) -> list[int | StoreError]:
        self.sizes.append(len(batches))
        return super().commit_many(batches)


async def _turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def a_run(bench: Bench, name: str, seconds: float | None = None) -> RequestRun:
    create = bench.application.context.operations["agent-create"]
    return RequestRun(create, agent(name).SerializeToString(), SYSTEM, lambda: seconds)


def played(bench: Bench, arrivals: list[int], monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let one caller arrive after so many turns each, none of them alone; return how many each write was for."""
    monkeypatch.setattr(write_queue, "ALONE_SECONDS", 1e9)
    store = Groups()
    queue = WriteQueue(store, bench.application.context)
    queue._last_busy = time.monotonic()

    async def scene() -> None:
        callers = []
        for number, pause in enumerate(arrivals):
            await _turns(pause)
            callers.append(asyncio.ensure_future(queue.run(a_run(bench, f"agent {number}"))))
        async with asyncio.timeout(WAIT_SECONDS):
            await asyncio.gather(*callers)

    asyncio.run(scene())
    return store.sizes


@pytest.mark.parametrize(
    ("arrivals", "groups"),
    [
        ([0], [1]),
        ([0, QUIET_TURNS - 2, QUIET_TURNS - 2], [3]),
        ([0, 3 * QUIET_TURNS, 1], [1, 2]),
        ([1] * (2 * GROUP_MAX), [GROUP_MAX, GROUP_MAX]),
    ],
    ids=["one goes on", "within the patience", "later: the next group", "a full group waits for nobody"],
)
def test_those_who_arrive_close_together_go_together(
    oss: Bench, arrivals: list[int], groups: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sum(sizes := played(oss, arrivals, monkeypatch)) == len(arrivals)
    assert all(abs(size - wanted) <= 1 for size, wanted in zip(sizes, groups, strict=False)), sizes


def test_who_is_alone_is_written_in_the_same_turn(oss: Bench) -> None:
    async def scene() -> None:
        running = asyncio.ensure_future(oss.application.queue.run(a_run(oss, "Alone")))
        await _turns(1)
        assert oss.counts()["agent"] == 1
        await running

    asyncio.run(scene())


def test_who_is_cancelled_leaves_the_others_alone(oss: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_queue, "ALONE_SECONDS", 1e9)

    async def scene() -> None:
        first, second = (asyncio.ensure_future(oss.application.queue.run(a_run(oss, name))) for name in ("A", "B"))
        await _turns(1)
        first.cancel()
        async with asyncio.timeout(WAIT_SECONDS):
            await second
        assert first.cancelled()

    asyncio.run(scene())
    assert [Agent.FromString(each.data).metadata.name for each in oss.store.scan("agent")] == ["B"]


def test_a_loop_that_ended_early_leaves_nothing_behind(oss: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_queue, "ALONE_SECONDS", 1e9)
    queue = WriteQueue(oss.store, oss.application.context)

    async def given_up() -> None:
        waiting = asyncio.ensure_future(queue.run(a_run(oss, "Lost")))
        await _turns(1)
        waiting.cancel()

    async def later() -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            await queue.run(a_run(oss, "Later"))

    asyncio.run(given_up())
    asyncio.run(later())
    assert oss.counts()["agent"] == 1


def test_a_deadline_that_passed_before_the_commit_leaves_nothing(oss: Bench) -> None:
    with pytest.raises(DeadlineExceeded):
        asyncio.run(oss.application.queue.run(a_run(oss, "Late", seconds=0.0)))
    assert oss.counts()["agent"] == 0


@pytest.mark.parametrize("count", [2, GROUP_MAX, 3 * GROUP_MAX])
def test_creates_at_once_are_as_right_as_one_by_one(oss: Bench, count: int) -> None:
    create = oss.application.context.operations["agent-create"]
    names = [f"agent {number // 2}" for number in range(count)]

    async def scene() -> list[bytes | BaseException]:
        calls = (oss.executor.execute(create, agent(name).SerializeToString(), SYSTEM) for name in names)
        async with asyncio.timeout(WAIT_SECONDS):
            return await asyncio.gather(*calls, return_exceptions=True)

    answers = asyncio.run(scene())
    made = [Agent.FromString(answer) for answer in answers if isinstance(answer, bytes)]
    refused = [answer for answer in answers if isinstance(answer, BaseException)]
    assert sorted(one.metadata.name for one in made) == sorted(set(names))
    assert all(isinstance(answer, AlreadyExists) for answer in refused)
    assert len(refused) == count - len(set(names))
    assert oss.counts()["agent"] == oss.counts()["agent_instance"] == len(set(names))


def test_observers_hear_of_what_is_rewritten_also_when_the_caller_leaves(oss: Bench) -> None:
    heard: list[str] = []

    class Observer:
        def writing(self, batch: Batch) -> None:
            heard.append("writing")

        def written(self, batch: Batch) -> None:
            heard.append("written")

    context = oss.application.context
    object.__setattr__(context, "observers", (*context.observers, Observer()))
    made = oss.call("agent-create", agent())
    assert heard == []

    async def scene() -> None:
        update = context.operations["agent-update"]
        run = RequestRun(update, made.SerializeToString(), SYSTEM, lambda: None)
        leaving = asyncio.ensure_future(oss.application.queue.run(run))
        await _turns(1)
        leaving.cancel()
        await _turns(QUIET_TURNS + 5)

    asyncio.run(scene())
    assert heard in (["writing", "written"], []), "it left before its steps ran, or was heard of to the end"
    oss.call("agent-update", made)
    assert heard[-2:] == ["writing", "written"]


# ---- the event loop never waits for the disk

FSYNC_SECONDS = 0.2
TURN_SECONDS_MAX = 0.02
TRIES = 15


async def _longest_turn(scene: Callable[[], Awaitable[None]]) -> float:
    """Return how long the loop stood still at most while a scene played, in seconds."""
    done, longest, last = asyncio.Event(), 0.0, time.perf_counter()

    async def watch() -> None:
        nonlocal longest, last
        while not done.is_set():
            await asyncio.sleep(0)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now

    watching = asyncio.ensure_future(watch())
    await scene()
    done.set()
    await watching
    return longest


def test_no_turn_of_the_loop_waits_for_a_slow_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests come while what runs in the background commits, on a disk that takes 200 ms for each sync."""
    write = LevelDbEngine._write

    def slow(engine: LevelDbEngine, batch: Any) -> None:
        time.sleep(FSYNC_SECONDS)
        write(engine, batch)

    tokens = tmp_path / "tokens.toml"
    tokens.write_text(TOKENS, encoding="utf-8")
    config = ServerConfig(profile="cloud", tokens=str(tokens), events_max=1, event_log=str(tmp_path / "events"))
    with open_store(f"leveldb:{tmp_path / 'db'}", create=True) as store:
        application = build(config, store)
        create, caller = application.context.operations["agent-create"], Caller("root")

        async def creates(names: list[str]) -> None:
            calls = (application.executor.execute(create, agent(name).SerializeToString(), caller) for name in names)
            await asyncio.gather(*calls)

        async def busy(number: int) -> None:
            tasks = BackgroundTasks(config, application)
            writers = [task() for task in tasks.of_profile()]
            await asyncio.gather(creates([f"{number} {each}" for each in range(3)]), *writers)
            tokens.write_text(TOKENS + f'[[callers]]\nid = "n{number}"\ntoken = "n{number}"\noperator = true\n')
            await asyncio.gather(tasks.follow_tokens(), tasks.clear_events(), creates([f"{number} more"]))

        async def scene() -> list[float]:
            await application.refresh_callers()
            await creates(["Warm", "Warmer", "Warmest"])
            monkeypatch.setattr(LevelDbEngine, "_write", slow)
            turns: list[float] = []
            # A busy machine holds up an idle loop too, now and then; a lock held through a sync does so each time.
            while min(turns, default=1.0) >= TURN_SECONDS_MAX and len(turns) < TRIES:
                idle = await _longest_turn(lambda: asyncio.sleep(2 * FSYNC_SECONDS))
                turns.append(await _longest_turn(partial(busy, len(turns))) - idle)
            return turns

        turns = asyncio.run(scene())
        application.close()
        assert store.count("event") < 2 * store.count("agent"), "old events were cleared meanwhile"
    assert min(turns) < TURN_SECONDS_MAX, turns
