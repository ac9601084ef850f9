"""Decision cache: decisions that were yes are remembered until a policy is removed.

Permissions only ever add up, so a new policy changes no yes; a removed one makes everything be forgotten. What is
remembered rests on stored policies alone. Used on the event loop only.
"""

from __future__ import annotations

from dataclasses import replace

from reference_server.authorization.authorizer import Authorizer
from reference_server.authorization.model import PLATFORM, Ref, RelationTuple
from reference_server.authorization.policies import KIND, StoredPolicies
from reference_server.pipeline import ServerContext
from stores.contract import Batch, Delete, Store

DECISIONS_MAX = 20_000
"""Some 10 MiB."""


class CachingAuthorizer(Authorizer):
    """An authorizer that remembers. Also a `WriteObserver`: it forgets when a policy goes."""

    def __init__(self) -> None:
        super().__init__()
        self._allowed: set[RelationTuple] = set()

    def allows(self, principal: Ref, permission: str, resource: Ref, policies: StoredPolicies) -> bool:
        """See `Authorizer`."""
        decision = RelationTuple(principal, permission, resource)
        return decision in self._allowed or self._kept(
            decision, policies, allowed=super().allows(principal, permission, resource, policies)
        )

    def is_operator(self, principal: Ref, policies: StoredPolicies) -> bool:
        """See `Authorizer`."""
        decision = RelationTuple(principal, "operator", PLATFORM)
        return decision in self._allowed or self._kept(
            decision, policies, allowed=super().is_operator(principal, policies)
        )

    def _kept(self, decision: RelationTuple, policies: StoredPolicies, *, allowed: bool) -> bool:
        if allowed and policies.are_stored:
            if len(self._allowed) >= DECISIONS_MAX:
                self._allowed.clear()
            self._allowed.add(decision)
        return allowed

    def writing(self, batch: Batch) -> None:
        """See `WriteObserver`."""

    def written(self, batch: Batch) -> None:
        """See `WriteObserver`. Until then nobody was told that the policy is gone."""
        if any(isinstance(each, Delete) and each.kind == KIND for each in batch):
            self._allowed.clear()

    def reopening(self) -> None:
        """See `WriteObserver`."""

    def reopened(self) -> None:
        """See `WriteObserver`."""
        self._allowed.clear()


def install(context: ServerContext, store: Store) -> ServerContext:  # noqa: ARG001 - the signature of a layer
    """Return the context with an authorizer that remembers, unless it has one that isn't the plain one."""
    if type(context.authorizer) is not Authorizer:
        return context
    authorizer = CachingAuthorizer()
    return replace(context, authorizer=authorizer, observers=(*context.observers, authorizer))
