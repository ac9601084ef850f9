"""The decision whether a principal holds a permission, by the model and the policies that a request sees."""

from __future__ import annotations

from reference_server.authorization.model import (
    PERMISSION_PREFIX,
    PLATFORM,
    Model,
    Ref,
    RelationTuple,
    Ways,
    default_model,
    ways_to,
)
from reference_server.authorization.policies import StoredPolicies


class Authorizer:
    """Decides by one model."""

    def __init__(self, model: Model | None = None) -> None:
        self._model = default_model() if model is None else model
        self._known_ways = {
            (kind, name): ways_to(permissions, name)
            for kind, permissions in self._model.items()
            for name in permissions
        }

    def allows(self, principal: Ref, permission: str, resource: Ref, policies: StoredPolicies) -> bool:
        """Say whether `principal` holds `permission` on `resource`, be it a relation or a permission.

        Costs a few look-ups in the policies, however many there are. An operator of the platform holds every
        permission, but that makes nobody an owner or a member: relations are only what policies say.
        """
        return self._holds(principal, permission, resource, policies, set()) or (
            permission.startswith(PERMISSION_PREFIX) and self.is_operator(principal, policies)
        )

    def is_operator(self, principal: Ref, policies: StoredPolicies) -> bool:
        """Say whether `principal` is an operator of the platform."""
        return self._holds(principal, "operator", PLATFORM, policies, set())

    def _holds(
        self, principal: Ref, permission: str, resource: Ref, policies: StoredPolicies, seen: set[tuple[str, Ref]]
    ) -> bool:
        """Ask the cheapest question first: policies about the principal, then links, then sets."""
        if (permission, resource) in seen:
            return False
        seen.add((permission, resource))
        ways = self._ways(resource.kind, permission)
        policies.foresee(principal, ways.names, resource, links=bool(ways.links))
        if any(policies.holds(RelationTuple(principal, name, resource)) for name in ways.names):
            return True
        for link, names in ways.links:
            for target in policies.linked(link, resource):
                if any(self._holds(principal, name, target, policies, seen) for name in names):
                    return True
        for name in ways.names:
            for group in policies.sets_with(name, resource):
                parent = Ref(group.kind, group.id)
                if group == principal or self._holds(principal, group.relation, parent, policies, seen):
                    return True
        return False

    def _ways(self, kind: str, permission: str) -> Ways:
        # A name that isn't in the model is held by its own policy only; callers may ask for any, so none is kept.
        return self._known_ways.get((kind, permission)) or Ways((permission,), ())
