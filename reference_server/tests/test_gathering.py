"""Requests that arrive close together go on together, and nobody waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from reference_server.call import SYSTEM
from reference_server.errors import AlreadyExists
from reference_server.gathering import GROUP_MAX, PATIENT_TURNS, Gathering
from reference_server.tests.conftest import Bench, agent

WAIT_SECONDS = 10


async def _turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def _answered(group: Sequence[tuple[int, asyncio.Future[int]]]) -> list[int]:
    """Answer each of a group with its own number, and return the numbers."""
    for number, future in group:
        future.set_result(number)
    return [number for number, _ in group]


def _played(arrivals: list[int], group_max: int = GROUP_MAX) -> list[list[int]]:
    """Let one caller arrive after so many turns each; return who was taken together, by their numbers."""
    groups: list[list[int]] = []
    gathering: Gathering[int, int] = Gathering(lambda group: groups.append(_answered(group)), group_max)

    async def scene() -> None:
        callers = []
        for number, pause in enumerate(arrivals):
            await _turns(pause)
            callers.append(asyncio.ensure_future(gathering.join(number)))
        async with asyncio.timeout(WAIT_SECONDS):
            await asyncio.gather(*callers)

    asyncio.run(scene())
    return groups


def test_one_alone_goes_on() -> None:
    assert _played([0]) == [[0]]


def test_those_who_come_within_the_patience_go_on_together() -> None:
    assert _played([0, PATIENT_TURNS - 2, PATIENT_TURNS - 2]) == [[0, 1, 2]]


def test_who_comes_later_is_in_the_next_group() -> None:
    assert _played([0, 3 * PATIENT_TURNS, 1]) == [[0], [1, 2]]


def test_a_full_group_waits_for_nobody() -> None:
    groups = _played([1] * 12, group_max=4)
    assert [number for group in groups for number in group] == list(range(12))
    assert max(map(len, groups)) <= 5, "two may come in one turn of the loop"
    assert len(groups) >= 3


def test_who_is_cancelled_leaves_the_others_alone() -> None:
    async def scene() -> None:
        taken: list[int] = []
        gathering: Gathering[int, int] = Gathering(lambda group: taken.extend(_answered(group)))
        first, second = (asyncio.ensure_future(gathering.join(number)) for number in range(2))
        await _turns(1)
        first.cancel()
        async with asyncio.timeout(WAIT_SECONDS):
            await second
        assert first.cancelled()
        assert taken == [1]

    asyncio.run(scene())


def test_a_loop_that_ended_early_leaves_nothing_behind() -> None:
    taken: list[int] = []
    gathering: Gathering[int, int] = Gathering(lambda group: taken.extend(_answered(group)))

    async def given_up() -> None:
        waiting = asyncio.ensure_future(gathering.join(1))
        await _turns(1)
        waiting.cancel()

    async def later() -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            await gathering.join(2)

    asyncio.run(given_up())
    asyncio.run(later())
    assert taken == [2]


def test_a_fault_in_taking_reaches_everybody() -> None:
    def take(_: object) -> None:
        raise RuntimeError("a fault")

    async def scene() -> list[int | BaseException]:
        gathering: Gathering[int, int] = Gathering(take)
        async with asyncio.timeout(WAIT_SECONDS):
            return await asyncio.gather(*(gathering.join(number) for number in range(3)), return_exceptions=True)

    assert [str(each) for each in asyncio.run(scene())] == ["a fault"] * 3


@pytest.mark.parametrize("count", [2, GROUP_MAX, 3 * GROUP_MAX])
def test_creates_at_once_are_as_right_as_one_by_one(oss: Bench, count: int) -> None:
    create = oss.application.rules.operations["agent-create"]
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
