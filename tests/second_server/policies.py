"""The policy service of the second server."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty

from protos.ai.stigmer.iam.iampolicy.v1.io_pb2 import (
    AuthorizedPrincipalIdsList,
    AuthorizedResourceIdsList,
    CheckAuthorizationResult,
)
from tests.second_server.access import Access
from tests.second_server.resources import Resources
from tests.second_server.state import Refused, State, Tuple


class Policies:
    """Grants, revocations and questions, as `handler(request, caller)`."""

    def __init__(self, state: State, access: Access, resources: Resources) -> None:
        self.state = state
        self.access = access
        self.resources = resources

    def create(self, request: Any, caller: str) -> Any:
        """Grant."""
        self.state.validate(request)
        self._may_grant(request, caller, "unauthorized to grant access")
        return self.resources.write_policy(*policy_tuple(request), by=caller)

    def delete(self, request: Any, caller: str) -> Any:
        """Revoke."""
        self.state.validate(request)
        self._may_grant(request, caller, "unauthorized to revoke access")
        made = self.state.policies.pop(policy_tuple(request), None)
        if made is None:
            raise Refused(grpc.StatusCode.NOT_FOUND, "no such policy")
        return made

    def _may_grant(self, request: Any, caller: str, message: str) -> None:
        self.access.require(caller, "can_grant_access", request.resource.kind, request.resource.id, message)

    def bootstrap(self, request: Any, caller: str, what: str = "bootstrap policy") -> Any:
        """Grant, as the platform's operators do before there is anybody to ask."""
        self.state.validate(request)
        message = f"unauthorized to {what} - operator permission required"
        self.access.require(caller, "operator", "platform", "stigmer", message)
        return self.resources.write_policy(*policy_tuple(request), by=caller)

    def resource_ids(self, request: Any, caller: str) -> Any:
        """The ids of a kind on which a principal holds a relation or permission."""
        self.state.validate(request)
        principal = request.principal
        if (principal.kind, principal.id) != ("identity_account", caller):
            self.access.require(
                caller, "operator", "platform", "stigmer", "unauthorized to view authorized resource ids"
            )
        every = self.state.has("ids_of_all")
        ids = dict.fromkeys(p[4] for p in self._policies(request) if p[3] == request.resource_kind)
        asked = (principal.kind, principal.id, request.relation, request.resource_kind)
        found = [each for each in ids if every or self._holds((*asked, each), request)]
        return AuthorizedResourceIdsList(resource_ids=found)

    def principal_ids(self, request: Any, caller: str) -> Any:
        """The ids of a kind that hold a relation or permission on a resource."""
        self.state.validate(request)
        resource = (request.resource.kind, request.resource.id)
        self.access.require(caller, "can_grant_access", *resource, "unauthorized to view authorized principal ids")
        kind = request.principal_kind
        ids = dict.fromkeys(p[1] for p in self._policies(request) if p[0] == kind)
        found = [each for each in ids if self._holds((kind, each, request.relation, *resource), request)]
        return AuthorizedPrincipalIdsList(principal_ids=found)

    def _holds(self, asked: Tuple, request: Any) -> bool:
        """Whether a relation holds, written or told of as such, or a permission of an identity."""
        ignored = self.state.has("context_ignored")
        told = frozenset[Tuple]() if ignored else frozenset(map(policy_tuple, request.contextual_policies))
        access = replace(self.access, told=told)
        kind, name, relation, *resource = asked
        is_permission = kind == "identity_account" and relation.startswith("can_")
        return access.holds(asked) or (is_permission and access.allows(name, relation, *resource))

    def _policies(self, request: Any) -> list[Tuple]:
        """All that are written, and those that the request tells of."""
        return list(
            dict.fromkeys([*self.state.policies, *(policy_tuple(policy) for policy in request.contextual_policies)])
        )

    def cleanup(self, request: Any, caller: str) -> Any:
        """Remove all policies of one resource."""
        self.state.validate(request)
        message = "unauthorized to cleanup resource policies - operator permission required"
        self.access.require(caller, "operator", "platform", "stigmer", message)
        gone = [policy for policy in self.state.policies if policy[3:] == (request.kind, request.id)]
        for policy in gone:
            del self.state.policies[policy]
        return Empty()

    def get(self, request: Any, caller: str) -> Any:
        """One policy by id."""
        self.state.validate(request)
        found = [made for made in self.state.policies.values() if made.metadata.id == request.value]
        resource = found[0].spec.resource if found else None
        kind, resource_id = (resource.kind, resource.id) if resource else ("iam_policy", request.value)
        self.access.require(caller, "can_grant_access", kind, resource_id, "unauthorized to view access policies")
        if not found:
            raise Refused(grpc.StatusCode.NOT_FOUND, f"iam_policy {request.value!r} not found")
        return found[0]

    def check(self, request: Any, caller: str) -> Any:
        """Whether a relation holds: written as such, or a permission of an identity."""
        self.state.validate(request)
        return CheckAuthorizationResult(is_authorized=self._holds(policy_tuple(request.policy), request))


def policy_tuple(spec: Any) -> Tuple:
    """What a policy says."""
    principal = spec.principal
    named = f"{principal.id}\0{principal.relation}" if principal.relation else principal.id
    return principal.kind, named, spec.relation, spec.resource.kind, spec.resource.id
