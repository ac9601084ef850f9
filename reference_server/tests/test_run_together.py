"""Step by step together or one after another: each request comes to the same."""

from __future__ import annotations

import contextlib
import gc
import weakref
from dataclasses import replace
from typing import Any

import pytest

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agent.v1.io_pb2 import AgentId
from protos.ai.stigmer.iam.iampolicy.v1.api_pb2 import IamPolicy
from reference_server.attempts import Attempt, Attempts
from reference_server.authorization.facts import Facts
from reference_server.authorization.model import Ref, Statement
from reference_server.authorization.policies import grant, statement_of
from reference_server.call import Caller, State
from reference_server.errors import MalformedRequest
from reference_server.pipeline import NestedPipeline, Operation, Step
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


def _attempts(bench: Bench) -> Attempts:
    return Attempts(bench.store, bench.application.rules, Facts())


def _shape(attempt: Attempt) -> tuple[str, list[tuple[str, str]]]:
    """What an attempt came to, without ids and times."""
    writes = [(type(each).__name__, each.kind) for each in attempt.batch]
    return repr(type(attempt.failure)), writes


@pytest.fixture
def requests(cloud: Bench) -> list[Attempt]:
    """Requests of several operations: right ones, a malformed one, and ones that different steps refuse."""
    operations = cloud.application.rules.operations
    create, delete = operations["agent-create"], operations["agent-delete"]
    there = cloud.call("agent-create", agent("There"), "ada")
    nameless = agent("")
    return [
        Attempt(create, agent("One").SerializeToString(), ADA),
        Attempt(create, b"\xff\xff", ADA),
        Attempt(create, agent("There").SerializeToString(), ADA),
        Attempt(delete, AgentId(value="agt-gone").SerializeToString(), ADA),
        Attempt(create, nameless.SerializeToString(), ADA),
        Attempt(create, agent("Two").SerializeToString(), ADA),
        Attempt(delete, AgentId(value=there.metadata.id).SerializeToString(), ADA),
        Attempt(create, agent("One").SerializeToString(), None),
    ]


def test_each_comes_to_what_it_comes_to_alone(cloud: Bench, requests: list[Attempt]) -> None:
    alone = [replace(each) for each in requests]
    for each in alone:
        _attempts(cloud).make([each])
    _attempts(cloud).make(requests)
    assert list(map(_shape, requests)) == list(map(_shape, alone))
    failures = [type(each.failure).__name__ for each in requests]
    assert failures == [
        "NoneType",
        "MalformedRequest",
        "AlreadyExists",
        "PermissionDenied",
        "InvalidArgument",
        "NoneType",
        "NoneType",
        "Unauthenticated",
    ]


def test_what_gathered_happens_at_one_instant_and_what_did_not_does_not(cloud: Bench) -> None:
    create = cloud.application.rules.operations["agent-create"]
    one, two, later = (Attempt(create, agent(name).SerializeToString(), ADA) for name in ("One", "Two", "Later"))
    _attempts(cloud).make([one, two])
    _attempts(cloud).make([later])
    times = [Agent.FromString(each.response).status.audit.spec_audit.created_at.seconds for each in (one, two, later)]
    assert times[0] == times[1] < times[2]


def test_policies_are_each_requests_own(cloud: Bench) -> None:
    create = cloud.application.rules.operations["agent-create"]
    gathered = [
        Attempt(create, agent(f"{caller} {number}").SerializeToString(), Caller(caller))
        for number, caller in enumerate(["ada", "root", "ada", "root"])
    ]
    _attempts(cloud).make(gathered)
    policies: list[Any] = []
    for attempt in gathered:
        assert attempt.failure is None
        made = Agent.FromString(attempt.response)
        own = [each for each in attempt.batch if isinstance(each, Put) and each.kind == "iam_policy"]
        policies += own
        for each in own:
            message = policy_of(each)
            assert each.data == message.SerializeToString(deterministic=True)
            assert each.keys == keys_of(KINDS["iam_policy"], Put("iam_policy", each.id, message))
            assert message.metadata.id == each.id
        assert {
            (spec.principal.kind, spec.principal.id, spec.relation, spec.resource.id)
            for spec in (policy_of(each).spec for each in own)
        } == {
            ("identity_account", attempt.caller.id if attempt.caller else "", "owner", made.metadata.id),
            ("organization", "acme", "organization", made.metadata.id),
            ("identity_account", "system", "owner", made.status.default_instance_id),
            ("organization", "acme", "organization", made.status.default_instance_id),
            ("agent", made.metadata.id, "agent", made.status.default_instance_id),
        }
        makers = {policy_of(each).status.audit.spec_audit.created_by.id for each in own}
        assert makers == {made.status.audit.spec_audit.created_by.id, "system"}
    assert len({each.id for each in policies}) == 20


def test_policies_of_different_sorts_are_not_taken_for_alike(cloud: Bench) -> None:
    rules = cloud.application.rules
    state = State(rules, rules.operations["agent-create"], None, ADA)
    work = UnitOfWork(cloud.store)
    statements = [
        Statement(Ref(principal, "p", of), relation, Ref(resource, "r"))
        for principal in ("organization", "team")
        for of in ("", "member")
        for relation in ("owner", "viewer")
        for resource in ("agent", "environment")
    ]
    for statement in (*statements, *reversed(statements)):
        principal, relation, resource = statement
        grant(state, work, resource, ((principal, relation),))
    staged = [statement_of(policy_of(each).spec) for each in work.batch() if isinstance(each, Put)]
    assert staged == [*statements, *reversed(statements)]
    for each in work.batch():
        assert isinstance(each, Put)
        assert each.keys == keys_of(KINDS["iam_policy"], Put("iam_policy", each.id, policy_of(each)))


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


def test_each_has_its_own_resource(cloud: Bench, requests: list[Attempt]) -> None:
    _attempts(cloud).make(requests)
    one, two = ({each.id for each in requests[number].batch if isinstance(each, Put)} for number in (0, 5))
    assert one
    assert len(one) == len(two)
    assert not one & two


def _operation_with(operation: Operation, at: str, function: Any) -> Operation:
    steps = tuple(Step(each.name, function) if each.name == at else each for each in operation.steps)
    return replace(operation, steps=steps)


@pytest.mark.parametrize("fails_in", ["begin", "step"])
def test_a_failure_in_a_nested_pipeline_is_one_requests_alone(cloud: Bench, fails_in: str) -> None:
    create = cloud.application.rules.operations["agent-create"]

    def refuse_bad(state: State, _: UnitOfWork) -> State:
        if "bad" in state.resource.metadata.name:
            raise LookupError("refused inside")
        return state

    def begin(state: State) -> State:
        if fails_in == "begin":
            refuse_bad(state, UnitOfWork(cloud.store))
        return state._replace(operation=replace(create, steps=(Step("Refuse", refuse_bad),)))

    nested = _operation_with(create, "CreateDefaultInstance", NestedPipeline(begin))
    made = [Attempt(nested, agent(name).SerializeToString(), ADA) for name in ("good", "bad", "fine")]
    _attempts(cloud).make(made)
    assert [type(each.failure) for each in made] == [type(None), LookupError, type(None)]
    assert [bool(each.batch) for each in made] == [True, False, True]


@pytest.mark.parametrize("where", ["request", "step", "nested"])
def test_a_refused_request_leaves_nothing_to_the_collector(cloud: Bench, where: str) -> None:
    create = cloud.application.rules.operations["agent-create"]

    def refuse(state: State, _: UnitOfWork) -> State:
        raise Refusal

    if where == "step":
        create = _operation_with(create, "Persist", refuse)
    elif where == "nested":
        begin = NestedPipeline(lambda state: state._replace(operation=replace(create, steps=(Step("Refuse", refuse),))))
        create = _operation_with(create, "CreateDefaultInstance", begin)
    data = b"\xff\xff" if where == "request" else agent("Refused").SerializeToString()
    gc.collect()
    gc.disable()
    try:
        made = [Attempt(create, data, ADA) for _ in range(2)]
        _attempts(cloud).make(made)
        failures = [weakref.ref(each.failure) for each in made if each.failure]
        for each in made:
            with contextlib.suppress(Refusal, MalformedRequest):
                each.raise_failure()
        del each
        assert [failure() for failure in failures] == [None, None]
    finally:
        gc.enable()


def test_what_failed_once_is_forgotten_when_raised(cloud: Bench) -> None:
    create = cloud.application.rules.operations["agent-create"]
    attempt = Attempt(create, b"\xff\xff", ADA)
    _attempts(cloud).make([attempt])
    with pytest.raises(Exception, match="check the client's schema"):
        attempt.raise_failure()
    attempt.raise_failure()
