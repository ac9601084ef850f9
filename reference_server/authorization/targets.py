"""Which permission on which resource a request asks for, where the method's option alone doesn't say it.

A target function answers (permission, resource); a resource of None means that there is none, which only a platform
operator gets to know.
"""

from __future__ import annotations

from collections.abc import Callable

from protos.ai.stigmer.commons.apiresource.enum_pb2 import identity_account, platform
from reference_server.authorization.model import PLATFORM, Ref
from reference_server.authorization.requirements import value_at
from reference_server.call import State
from reference_server.errors import FieldViolation, InvalidArgument
from reference_server.identity import id_by_slug_key
from reference_server.unit_of_work import UnitOfWork

Demand = tuple[str, Ref | None]
Target = Callable[[State, UnitOfWork], Demand | None]
"""None: any known caller may go on."""


def by_option(state: State, work: UnitOfWork) -> Demand | None:  # noqa: ARG001 - the signature of a target
    """Return what the method's option says: the permission, the kind, the id at the field path (or the fixed id)."""
    requirement = state.operation.requirement
    if requirement is None:
        return None
    found = requirement.resource_id or value_at(state.request, requirement.field_path)
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
    resource = state.operation.kind.message_type.FromString(data).spec.resource  # type: ignore[attr-defined]
    return permission, Ref(resource.kind, resource.id)


def by_own_principal(state: State, work: UnitOfWork) -> Demand | None:  # noqa: ARG001
    """What a principal may reach: anybody may ask about himself, about others only who sees the platform's access."""
    principal = state.request.principal
    if state.caller is not None and (principal.kind, principal.id) == state.caller.ref[:2]:
        return None
    permission = state.operation.requirement.permission if state.operation.requirement else ""
    return permission, PLATFORM
