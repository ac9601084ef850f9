"""Questions to OpenFGA go in batches, and each answer to whom it belongs. No OpenFGA is needed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from reference_server.authorization.openfga.availability import FAILURES_MAX, Availability
from reference_server.authorization.openfga.batching import BATCH_CHECKS_MAX, BATCHES_MAX, Batches
from reference_server.authorization.openfga.client import Check, OpenFgaError
from reference_server.authorization.openfga.tuples import TupleKey
from reference_server.errors import AuthorizerUnavailable


def check(number: int, contextual: int = 0) -> Check:
    keys = tuple(TupleKey("user:" + "x" * 400, "member", f"group:{each}") for each in range(contextual))
    return Check(TupleKey("user:u", "can_view", f"agent:{number}"), keys)


class Sent:
    """Answers yes to even numbers, and keeps what it was sent."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.under_way = self.most = 0
        self.failure: OpenFgaError | None = None

    async def send(self, checks: Sequence[Check]) -> list[bool | OpenFgaError]:
        self.batches.append(len(checks))
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        if self.failure is not None:
            raise self.failure
        return [int(each.key.object.removeprefix("agent:")) % 2 == 0 for each in checks]


def test_questions_of_one_turn_share_batches_and_are_asked_once() -> None:
    sent = Sent()

    async def ask() -> list[list[bool]]:
        batches = Batches(sent.send)
        questions: list[list[Check]] = [[check(number) for number in range(100)], [check(3), check(4)], []]
        return list(await asyncio.gather(*map(batches.ask, questions)))

    answers = asyncio.run(ask())
    assert answers == [[number % 2 == 0 for number in range(100)], [False, True], []]
    assert sum(sent.batches) == 100
    assert max(sent.batches) == BATCH_CHECKS_MAX
    assert sent.most <= BATCHES_MAX


def test_a_batch_is_no_longer_than_openfga_takes() -> None:
    sent = Sent()
    asyncio.run(Batches(sent.send).ask([check(number, contextual=100) for number in range(20)]))
    assert sum(sent.batches) == 20
    assert max(sent.batches) < BATCH_CHECKS_MAX


def test_a_failure_is_told_to_all_in_the_batch_and_to_nobody_else() -> None:
    sent = Sent()

    async def ask() -> list[bool]:
        batches = Batches(sent.send)
        sent.failure = OpenFgaError("away", passing=True)
        both = await asyncio.gather(batches.ask([check(1)]), batches.ask([check(2)]), return_exceptions=True)
        assert [str(each) for each in both] == ["away", "away"]
        sent.failure = None
        return await batches.ask([check(2)])

    assert asyncio.run(ask()) == [True]


def test_when_questions_are_refused_at_once() -> None:
    told: list[bool] = []
    known = Availability()
    known.listeners.append(told.append)
    with pytest.raises(AuthorizerUnavailable):
        known.require()
    known.ready("model")
    known.require()
    for _ in range(FAILURES_MAX - 1):
        known.failed(OpenFgaError("slow", passing=True))
    known.answered()
    for _ in range(FAILURES_MAX - 1):
        known.failed(OpenFgaError("slow", passing=True))
    known.require()
    known.failed(OpenFgaError("slow", passing=True))
    with pytest.raises(AuthorizerUnavailable):
        known.require()
    known.ready("model")
    known.delivered("writes are refused")
    known.require()
    known.delivered()
    known.failed(OpenFgaError("no such store", passing=False))
    assert not known.answers
    assert told == [True, False, True, False, True, False]
