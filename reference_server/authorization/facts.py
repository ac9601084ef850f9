"""What requests keep asking for: that somebody has a relation to an organization or to the platform.

Only what holds is remembered, so a new policy needs no word here; a removed one makes everything be forgotten. Facts
are learned and forgotten on the event loop, after the commit, and a server is the only writer of its store.
"""

from __future__ import annotations

from collections.abc import Sequence

from reference_server.authorization.model import Statement
from reference_server.kinds import IAM_POLICY
from stores.contract import Delete, Operation

_FACTS_MAX = 50_000
_REMEMBERED = frozenset({"organization", "platform"})
"""Kinds with few resources and many questions; facts about agents would only fill the memory."""


class Facts:
    """The statements about organizations and the platform that are known to hold."""

    def __init__(self) -> None:
        self._holding: set[Statement] = set()

    def know(self, statement: Statement) -> bool:
        """Say whether the statement is known to hold; False says nothing."""
        return statement in self._holding

    def learn(self, statement: Statement) -> None:
        """Remember that a stored policy makes the statement."""
        if statement.resource.kind in _REMEMBERED:
            if len(self._holding) >= _FACTS_MAX:
                self._holding.clear()
            self._holding.add(statement)

    def after_commit(self, batch: Sequence[Operation]) -> None:
        """Forget everything if the batch removed a policy; what a policy says is never rewritten."""
        if self._holding and any(isinstance(each, Delete) and each.kind == IAM_POLICY.name for each in batch):
            self._holding.clear()
