"""Policies as stored: reading them for decisions, granting, revoking."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from protos.ai.stigmer.iam.iampolicy.v1.api_pb2 import IamPolicy
from protos.ai.stigmer.iam.iampolicy.v1.spec_pb2 import IamPolicySpec
from reference_server.authorization.model import Ref, Statement
from reference_server.call import State
from reference_server.kinds import IAM_POLICY
from reference_server.unit_of_work import UnitOfWork

KIND = IAM_POLICY.name
_ALIKE = IamPolicy(api_version="iam.stigmer.ai/v1", kind="IamPolicy").SerializeToString()
"""What all policies have in common; parsing it is the quickest way to a new one."""


def statement_of(spec: IamPolicySpec) -> Statement:
    """Return what a policy says."""
    principal, resource = spec.principal, spec.resource
    return Statement(
        Ref(principal.kind, principal.id, principal.relation), spec.relation, Ref(resource.kind, resource.id)
    )


def tuple_key(statement: Statement) -> tuple[str, ...]:
    """Return the key of the unique `tuple` index under which a statement is stored."""
    principal, relation, resource = statement
    return (principal.kind, principal.id, principal.relation, relation, resource.kind, resource.id)


class StoredPolicies:
    """The policies that a unit of work sees, with contextual ones beside them; a `PolicyReader`."""

    def __init__(self, work: UnitOfWork, contextual: Sequence[Statement] = ()) -> None:
        self._work = work
        self._contextual = contextual

    def known_allowed(self, decision: Statement) -> bool:
        """Say whether the stored policies are known to make the decision a yes."""
        return self._work.facts.know_allowed(decision)

    def learn_allowed(self, decision: Statement) -> None:
        """Remember a yes, unless it may rest on what isn't stored: contextual policies, or staged ones."""
        if not self._contextual and not self._work.has_changes():
            self._work.facts.learn_allowed(decision)

    def knows(self, statement: Statement) -> bool:
        """Say whether the statement is contextual, or remembered as stored."""
        return statement in self._contextual or self._work.facts.know(statement)

    def holds(self, statement: Statement) -> bool:
        """Say whether exactly this statement is there."""
        if self.knows(statement):
            return True
        found = self._work.find(KIND, "tuple", tuple_key(statement))
        if found is None:
            return False
        if not self._work.is_staged(KIND, found):
            self._work.facts.learn(statement)
        return True

    def sets_with(self, relation: str, resource: Ref) -> Iterable[Ref]:
        """Yield the principals with a relation of their own that have `relation` to the resource."""
        for statement in self._contextual:
            if statement.relation == relation and statement.resource == resource and statement.principal.relation:
                yield statement.principal
        for policy in self._work.messages(KIND, "userset", (relation, resource.kind, resource.id)):
            yield statement_of(policy.spec).principal

    def linked(self, relation: str, resource: Ref) -> Iterable[Ref]:
        """Yield the principals that have `relation` to the resource."""
        return (statement.principal for statement in self.about(resource) if statement.relation == relation)

    def about(self, resource: Ref) -> Iterator[Statement]:
        """Yield all statements about a resource."""
        yield from (statement for statement in self._contextual if statement.resource == resource)
        for policy in self._work.messages(KIND, "resource", (resource.kind, resource.id)):
            yield statement_of(policy.spec)

    def of(self, principal: Ref) -> Iterator[Statement]:
        """Yield all statements in which something is the principal, whatever its own relation."""
        wanted = (principal.kind, principal.id)
        yield from (statement for statement in self._contextual if statement.principal[:2] == wanted)
        for policy in self._work.messages(KIND, "principal", wanted):
            yield statement_of(policy.spec)


def new_policy(state: State, work: UnitOfWork, statement: Statement) -> IamPolicy:
    """Return a policy with an id and an audit, not yet staged."""
    policy = IamPolicy.FromString(_ALIKE)
    spec = policy.spec
    spec.principal.kind, spec.principal.relation = statement.principal.kind, statement.principal.relation
    spec.resource.kind = statement.resource.kind
    spec.relation = statement.relation
    policy.status.audit.CopyFrom(work.moment.audit_of_creation(state.actor.id, state.rules.clock.now))
    _name(policy, state, statement)
    return policy


def grant(state: State, work: UnitOfWork, statement: Statement) -> None:
    """Stage a policy that says `statement`. The commit fails if one says it already.

    Requests of one moment grant the same to ever other resources: the first policy of a sort is copied for the rest.
    """
    principal, relation, resource = statement
    alike, sort = work.moment.alike, (state.actor.id, principal.kind, principal.relation, relation, resource.kind)
    known = alike.get(sort)
    if known is None:
        policy = new_policy(state, work, statement)
    else:
        policy = IamPolicy.FromString(known)
        _name(policy, state, statement)
    data = alike[sort] = policy.SerializeToString()
    work.create(KIND, policy.metadata.id, policy, data)


def _name(policy: IamPolicy, state: State, statement: Statement) -> None:
    """Set what differs between policies of a sort: its own id, and of whom and what it speaks."""
    policy.metadata.id = f"{IAM_POLICY.id_prefix}-{state.rules.clock.new_ulid()}"
    spec = policy.spec
    spec.principal.id, spec.resource.id = statement.principal.id, statement.resource.id


def revoke_all(work: UnitOfWork, ref: Ref) -> None:
    """Stage the removal of every policy about a resource and of every policy in which it is the principal."""
    for index in ("resource", "principal"):
        for record in list(work.scan(KIND, index, (ref.kind, ref.id))):
            work.delete(KIND, record.id)
