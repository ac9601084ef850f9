"""What resources say of each other: an instance of its agent, a policy of both its ends, an agent of its instance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from protos import kinds
from stores.integrity.findings import Finding

AGENT, INSTANCE, POLICY = kinds.AGENT.name, kinds.AGENT_INSTANCE.name, kinds.IAM_POLICY.name
_STORED = frozenset(kind.name for kind in (kinds.AGENT, kinds.AGENT_INSTANCE, kinds.ENVIRONMENT))
"""Kinds that policies speak of and that are resources of the store; accounts and organizations are not."""


class References:
    """Notes what resources name, kind by kind, and says at the end what isn't there."""

    def __init__(self) -> None:
        self._there: dict[str, set[str]] = {}
        self._unknown: set[str] = set()
        """Kinds of which some resources couldn't be listed: nothing is missing among them for sure."""
        self._agent_of: dict[str, str] = {}
        self._default_of: dict[str, str] = {}
        self._ends_of: dict[str, tuple[tuple[str, str], ...]] = {}

    def note(self, kind: str, id_: str, message: Any) -> None:  # noqa: ANN401 - the message of any kind
        """Note a resource and what it names."""
        self._there.setdefault(kind, set()).add(id_)
        if kind == INSTANCE:
            self._agent_of[id_] = message.spec.agent_id
        elif kind == AGENT and message.status.default_instance_id:
            self._default_of[id_] = message.status.default_instance_id
        elif kind == POLICY:
            ends = (message.spec.principal, message.spec.resource)
            named = tuple((end.kind, end.id) for end in ends if end.kind in _STORED)
            if named:
                self._ends_of[id_] = named

    def note_unread(self, kind: str, ids: Iterable[str], *, whole: bool) -> None:
        """Note resources that are there but can't be read, and whether these are all."""
        self._there.setdefault(kind, set()).update(ids)
        if not whole:
            self._unknown.add(kind)

    def findings(self) -> Iterator[Finding]:
        """Yield what names a resource that isn't there."""
        for id_, agent in self._agent_of.items():
            if self._is_gone(AGENT, agent):
                yield Finding("agent-gone", INSTANCE, id_, f"agent {agent}")
        for id_, ends in self._ends_of.items():
            gone = [f"{kind} {end}" for kind, end in ends if self._is_gone(kind, end)]
            if gone:
                yield Finding("policy-of-nothing", POLICY, id_, ", ".join(gone))
        for id_, instance in self._default_of.items():
            if self._is_gone(INSTANCE, instance):
                yield Finding("default-instance-gone", AGENT, id_, f"agent_instance {instance}")
            elif self._agent_of.get(instance, id_) != id_:
                yield Finding(
                    "default-instance-gone",
                    AGENT,
                    id_,
                    f"agent_instance {instance} belongs to agent {self._agent_of[instance]}",
                )

    def _is_gone(self, kind: str, id_: str) -> bool:
        return kind not in self._unknown and id_ not in self._there.get(kind, ())
