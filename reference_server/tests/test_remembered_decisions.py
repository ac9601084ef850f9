"""A decision that was yes is remembered only where it must still be yes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from protos.ai.stigmer.iam.iampolicy.v1.api_pb2 import IamPolicy
from protos.ai.stigmer.iam.iampolicy.v1.spec_pb2 import ApiResourceRef, IamPolicySpec
from reference_server.authorization.facts import Facts
from reference_server.authorization.model import Authorizer, Ref, Statement
from reference_server.authorization.policies import KIND, StoredPolicies
from reference_server.unit_of_work import UnitOfWork
from stores.contract import Store
from stores.registry import open_store

ADA, AGENT, ORG = Ref("identity_account", "ada"), Ref("agent", "agt-1"), Ref("organization", "acme")
OWNER = Statement(ADA, "owner", AGENT)
MAY_VIEW = Statement(ADA, "can_view", AGENT)
POLICY = IamPolicy(
    spec=IamPolicySpec(
        principal=ApiResourceRef(kind=ADA.kind, id=ADA.id),
        relation="owner",
        resource=ApiResourceRef(kind=AGENT.kind, id=AGENT.id),
    )
)


@pytest.fixture
def store() -> Iterator[Store]:
    with open_store("memory:") as opened:
        yield opened


def committed(work: UnitOfWork, store: Store) -> None:
    batch = work.batch()
    store.commit(batch)
    work.facts.after_commit(batch)


def stored(store: Store, facts: Facts) -> None:
    work = UnitOfWork(store, facts)
    work.create(KIND, "iam-1", POLICY)
    committed(work, store)


def allows(work: UnitOfWork, *contextual: Statement) -> bool:
    return Authorizer().allows(ADA, "can_view", AGENT, StoredPolicies(work, contextual))


def test_a_yes_is_remembered_until_a_policy_is_removed(store: Store) -> None:
    facts = Facts()
    stored(store, facts)
    assert allows(UnitOfWork(store, facts))
    assert facts.know_allowed(MAY_VIEW)
    work = UnitOfWork(store, facts)
    work.delete(KIND, "iam-1")
    committed(work, store)
    assert not facts.know_allowed(MAY_VIEW)
    assert not allows(UnitOfWork(store, facts))


def test_a_no_is_not_remembered(store: Store) -> None:
    facts = Facts()
    assert not allows(UnitOfWork(store, facts))
    stored(store, facts)
    assert allows(UnitOfWork(store, facts))


def test_what_rests_on_contextual_policies_is_not_remembered(store: Store) -> None:
    facts = Facts()
    assert allows(UnitOfWork(store, facts), OWNER)
    assert not facts.know_allowed(MAY_VIEW)
    assert not allows(UnitOfWork(store, facts))


def test_what_rests_on_staged_policies_is_not_remembered(store: Store) -> None:
    facts = Facts()
    work = UnitOfWork(store, facts)
    work.create(KIND, "iam-1", POLICY)
    assert allows(work)
    assert not allows(UnitOfWork(store, facts)), "the request came to nothing"
