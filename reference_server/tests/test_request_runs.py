"""A request run: what a request comes to, whoever runs beside it."""

from __future__ import annotations

import asyncio
import gc
import weakref
from dataclasses import replace
from typing import Any

import pytest

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agent.v1.io_pb2 import AgentId
from protos.ai.stigmer.iam.iampolicy.v1.api_pb2 import IamPolicy
from reference_server.audit import Instant
from reference_server.authorization.model import Caller, Ref, RelationTuple
from reference_server.authorization.policies import grant, tuple_of
from reference_server.execution.request_run import RequestRun
from reference_server.pipeline import Operation, State, Step, run_steps
from reference_server.tests.conftest import Bench, agent
from reference_server.unit_of_work import UnitOfWork, staged_message
from stores.contract import Put
from stores.rules import keys_of
from stores.schema import KINDS

ADA = Caller("ada")


class Refusal(Exception):
    """What a step of these tests raises."""


def policy_of(put: Put) -> IamPolicy:
    message = staged_message(put)
    assert isinstance(message, IamPolicy)
    return message


def request_run(operation: Operation, data: bytes, caller: Caller | None = ADA) -> RequestRun:
    return RequestRun(operation, data, caller, lambda: None)


def ran(bench: Bench, operation: Operation, name: str, caller: Caller = ADA) -> RequestRun:
    run = request_run(operation, agent(name).SerializeToString(), caller)
    run.run(bench.application.context, bench.store, Instant(bench.application.context.clock))
    return run


def outcome(bench: Bench, run: RequestRun) -> str:
    """What a run came to through the queue: `ok`, or the name of what it failed with."""

    async def scene() -> str:
        try:
            await bench.application.queue.run(run)
        except Exception as error:  # noqa: BLE001 - its name is what is asked for
            return type(error).__name__
        return "ok"

    return asyncio.run(scene())


def requests(bench: Bench) -> list[RequestRun]:
    """Requests of several operations: right ones, a malformed one, and ones that different steps refuse."""
    operations = bench.application.context.operations
    create, delete = operations["agent-create"], operations["agent-delete"]
    there = bench.call("agent-create", agent("There"), "ada")
    return [
        request_run(create, agent("One").SerializeToString()),
        request_run(create, b"\xff\xff"),
        request_run(create, agent("There").SerializeToString()),
        request_run(delete, AgentId(value="agt-gone").SerializeToString()),
        request_run(create, agent("").SerializeToString()),
        request_run(create, agent("Two").SerializeToString()),
        request_run(delete, AgentId(value=there.metadata.id).SerializeToString()),
        request_run(create, agent("One again").SerializeToString(), None),
    ]


WANTED = [
    "ok",
    "MalformedRequest",
    "AlreadyExists",
    "PermissionDenied",
    "InvalidArgument",
    "ok",
    "ok",
    "Unauthenticated",
]


def test_each_comes_to_its_own_outcome_alone(cloud: Bench) -> None:
    assert [outcome(cloud, each) for each in requests(cloud)] == WANTED


def test_each_comes_to_its_own_outcome_in_a_group(cloud: Bench) -> None:
    runs = requests(cloud)

    async def scene() -> list[Any]:
        return await asyncio.gather(*map(cloud.application.queue.run, runs), return_exceptions=True)

    outcomes = asyncio.run(scene())
    assert ["ok" if isinstance(each, bytes) else type(each).__name__ for each in outcomes] == WANTED
    own = [{each.id for each in run.batch if isinstance(each, Put)} for run in (runs[0], runs[5])]
    assert own[0]
    assert len(own[0]) == len(own[1])
    assert not own[0] & own[1]


def test_what_a_group_does_happens_at_one_instant(cloud: Bench) -> None:
    create = cloud.application.context.operations["agent-create"]
    context = cloud.application.context
    instants = [Instant(context.clock), Instant(context.clock)]
    runs = [request_run(create, agent(name).SerializeToString()) for name in ("One", "Two", "Later")]
    for run, instant in zip(runs, (instants[0], instants[0], instants[1]), strict=True):
        run.run(context, cloud.store, instant)
    times = [Agent.FromString(run.response).status.audit.spec_audit.created_at.seconds for run in runs]
    assert times[0] == times[1] < times[2]


def test_policies_are_each_requests_own(cloud: Bench) -> None:
    create = cloud.application.context.operations["agent-create"]
    callers = [Caller(caller) for caller in ("ada", "root", "ada", "root")]
    runs = [ran(cloud, create, f"{caller.id} {number}", caller) for number, caller in enumerate(callers)]
    policies: list[Any] = []
    for run, caller in zip(runs, callers, strict=True):
        made = Agent.FromString(run.response)
        own = [each for each in run.batch if isinstance(each, Put) and each.kind == "iam_policy"]
        policies += own
        for each in own:
            message = policy_of(each)
            assert each.data in {None, message.SerializeToString(deterministic=True)}
            assert each.keys in {None, keys_of(KINDS["iam_policy"], Put("iam_policy", each.id, message))}
            assert message.metadata.id == each.id
        assert {
            (spec.principal.kind, spec.principal.id, spec.relation, spec.resource.id)
            for spec in (policy_of(each).spec for each in own)
        } == {
            ("identity_account", caller.id, "owner", made.metadata.id),
            ("organization", "acme", "organization", made.metadata.id),
            ("identity_account", "system", "owner", made.status.default_instance_id),
            ("organization", "acme", "organization", made.status.default_instance_id),
            ("agent", made.metadata.id, "agent", made.status.default_instance_id),
        }
        makers = {policy_of(each).status.audit.spec_audit.created_by.id for each in own}
        assert makers == {made.status.audit.spec_audit.created_by.id, "system"}
    assert len({each.id for each in policies}) == 20


def test_policies_of_different_sorts_are_granted_as_they_were_asked_for(cloud: Bench) -> None:
    work = UnitOfWork(cloud.store)
    tuples = [
        RelationTuple(Ref(principal, "p", of), relation, Ref(resource, "r"))
        for principal in ("organization", "team")
        for of in ("", "member")
        for relation in ("owner", "viewer")
        for resource in ("agent", "environment")
    ]
    for principal, relation, resource in (*tuples, *reversed(tuples)):
        grant(work, cloud.application.context.clock, ADA, resource, ((principal, relation),))
    staged = [tuple_of(policy_of(each).spec) for each in work.batch() if isinstance(each, Put)]
    assert staged == [*tuples, *reversed(tuples)]


def test_bytes_given_with_a_resource_do_not_outlive_its_change(cloud: Bench) -> None:
    work = UnitOfWork(cloud.store)
    before, after = agent("Before"), agent("After")
    work.create_bytes("agent", "agt-1", before.SerializeToString(), (("org", ("before",)),))
    work.replace("agent", "agt-1", after, expect=-1)
    (put,) = work.batch()
    assert isinstance(put, Put)
    assert put.message is after
    assert put.data in {None, after.SerializeToString()}
    assert put.keys is None


def _operation_with(operation: Operation, at: str, function: Any) -> Operation:
    steps = tuple(Step(each.name, function) if each.name == at else each for each in operation.steps)
    return replace(operation, steps=steps)


def _refuse(state: State, _: UnitOfWork) -> State:
    raise Refusal


@pytest.mark.parametrize("where", ["request", "step", "nested"])
def test_a_refused_request_leaves_nothing_to_the_collector(cloud: Bench, where: str) -> None:
    create = cloud.application.context.operations["agent-create"]

    def nested(state: State, work: UnitOfWork) -> State:
        return run_steps(state._replace(operation=replace(create, steps=(Step("Refuse", _refuse),))), work)

    if where == "step":
        create = _operation_with(create, "Persist", _refuse)
    elif where == "nested":
        create = _operation_with(create, "CreateDefaultInstance", nested)
    data = b"\xff\xff" if where == "request" else agent("Refused").SerializeToString()
    failures: list[weakref.ref[BaseException]] = []

    async def refused() -> None:
        run = request_run(create, data)
        try:
            await cloud.application.queue.run(run)
        except Exception as error:  # noqa: BLE001 - any of the three
            failures.append(weakref.ref(error))

    async def scene() -> None:
        await asyncio.gather(refused(), refused())

    gc.collect()
    gc.disable()
    try:
        asyncio.run(scene())
        assert [failure() for failure in failures] == [None, None]
    finally:
        gc.enable()
