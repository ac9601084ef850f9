"""The decision whether a principal holds a permission, by the model and the policies that a request sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

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
from stores.contract import Batch, BatchOperation, Store


class Authorizer:
    """Decides by one model."""

    waits: ClassVar[bool] = False
    """Whether decisions wait for somebody else, and so are made where the event loop can go on meanwhile."""

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
        return self.holds(principal, permission, resource, policies) or (
            permission.startswith(PERMISSION_PREFIX) and self.is_operator(principal, policies)
        )

    def allowed_among(
        self, principal: Ref, permission: str, resources: Sequence[Ref], policies: StoredPolicies
    ) -> list[bool]:
        """Say for each resource whether `principal` holds `permission` on it."""
        return [self.allows(principal, permission, each, policies) for each in resources]

    def all_allowed(self, questions: Sequence[RelationTuple], policies: StoredPolicies) -> list[bool]:
        """Say for each question whether its principal holds its permission on its resource."""
        return [self.allows(*each, policies) for each in questions]

    def completing(self, batch: Batch, store: Store) -> Sequence[BatchOperation]:  # noqa: ARG002 - for those who need it
        """Return what has to be committed before a batch and with it, so that whoever decides hears of it."""
        return ()

    def holds(self, principal: Ref, permission: str, resource: Ref, policies: StoredPolicies) -> bool:
        """Say whether policies give `principal` the permission on this very resource, or on what it is linked to."""
        return self._holds(principal, permission, resource, policies, set())

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
        if principal.relation in ways.names and principal[:2] == resource[:2]:
            return True  # everybody who has a relation has it
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
