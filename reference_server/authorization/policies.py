"""Policies as stored: reading them for decisions, granting, revoking."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from protos.ai.stigmer.iam.iampolicy.v1.api_pb2 import IamPolicy
from protos.ai.stigmer.iam.iampolicy.v1.spec_pb2 import IamPolicySpec
from protos.kinds import IAM_POLICY
from reference_server.authorization.model import Caller, Ref, RelationTuple
from reference_server.clock import Clock
from reference_server.unit_of_work import UnitOfWork
from stores.contract import Store
from stores.schema import policy_keys

KIND = IAM_POLICY.name

Grants = Sequence[tuple[Ref, str]]
"""Principals, each with the relation to a resource that it is to have."""


def tuple_of(spec: IamPolicySpec) -> RelationTuple:
    """Return what a policy says."""
    principal, resource = spec.principal, spec.resource
    return RelationTuple(
        Ref(principal.kind, principal.id, principal.relation), spec.relation, Ref(resource.kind, resource.id)
    )


def tuple_key(relation_tuple: RelationTuple) -> tuple[str, ...]:
    """Return the key of the unique `tuple` index under which a relation tuple is stored."""
    principal, relation, resource = relation_tuple
    return policy_keys(principal[:2], principal.relation, relation, resource[:2])[0][1]


def _keys_of(
    principal: Ref, relations: Iterable[str], resource: Ref, *, links: bool
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the index keys under which stands whether a principal, or whom, has these relations to a resource."""
    for relation in relations:
        yield "tuple", tuple_key(RelationTuple(principal, relation, resource))
        yield "userset", (relation, resource.kind, resource.id)
    if links:
        yield "resource", (resource.kind, resource.id)


class StoredPolicies:
    """The policies that a unit of work sees, with contextual ones beside them."""

    def __init__(self, work: UnitOfWork, contextual: Sequence[RelationTuple] = ()) -> None:
        self._work = work
        self._contextual = contextual

    @property
    def contextual(self) -> Sequence[RelationTuple]:
        """Those that are only said, for one question."""
        return self._contextual

    @property
    def store(self) -> Store:
        """Where the others are."""
        return self._work.store

    @property
    def are_stored(self) -> bool:
        """Whether all of them are in the store: none is contextual, none only staged."""
        return not self._contextual and not self._work.has_changes()

    def foresee(self, principal: Ref, relations: Iterable[str], resource: Ref, *, links: bool) -> None:
        """Say what is to be asked next: whether a principal, or whom, has these relations to a resource."""
        self._work.foresee(KIND, _keys_of(principal, relations, resource, links=links))

    def holds(self, relation_tuple: RelationTuple) -> bool:
        """Say whether exactly this relation tuple is there."""
        return (
            relation_tuple in self._contextual or self._work.find(KIND, "tuple", tuple_key(relation_tuple)) is not None
        )

    def sets_with(self, relation: str, resource: Ref) -> Iterable[Ref]:
        """Yield the principals with a relation of their own that have `relation` to the resource."""
        for each in self._contextual:
            if each.relation == relation and each.resource == resource and each.principal.relation:
                yield each.principal
        for policy in self._work.messages(KIND, "userset", (relation, resource.kind, resource.id)):
            yield tuple_of(policy.spec).principal

    def linked(self, relation: str, resource: Ref) -> Iterable[Ref]:
        """Yield the objects that have `relation` to the resource; a set is nothing that permissions could be had on."""
        return (
            each.principal for each in self.about(resource) if each.relation == relation and not each.principal.relation
        )

    def about(self, resource: Ref) -> Iterator[RelationTuple]:
        """Yield all relation tuples about a resource."""
        yield from (each for each in self._contextual if each.resource == resource)
        for policy in self._work.messages(KIND, "resource", (resource.kind, resource.id)):
            yield tuple_of(policy.spec)

    def of(self, principal: Ref) -> Iterator[RelationTuple]:
        """Yield all relation tuples in which something is the principal, whatever its own relation."""
        wanted = (principal.kind, principal.id)
        yield from (each for each in self._contextual if each.principal[:2] == wanted)
        for policy in self._work.messages(KIND, "principal", wanted):
            yield tuple_of(policy.spec)


def new_policy(work: UnitOfWork, clock: Clock, actor: Caller, relation_tuple: RelationTuple) -> IamPolicy:
    """Return a policy with an id and an audit, not yet staged."""
    principal, relation, resource = relation_tuple
    policy = IamPolicy(api_version="iam.stigmer.ai/v1", kind="IamPolicy")
    policy.metadata.id = f"{IAM_POLICY.id_prefix}-{clock.new_ulid()}"
    spec = policy.spec
    spec.principal.kind, spec.principal.id, spec.principal.relation = principal
    spec.relation = relation
    spec.resource.kind, spec.resource.id = resource.kind, resource.id
    policy.status.audit.CopyFrom(work.instant.audit_of_creation(actor.id))
    return policy


def grant(work: UnitOfWork, clock: Clock, actor: Caller, resource: Ref, grants: Grants) -> None:
    """Stage a policy for each grant on a resource. The commit fails if one says the same already."""
    for principal, relation in grants:
        policy = new_policy(work, clock, actor, RelationTuple(principal, relation, resource))
        work.create(KIND, policy.metadata.id, policy)


def ensure(work: UnitOfWork, clock: Clock, actor: Caller, relation_tuple: RelationTuple) -> None:
    """Stage a policy, unless one says the same already."""
    if work.find(KIND, "tuple", tuple_key(relation_tuple)) is None:
        grant(work, clock, actor, relation_tuple.resource, [(relation_tuple.principal, relation_tuple.relation)])


def revoke(work: UnitOfWork, relation_tuple: RelationTuple) -> None:
    """Stage the removal of the policy that says this, if there is one."""
    held = work.find(KIND, "tuple", tuple_key(relation_tuple))
    if held is not None:
        work.delete(KIND, held)


def revoke_all(work: UnitOfWork, ref: Ref) -> None:
    """Stage the removal of every policy about a resource and of every policy in which it is the principal."""
    for index in ("resource", "principal"):
        for record in list(work.scan(KIND, index, (ref.kind, ref.id))):
            work.delete(KIND, record.id)
