"""Policies as stored: reading them for decisions, granting, revoking."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from protos.ai.stigmer.iam.iampolicy.v1.api_pb2 import IamPolicy, IamPolicyStatus
from protos.ai.stigmer.iam.iampolicy.v1.spec_pb2 import IamPolicySpec
from reference_server.authorization.model import Ref, Statement
from reference_server.call import State
from reference_server.kinds import IAM_POLICY
from reference_server.unit_of_work import UnitOfWork
from reference_server.wire_template import WireTemplate
from stores.contract import Keys
from stores.schema import policy_keys

KIND = IAM_POLICY.name
_ID_FRONT = f"{IAM_POLICY.id_prefix}-"
_SORTS_MAX = 512
"""Callers may make up relations and kinds of their own; a server has a few dozen."""


def statement_of(spec: IamPolicySpec) -> Statement:
    """Return what a policy says."""
    principal, resource = spec.principal, spec.resource
    return Statement(
        Ref(principal.kind, principal.id, principal.relation), spec.relation, Ref(resource.kind, resource.id)
    )


def tuple_key(statement: Statement) -> tuple[str, ...]:
    """Return the key of the unique `tuple` index under which a statement is stored."""
    principal, relation, resource = statement
    return policy_keys(principal[:2], principal.relation, relation, resource[:2])[0][1]


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
    principal, relation, resource = statement
    ((_, data, _),) = _written(state, work, resource, ((principal, relation),))
    return IamPolicy.FromString(data)


def grant(state: State, work: UnitOfWork, resource: Ref, relations: Sequence[tuple[Ref, str]]) -> None:
    """Stage a policy for each principal and the relation it is to have. The commit fails if one says that already."""
    for id_, data, keys in _written(state, work, resource, relations):
        work.create_bytes(KIND, id_, data, keys)


def _written(
    state: State, work: UnitOfWork, resource: Ref, relations: Sequence[tuple[Ref, str]]
) -> Iterator[tuple[str, bytes, Keys]]:
    """Yield the id, the wire bytes and the index keys of new policies. The audit is a policy's last field."""
    held, on, new_ulid, status = resource[:2], resource.id.encode(), state.rules.clock.new_ulid, _status(state, work)
    for (kind, principal_id, of), relation in relations:
        id_ = _ID_FRONT + new_ulid()
        front = _template(kind, of, relation, resource.kind).fill(id_.encode(), principal_id.encode(), on)
        yield id_, front + status, policy_keys((kind, principal_id), of, relation, held)


@lru_cache(maxsize=_SORTS_MAX)
def _template(principal_kind: str, principal_relation: str, relation: str, resource_kind: str) -> WireTemplate:
    """Return all but the audit of the policies of a sort, which differ in ids only."""
    policy = IamPolicy(api_version="iam.stigmer.ai/v1", kind="IamPolicy")
    policy.spec.principal.kind, policy.spec.principal.relation = principal_kind, principal_relation
    policy.spec.relation, policy.spec.resource.kind = relation, resource_kind
    return WireTemplate(policy, "metadata.id", "spec.principal.id", "spec.resource.id")


def _status(state: State, work: UnitOfWork) -> bytes:
    """Return the field with the audit, the same for all that an actor grants at one instant."""
    parts, of = work.moment.parts, (KIND, state.actor.id)
    written = parts.get(of)
    if written is None:
        audit = work.moment.audit_of_creation(state.actor.id, state.rules.clock.now)
        written = parts[of] = IamPolicy(status=IamPolicyStatus(audit=audit)).SerializeToString()
    return written


def revoke_all(work: UnitOfWork, ref: Ref) -> None:
    """Stage the removal of every policy about a resource and of every policy in which it is the principal."""
    for index in ("resource", "principal"):
        for record in list(work.scan(KIND, index, (ref.kind, ref.id))):
            work.delete(KIND, record.id)
