"""Authorize: the caller is known, and holds the permission that the method asks for.

A *target* says which permission on which resource a request asks for. Most methods say it in their option; for the
others there is a target below.
"""

from __future__ import annotations

from collections.abc import Callable

from protos.ai.stigmer.commons.apiresource.enum_pb2 import identity_account, platform
from reference_server.authorization.model import PLATFORM, SYSTEM, Caller, Ref
from reference_server.authorization.policies import StoredPolicies
from reference_server.errors import FieldViolation, InvalidArgument, NotFound, PermissionDenied, Unauthenticated
from reference_server.identity import id_by_slug_key
from reference_server.pipeline import State, StepFunction
from reference_server.unit_of_work import UnitOfWork, stored_message

Demand = tuple[str, Ref | None]
Target = Callable[[State, UnitOfWork], Demand | None]
"""None: any known caller may go on."""


def by_option(state: State, work: UnitOfWork) -> Demand | None:  # noqa: ARG001 - the signature of a target
    """Return what the method's option says: the permission, the kind, the id at the field path (or the fixed id)."""
    requirement = state.operation.requirement
    if requirement is None:
        return None
    found = requirement.resource_id or requirement.id_in(state.request)
    if not found:
        raise InvalidArgument(
            [FieldViolation(requirement.field_path, f"names no {requirement.resource_kind}; say which one it is")]
        )
    return requirement.permission, Ref(requirement.resource_kind, found)


def by_owner_scope(state: State, work: UnitOfWork) -> Demand | None:
    """A create: on the platform for platform scope, on the organization else; what is one's own needs nothing."""
    scope = state.request.metadata.owner_scope
    if scope == platform:
        return "operator", PLATFORM
    if scope == identity_account:
        return None
    return by_option(state, work)


def by_id_or_slug(state: State, work: UnitOfWork) -> Demand | None:
    """An update: by id, or without one by the slug (given, or made of the name). Source: behaviour contract, step 2."""
    if state.request.metadata.id:
        return by_option(state, work)
    requirement = state.operation.requirement
    if requirement is None:
        return None
    found = id_by_slug_key(state, work)
    return requirement.permission, Ref(requirement.resource_kind, found) if found else None


def by_policy_resource(state: State, work: UnitOfWork) -> Demand | None:  # noqa: ARG001
    """A policy: on the resource that the policy speaks of."""
    resource = state.request.resource
    permission = state.operation.requirement.permission if state.operation.requirement else ""
    return permission, Ref(resource.kind, resource.id)


def by_stored_policy(state: State, work: UnitOfWork) -> Demand | None:
    """A policy by its id: on the resource of the stored policy."""
    permission = state.operation.requirement.permission if state.operation.requirement else ""
    data = work.data("iam_policy", state.request.value)
    if data is None:
        return permission, None
    resource = stored_message("iam_policy", state.request.value, data).spec.resource
    return permission, Ref(resource.kind, resource.id)


def by_own_principal(state: State, work: UnitOfWork) -> Demand | None:  # noqa: ARG001
    """What a principal may reach: anybody may ask about himself, about others only who sees the platform's access."""
    principal = state.request.principal
    if state.caller is not None and (principal.kind, principal.id) == state.caller.ref[:2]:
        return None
    permission = state.operation.requirement.permission if state.operation.requirement else ""
    return permission, PLATFORM


def authorize_on(target: Target = by_option) -> StepFunction:
    """Make the step for a way to find what a request asks for."""

    def authorize(state: State, work: UnitOfWork) -> State:
        """Raises Unauthenticated for a caller nobody knows, PermissionDenied with the option's message else.

        A resource that isn't there is refused in the same words as one that may not be seen; only an operator of
        the platform goes on, to be told NOT_FOUND by the step that loads it.
        """
        caller = known_caller(state)
        if caller is SYSTEM:
            return state
        demand = target(state, work)
        if demand is None:
            return state
        permission, resource = demand
        policies = StoredPolicies(work)
        authorizer = state.context.authorizer
        if resource is None:
            allowed = authorizer.is_operator(caller.ref, policies)
        else:
            allowed = authorizer.allows(caller.ref, permission, resource, policies)
        if not allowed:
            raise PermissionDenied(_refusal(state))
        return state

    return authorize


def authorize_candidates(state: State, work: UnitOfWork) -> State:
    """Go on with the first resource that a reference may mean and the caller may view.

    Raises NotFound to an operator (and in the oss profile) when there is none, PermissionDenied to anybody else.
    """
    caller = known_caller(state)
    policies = StoredPolicies(work)
    kind = state.operation.kind.name
    for record in state.candidates:
        if caller is SYSTEM or state.context.authorizer.allows(caller.ref, "can_view", Ref(kind, record.id), policies):
            return state._replace(existing=record)
    if not state.candidates and (caller is SYSTEM or state.context.authorizer.is_operator(caller.ref, policies)):
        raise NotFound(kind, state.request.slug)
    raise PermissionDenied(_refusal(state))


def authenticate(state: State, work: UnitOfWork) -> State:  # noqa: ARG001 - the signature of a step
    """Let any known caller go on. Raises Unauthenticated."""
    known_caller(state)
    return state


def known_caller(state: State) -> Caller:
    """Return the caller. Raises Unauthenticated when there is none."""
    if state.caller is None:
        raise Unauthenticated(
            "the request has no valid credentials; send metadata 'authorization: Bearer <token>' with a token that "
            "the server knows"
        )
    return state.caller


def _refusal(state: State) -> str:
    requirement = state.operation.requirement
    return requirement.error_message if requirement else f"unauthorized to {state.operation.name.replace('-', ' ')}"
