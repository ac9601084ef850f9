"""The steps of the IamPolicy operations: the relation tuple is the request, the policy what is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from google.protobuf.empty_pb2 import Empty

from protos.ai.stigmer.iam.iampolicy.v1.io_pb2 import (
    AuthorizedPrincipalIdsList,
    AuthorizedResourceIdsList,
    CheckAuthorizationResult,
)
from protos.ai.stigmer.iam.iampolicy.v1.spec_pb2 import IamPolicySpec
from protos.kinds import KINDS
from reference_server.authorization.model import PLATFORM, Ref, RelationTuple
from reference_server.authorization.policies import (
    KIND,
    StoredPolicies,
    new_policy,
    revoke_all,
    tuple_key,
    tuple_of,
)
from reference_server.errors import AlreadyExists, NotFound
from reference_server.pipeline import State
from reference_server.unit_of_work import UnitOfWork


def _text(spec: IamPolicySpec) -> str:
    principal, relation, resource = tuple_of(spec)
    return f"{principal.kind}:{principal.id} {relation} {resource.kind}:{resource.id}"


def check_duplicate_policy(state: State, work: UnitOfWork) -> State:
    """Raises AlreadyExists when the same relation tuple is stored."""
    holder = work.find(KIND, "tuple", tuple_key(tuple_of(state.request)))
    if holder is not None:
        raise AlreadyExists(KIND, _text(state.request), holder, "relation tuple")
    return state


def build_policy(state: State, work: UnitOfWork) -> State:
    """Make the policy of the relation tuple: id, audit."""
    return state.with_resource(new_policy(work, state.context.clock, state.actor, tuple_of(state.request)))


def ensure_policy(state: State, work: UnitOfWork) -> State:
    """Stage the policy unless the relation tuple is stored; bootstrapping twice answers the same policy."""
    held = work.record_under(KIND, "tuple", tuple_key(tuple_of(state.request)))
    if held is not None:
        return state._replace(existing=held)
    policy = new_policy(work, state.context.clock, state.actor, tuple_of(state.request))
    work.create(KIND, policy.metadata.id, policy)
    return state.with_resource(policy)


def load_policy(state: State, work: UnitOfWork) -> State:
    """Load the policy of the relation tuple. Raises NotFound."""
    record = work.record_under(KIND, "tuple", tuple_key(tuple_of(state.request)))
    if record is None:
        raise NotFound(KIND, _text(state.request))
    return state._replace(existing=record)


def delete_policy(state: State, work: UnitOfWork) -> State:
    """Stage the removal of the loaded policy."""
    if state.existing is not None:
        work.delete(KIND, state.existing.id, state.existing.revision)
    return state


def cleanup_policies(state: State, work: UnitOfWork) -> State:
    """Stage the removal of every policy about, or of, the resource."""
    revoke_all(work, Ref(state.request.kind, state.request.id))
    return state.with_response(Empty())


def _policies(state: State, work: UnitOfWork) -> StoredPolicies:
    return StoredPolicies(work, [tuple_of(spec) for spec in state.request.contextual_policies])


def check_authorization(state: State, work: UnitOfWork) -> State:
    """Answer whether the relation tuple holds: stored, contextual, or by the permission model."""
    principal, relation, resource = tuple_of(state.request.policy)
    allowed = state.context.authorizer.allows(principal, relation, resource, _policies(state, work))
    return state.with_response(CheckAuthorizationResult(is_authorized=allowed))


def list_authorized_resource_ids(state: State, work: UnitOfWork) -> State:
    """Answer the ids of a kind on which a principal holds a relation or permission, in no particular order."""
    request, policies = state.request, _policies(state, work)
    principal = Ref(request.principal.kind, request.principal.id, request.principal.relation)
    authorizer = state.context.authorizer
    candidates = dict.fromkeys(_reachable(principal, policies))
    if authorizer.is_operator(principal, policies) and request.resource_kind in KINDS:
        candidates |= dict.fromkeys(Ref(request.resource_kind, each.id) for each in work.scan(request.resource_kind))
    found = list(dict.fromkeys(Ref(*ref[:2]) for ref in candidates if ref.kind == request.resource_kind))
    allowed = authorizer.allowed_among(principal, request.relation, found, policies)
    ids = [ref.id for ref, is_allowed in zip(found, allowed, strict=True) if is_allowed]
    return state.with_response(AuthorizedResourceIdsList(resource_ids=ids))


def list_authorized_principal_ids(state: State, work: UnitOfWork) -> State:
    """Answer the ids of a principal kind that hold a relation or permission on a resource."""
    request, policies = state.request, _policies(state, work)
    resource = Ref(request.resource.kind, request.resource.id)
    candidates = dict.fromkeys(_related(resource, policies)) | dict.fromkeys(_related(PLATFORM, policies))
    found = [ref for ref in candidates if ref.kind == request.principal_kind and not ref.relation]
    questions = [RelationTuple(ref, request.relation, resource) for ref in found]
    allowed = state.context.authorizer.all_allowed(questions, policies)
    ids = [ref.id for ref, is_allowed in zip(found, allowed, strict=True) if is_allowed]
    return state.with_response(AuthorizedPrincipalIdsList(principal_ids=ids))


def _reachable(principal: Ref, policies: StoredPolicies) -> Iterator[Ref]:
    """Yield every resource that policies lead to from a principal, over any number of links."""
    yield from _walk([principal], lambda ref: (each.resource for each in policies.of(ref)))


def _related(resource: Ref, policies: StoredPolicies) -> Iterator[Ref]:
    """Yield every principal that policies lead to from a resource, over any number of links."""
    yield from _walk([resource], lambda ref: (each.principal for each in policies.about(ref)))


def _walk(start: list[Ref], neighbours: Callable[[Ref], Iterable[Ref]]) -> Iterator[Ref]:
    seen = set(start)
    while start:
        for found in neighbours(start.pop()):
            if found not in seen:
                seen.add(found)
                start.append(Ref(found.kind, found.id))
                yield found
