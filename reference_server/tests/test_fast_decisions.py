"""A decision that was yes is remembered only where it must still be yes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from protos.ai.stigmer.iam.iampolicy.v1.api_pb2 import IamPolicy
from protos.ai.stigmer.iam.iampolicy.v1.spec_pb2 import ApiResourceRef, IamPolicySpec
from reference_server.authorization.model import PLATFORM, SYSTEM, Ref, RelationTuple
from reference_server.authorization.policies import KIND, StoredPolicies, grant
from reference_server.clock import Clock
from reference_server.fast.decisions import CachingAuthorizer
from reference_server.unit_of_work import UnitOfWork
from stores.contract import Delete, Store
from stores.registry import open_store

ADA, AGENT, ORG = Ref("identity_account", "ada"), Ref("agent", "agt-1"), Ref("organization", "acme")
OWNER = RelationTuple(ADA, "owner", AGENT)
MAY_VIEW = RelationTuple(ADA, "can_view", AGENT)
POLICY = IamPolicy(
    spec=IamPolicySpec(
        principal=ApiResourceRef(kind=ADA.kind, id=ADA.id),
        relation="owner",
        resource=ApiResourceRef(kind=AGENT.kind, id=AGENT.id),
    )
)


@pytest.fixture
def store() -> Iterator[Store]:
    with open_store("memory:", create=True) as opened:
        yield opened


def committed(work: UnitOfWork, store: Store, authorizer: CachingAuthorizer) -> None:
    batch = work.batch()
    authorizer.writing(batch)
    store.commit(batch)
    authorizer.written(batch)


def stored(store: Store, authorizer: CachingAuthorizer) -> None:
    work = UnitOfWork(store)
    work.create(KIND, "iam-1", POLICY)
    committed(work, store, authorizer)


def allows(authorizer: CachingAuthorizer, work: UnitOfWork, *contextual: RelationTuple) -> bool:
    return authorizer.allows(ADA, "can_view", AGENT, StoredPolicies(work, contextual))


def revoked_behind_its_back(store: Store) -> None:
    store.commit([Delete(KIND, "iam-1")])


def test_a_yes_is_remembered_until_a_policy_is_removed(store: Store) -> None:
    authorizer = CachingAuthorizer()
    stored(store, authorizer)
    assert allows(authorizer, UnitOfWork(store))
    revoked_behind_its_back(store)
    assert allows(authorizer, UnitOfWork(store)), "it was remembered"
    work = UnitOfWork(store)
    work.delete(KIND, "iam-2")
    committed(work, store, authorizer)
    assert not allows(authorizer, UnitOfWork(store))


def test_who_is_operator_is_remembered_likewise(store: Store) -> None:
    authorizer = CachingAuthorizer()
    work = UnitOfWork(store)
    grant(work, Clock(), SYSTEM, PLATFORM, ((ADA, "operator"),))
    committed(work, store, authorizer)
    assert authorizer.is_operator(ADA, StoredPolicies(UnitOfWork(store)))
    (policy,) = store.scan(KIND)
    store.commit([Delete(KIND, policy.id)])
    assert authorizer.is_operator(ADA, StoredPolicies(UnitOfWork(store))), "it was remembered"
    authorizer.written([Delete(KIND, policy.id)])
    assert not authorizer.is_operator(ADA, StoredPolicies(UnitOfWork(store)))


def test_a_no_is_not_remembered(store: Store) -> None:
    authorizer = CachingAuthorizer()
    assert not allows(authorizer, UnitOfWork(store))
    stored(store, authorizer)
    assert allows(authorizer, UnitOfWork(store))


def test_what_rests_on_contextual_policies_is_not_remembered(store: Store) -> None:
    authorizer = CachingAuthorizer()
    assert allows(authorizer, UnitOfWork(store), OWNER)
    assert not allows(authorizer, UnitOfWork(store))


def test_what_rests_on_staged_policies_is_not_remembered(store: Store) -> None:
    authorizer = CachingAuthorizer()
    work = UnitOfWork(store)
    work.create(KIND, "iam-1", POLICY)
    assert allows(authorizer, work)
    assert not allows(authorizer, UnitOfWork(store)), "the request came to nothing"
