"""What requests keep asking for: relations to an organization or the platform, and decisions made before.

Only what holds is remembered: permissions only ever add up, so a new policy needs no word here; a removed one makes
everything be forgotten. Facts are learned and forgotten on the event loop, after the commit, and a server is the only
writer of its store.
"""

from __future__ import annotations

from collections.abc import Sequence

from reference_server.authorization.model import Statement
from reference_server.kinds import IAM_POLICY
from stores.contract import Delete, Operation

_FACTS_MAX = 50_000
_DECISIONS_MAX = 20_000
"""Some 10 MiB."""
_REMEMBERED = frozenset({"organization", "platform"})
"""Kinds with few resources and many questions; facts about agents would only fill the memory."""


class Facts:
    """The statements about organizations and the platform that are known to hold, and the decisions known to be yes.

    A decision looks like a statement (this principal has this permission on this resource) but isn't one: no policy
    need say it, as it may follow from several.
    """

    def __init__(self) -> None:
        self._holding: set[Statement] = set()
        self._allowed: set[Statement] = set()

    def know(self, statement: Statement) -> bool:
        """Say whether the statement is known to hold; False says nothing."""
        return statement in self._holding

    def learn(self, statement: Statement) -> None:
        """Remember that a stored policy makes the statement."""
        if statement.resource.kind in _REMEMBERED:
            if len(self._holding) >= _FACTS_MAX:
                self._holding.clear()
            self._holding.add(statement)

    def know_allowed(self, decision: Statement) -> bool:
        """Say whether the decision is known to be yes; False says nothing."""
        return decision in self._allowed

    def learn_allowed(self, decision: Statement) -> None:
        """Remember that the stored policies make the decision a yes."""
        if len(self._allowed) >= _DECISIONS_MAX:
            self._allowed.clear()
        self._allowed.add(decision)

    def after_commit(self, batch: Sequence[Operation]) -> None:
        """Forget everything if the batch removed a policy; what a policy says is never rewritten."""
        if any(isinstance(each, Delete) and each.kind == IAM_POLICY.name for each in batch):
            self._holding.clear()
            self._allowed.clear()
