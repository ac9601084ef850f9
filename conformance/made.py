"""What a check made, and its removal: known from requests and answers, and looked for where a call was lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

from conformance import samples
from conformance.evidence import Exchange, value_at
from conformance.kinds import KINDS
from conformance.line import insist, likely_slug
from conformance.methods import METHODS, Method, Proto, deletion
from conformance.target_client import Metadata, Part, Response, TargetClient

CREATES = frozenset(f"{kind}.{operation}" for kind in KINDS for operation in ("create", "apply"))
GONE = frozenset({"OK", "NOT_FOUND"})
_OPEN = frozenset({"DEADLINE_EXCEEDED", "CANCELLED", "UNAVAILABLE", "UNKNOWN"})
"""After these a server may still be doing what it was asked."""


@dataclass
class Made:
    """The resources and policies of one check."""

    check: str
    client: TargetClient
    credentials: Callable[[str | None], Metadata]
    """Those of a role; of the ordinary caller where it is None."""
    grants: list[Any] = field(default_factory=list)
    """Policies to remove."""
    _created: dict[tuple[str, str], str] = field(default_factory=dict)
    """By kind and id: the agent of an instance, where it is known."""
    _open: set[str] = field(default_factory=set)
    """Ids whose create may still be under way."""

    def expect(self, kind: str, resource_id: str) -> None:
        """Keep an id that the check is going to create."""
        self._created[kind, resource_id] = ""

    def note_request(self, method: Method, request: Proto) -> None:
        """Keep the id that a create names."""
        if method.name in CREATES and request.metadata.id:
            self._created[method.kind, request.metadata.id] = ""

    def note_answer(self, answer: Response, method: Method) -> None:
        """Keep what was created; what the server says is gone, or never came to be, needs no delete afterwards."""
        exchange = answer.exchange
        if method.name in CREATES:
            if answer.message is not None:
                agent_id = answer.message.spec.agent_id if method.kind == "instance" else ""
                self._created[method.kind, answer.message.metadata.id] = agent_id
            elif exchange.code in _OPEN:
                self._open.add(value_at(exchange.request, "metadata.id"))
            return
        kind, _, operation = method.name.partition(".")
        deleted = operation == "delete" and exchange.code == "OK"
        missing = operation == "get" and exchange.code == "NOT_FOUND"
        if kind in KINDS and (deleted or missing):
            resource_id = value_at(exchange.request, KINDS[kind].delete_field if deleted else "value")
            if resource_id not in self._open:
                self._created.pop((kind, resource_id), None)

    def remove_all(self, lost_calls: Iterable[Exchange]) -> dict[tuple[str, str], str]:
        """Delete everything, agents first; return by kind and id what a refused delete answered.

        The calls are no evidence: what is judged was judged before.
        """
        self._find_lost(lost_calls)
        refused = {
            (kind, resource_id): code
            for kind in KINDS
            for resource_id in self._remaining(kind)
            if (code := self._remove(kind, resource_id)) not in GONE
        }
        for grant in self.grants:
            self._call("policy.delete", grant, "operator")
        return refused

    def _call(self, method: str, request: Message, role: str | None = None) -> Response:
        """Make a call that is no evidence, until the line carries it."""
        part, credentials = Part(self.check, "cleanup", ""), self.credentials(role)
        return insist(lambda: self.client.call(part, METHODS[method], request, credentials))

    def _find_lost(self, lost_calls: Iterable[Exchange]) -> None:
        """Look by name for what lost calls may have made under ids that only the server knows."""
        for exchange in lost_calls:
            sent = value_at(exchange.request, "metadata", {})
            if exchange.step not in CREATES or sent.get("id"):
                continue
            kind = METHODS[exchange.step].kind
            request = samples.reference(likely_slug(sent), sent.get("org", ""))
            answer = self._call(f"{kind}.by_reference", request)
            if answer.ok:
                self._created[kind, answer.message.metadata.id] = ""

    def _remaining(self, kind: str) -> list[str]:
        """Return what is to be deleted of a kind: instances go with their agents, which were deleted before."""
        ids = {one: agent_id for (of, one), agent_id in self._created.items() if of == kind}
        many = {agent_id for agent_id, count in Counter(ids.values()).items() if agent_id and count > 1}
        cleared = {agent_id for agent_id in many if self._has_no_instance(agent_id)}
        return [one for one, agent_id in ids.items() if agent_id not in cleared]

    def _has_no_instance(self, agent_id: str) -> bool:
        answer = self._call("instance.by_agent", METHODS["instance.by_agent"].request(agent_id=agent_id))
        return answer.exchange.code == "NOT_FOUND" or (answer.ok and not answer.message.items)

    def _remove(self, kind: str, resource_id: str) -> str:
        return self._call(f"{kind}.delete", deletion(kind, resource_id)).exchange.code
