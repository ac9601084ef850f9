"""Policies over a server: who holds which relation to what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from protos.ai.stigmer.iam.iampolicy.v1.io_pb2 import (
    CheckAuthorizationInput,
    IamPolicyId,
    ListAuthorizedPrincipalIdsInput,
    ListAuthorizedResourceIdsInput,
)
from protos.ai.stigmer.iam.iampolicy.v1.spec_pb2 import ApiResourceRef, IamPolicySpec
from protos.kinds import IAM_POLICY
from reference_server.client.server import Server

_COMMANDS = IAM_POLICY.command.methods_by_name
_QUERIES = IAM_POLICY.query.methods_by_name

Ref = ApiResourceRef


def grant(server: Server, spec: IamPolicySpec) -> Any:  # noqa: ANN401 - an IamPolicy, here and below
    """Store a policy; return it. Raises what `Server.call` raises, as all of these do."""
    return server.call(_COMMANDS["create"], spec)


def revoke(server: Server, spec: IamPolicySpec) -> Any:  # noqa: ANN401
    """Remove a policy; return it."""
    return server.call(_COMMANDS["delete"], spec)


def policy(server: Server, policy_id: str) -> Any:  # noqa: ANN401
    """Return the policy with an id."""
    return server.call(_QUERIES["get"], IamPolicyId(value=policy_id))


def is_authorized(server: Server, spec: IamPolicySpec) -> bool:
    """Whether the principal holds the relation or permission on the resource."""
    return bool(server.call(_QUERIES["checkAuthorization"], CheckAuthorizationInput(policy=spec)).is_authorized)


def authorized_ids(server: Server, principal: Ref, relation: str, kind: str) -> Sequence[str]:
    """Return the ids of a kind on which a principal holds a relation or permission, in order."""
    request = ListAuthorizedResourceIdsInput(principal=principal, relation=relation, resource_kind=kind)
    return sorted(server.call(_QUERIES["listAuthorizedResourceIds"], request).resource_ids)


def authorized_principals(server: Server, resource: Ref, relation: str, kind: str) -> Sequence[str]:
    """Return the ids of the principals of a kind that hold a relation or permission on a resource, in order."""
    request = ListAuthorizedPrincipalIdsInput(resource=resource, relation=relation, principal_kind=kind)
    return sorted(server.call(_QUERIES["listAuthorizedPrincipalIds"], request).principal_ids)
