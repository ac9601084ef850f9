"""Who is calling, and what they may do."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import grpc

from protos.ai.stigmer.commons.apiresource.enum_pb2 import identity_account, organization
from tests.second_server.state import Refused, State, Tuple

OPERATOR_LINK = ("operator", "platform", "stigmer")
OWNER_ONLY = frozenset({"can_edit", "can_delete", "can_grant_access"})


@dataclass(frozen=True)
class Access:
    """Tokens to identities, and the questions that the services ask about an identity."""

    state: State
    tokens: Mapping[str, str]
    told: frozenset[Tuple] = frozenset()
    """Policies that only the question tells of."""

    def caller(self, context: grpc.ServicerContext) -> str:
        """Return the caller's identity; `system` in the oss profile. Raises Refused."""
        if not self.state.cloud:
            return "system"
        sent = dict(context.invocation_metadata()).get("authorization", "")
        scheme, _, token = str(sent).partition(" ")
        token = token.partition(",")[0] if self.state.has("token_tail") else token
        token = token.rstrip("=") if self.state.has("token_padding") else token
        identity = self.tokens.get(token) if scheme.lower() == "bearer" else None
        if identity is None and self.state.has("anonymous_is_operator"):
            identity = next(iter(self.tokens.values()))
        if identity is None:
            raise Refused(grpc.StatusCode.UNAUTHENTICATED, "missing or unknown credentials")
        return identity

    def holds(self, policy: Tuple) -> bool:
        """Whether this very policy was written, or is told of."""
        return policy in self.state.policies or policy in self.told

    def is_operator(self, caller: str) -> bool:
        """Whether the caller operates the platform."""
        return self.holds(("identity_account", caller, *OPERATOR_LINK))

    def org_role(self, caller: str, org: str) -> str:
        """`admin`, `member` or empty."""
        for role in ("admin", "member"):
            if self.holds(("identity_account", caller, role, "organization", org)):
                return role
        return ""

    def allows(self, caller: str, permission: str, kind: str, resource_id: str) -> bool:
        """Whether the caller has a permission on a resource, by id alone: nothing is loaded."""
        if not self.state.cloud or self.is_operator(caller):
            return True
        if self.holds(("identity_account", caller, "owner", kind, resource_id)):
            return True
        if kind == "organization":
            return self.org_role(caller, resource_id) == "admin"
        orgs = [p[1] for p in (*self.state.policies, *self.told) if p[2:] == ("organization", kind, resource_id)]
        roles = {self.org_role(caller, org) for org in orgs}
        if kind == "agent_instance":
            agents = [p[1] for p in self.state.policies if p[2:] == ("agent", kind, resource_id)]
            if any(self.allows(caller, permission, "agent", agent) for agent in agents):
                return True
        return "admin" in roles or ("member" in roles and permission not in OWNER_ONLY)

    def require(self, caller: str, permission: str, kind: str, resource_id: str, message: str) -> None:
        """Raises Refused with the method option's message unless the caller has the permission."""
        if self.state.has("no_authorization"):
            return
        question = (caller, permission, kind, resource_id)
        if self.state.has("revoked_lingers") and self.state.a_moment_ago(*question):
            return
        if self.allows(*question):
            self.state.moments[question] = time.monotonic()
        else:
            raise Refused(grpc.StatusCode.PERMISSION_DENIED, message)

    def require_create(self, caller: str, kind: str, metadata: Any) -> None:
        """Whether the caller may create a resource of this scope. Raises Refused."""
        if not self.state.cloud or self.state.has("no_authorization"):
            return
        what = kind.replace("_", " ")
        if metadata.owner_scope == organization:
            if not metadata.org:
                raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "metadata.org: required for organization scope")
            if not self.is_operator(caller) and not self.org_role(caller, metadata.org):
                raise Refused(grpc.StatusCode.PERMISSION_DENIED, f"unauthorized to create {what} in this organization")
        elif metadata.owner_scope != identity_account and not self.is_operator(caller):
            raise Refused(grpc.StatusCode.PERMISSION_DENIED, f"unauthorized to create {what} in this organization")
