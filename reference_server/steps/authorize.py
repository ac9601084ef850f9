"""Authorize: the caller is known, and holds the permission that the method asks for."""

from __future__ import annotations

from reference_server.authorization.model import Ref
from reference_server.authorization.policies import StoredPolicies
from reference_server.authorization.targets import Target, by_option
from reference_server.call import SYSTEM, Caller, State
from reference_server.errors import NotFound, PermissionDenied, Unauthenticated
from reference_server.pipeline import StepFunction
from reference_server.unit_of_work import UnitOfWork


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
        authorizer = state.rules.authorizer
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
        if caller is SYSTEM or state.rules.authorizer.allows(caller.ref, "can_view", Ref(kind, record.id), policies):
            return state._replace(existing=record)
    if not state.candidates and (caller is SYSTEM or state.rules.authorizer.is_operator(caller.ref, policies)):
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
