"""The embedded authorizer and OpenFGA are of one opinion on drawn policies and questions."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from reference_server.authorization.authorizer import Authorizer
from reference_server.authorization.model import PERMISSION_PREFIX, PLATFORM, SYSTEM, RelationTuple, default_model
from reference_server.authorization.openfga.client import CHECKS_MAX, Check, OpenFgaClient, OpenFgaError
from reference_server.authorization.openfga.drift import drift_between
from reference_server.authorization.openfga.following import Progress, TupleRelay
from reference_server.authorization.openfga.rendering import types_of
from reference_server.authorization.openfga.tuples import question_of, tuples_of
from reference_server.authorization.policies import KIND, StoredPolicies, new_policy
from reference_server.bootstrap import build
from reference_server.clock import Clock
from reference_server.config import ServerConfig
from reference_server.unit_of_work import UnitOfWork
from stores.contract import Put, Store
from stores.memory import MemoryStore
from tests.openfga.build import missing
from tests.openfga.drawn import QUESTIONS, Question, World
from tests.openfga.server import OpenFgaServer, openfga

WORLDS, SEED = 20, 20_261_127
"""Twenty worlds with 500 questions each are 10,000 questions."""
AT_ONCE = 2
TYPES = types_of(default_model())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenFgaServer]:
    if why := missing():
        pytest.skip(why)
    with openfga(tmp_path_factory.mktemp("openfga"), outlives=False) as running:
        yield running


def stored(world: World) -> Store:
    store = MemoryStore()
    clock, work = Clock(), UnitOfWork(store)
    for each in world.policies:
        policy = new_policy(work, clock, SYSTEM, each)
        store.commit([Put(KIND, policy.metadata.id, policy, "absent")])
    return store


async def follow(store: Store, client: OpenFgaClient, progress: Progress) -> None:
    """Deliver all that is in the store."""
    application = build(ServerConfig(), store)
    relay = TupleRelay(store, application.queue, client, TYPES, progress)
    while await relay.advance(client.place.model):
        pass
    application.close()


async def openfga_says(client: OpenFgaClient, questions: Sequence[Question]) -> list[bool]:
    """Ask OpenFGA alone: the question itself and, for permissions, whether the principal is an operator."""
    checks: list[Check] = []
    for each in questions:
        contextual = tuple(dict.fromkeys(key for one in each.contextual for key in tuples_of(TYPES, one)))
        operator = RelationTuple(each.asked.principal, "operator", PLATFORM)
        other = operator if each.asked.relation.startswith(PERMISSION_PREFIX) else each.asked
        checks += [Check(question_of(TYPES, asked), contextual) for asked in (each.asked, other)]
    slots = asyncio.Semaphore(AT_ONCE)

    async def told(piece: Sequence[Check]) -> list[bool | OpenFgaError]:
        async with slots:
            return await client.check(piece, client.place.model, fresh=True, seconds=60)

    pieces = [checks[at : at + CHECKS_MAX] for at in range(0, len(checks), CHECKS_MAX)]
    answers = [answer for piece in await asyncio.gather(*map(told, pieces)) for answer in piece]
    failures = [answer for answer in answers if isinstance(answer, OpenFgaError)]
    assert failures == []
    return [bool(one) or bool(other) for one, other in zip(answers[::2], answers[1::2], strict=True)]


async def compare(world: World, client: OpenFgaClient, cursor: str) -> Counter[bool]:
    """Return how often both said yes, and no."""
    store = stored(world)
    await follow(store, client, Progress(cursor))
    drift = await drift_between(store, client, TYPES)
    assert drift.missing == (), "all policies have arrived"
    theirs = await openfga_says(client, world.questions)
    work, embedded = UnitOfWork(store), Authorizer()
    ours = [embedded.allows(*each.asked, StoredPolicies(work, each.contextual)) for each in world.questions]
    different = [
        (each, mine, its) for each, mine, its in zip(world.questions, ours, theirs, strict=True) if mine != its
    ]
    assert different == [], f"{len(different)} of {len(world.questions)} differ; the first: {different[0]}"
    return Counter(ours)


@pytest.mark.parametrize("worlds", [WORLDS // 10, pytest.param(WORLDS, marks=pytest.mark.full)])
def test_they_agree_on_drawn_questions(worlds: int, server: OpenFgaServer) -> None:
    place = server.installed()

    async def all_worlds() -> Counter[bool]:
        client, told = OpenFgaClient(place), Counter[bool]()
        try:
            for number in range(worlds):
                world = World(number, SEED, default_model(), TYPES)
                told += await compare(world, client, f"world-{number}")
        finally:
            await client.close()
        return told

    told = asyncio.run(all_worlds())
    assert told.total() == worlds * QUESTIONS
    assert min(told[True], told[False]) > told.total() / 5, f"both answers are frequent: {told}"
