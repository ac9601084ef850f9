"""One client of a nemesis run: calls one after the other, each written down before it is sent and after it ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message

from conformance import samples
from conformance.evidence import Json
from conformance.methods import METHODS, Proto
from conformance.nemesis import grants
from conformance.nemesis.grants import Grants
from conformance.nemesis.history import HistoryWriter
from conformance.nemesis.keys import Key, Keys
from conformance.target_client import Metadata

LABEL = "nemesis"
"""The label that holds the value a second time: a resource of which one half is older can't go unseen."""
LIST_SIZE = 500
_REFUSALS = frozenset(
    {
        "ALREADY_EXISTS",
        "NOT_FOUND",
        "PERMISSION_DENIED",
        "ABORTED",
        "FAILED_PRECONDITION",
        "INVALID_ARGUMENT",
        "RESOURCE_EXHAUSTED",
        "UNAUTHENTICATED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
    }
)
"""Statuses by which a server says that it did nothing. All others leave open what it did."""
_ABSENT = frozenset({"NOT_FOUND", "PERMISSION_DENIED"})
"""What a read is answered where nothing is; which of them depends on who asks."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call ended with: the name of its status, and the message where it is OK."""

    code: str
    message: Any = None


def ask(channel: grpc.Channel, method: str, request: Message, metadata: Metadata, seconds: float) -> Answer:
    """Make one call. An answer that is no message counts as one of which nobody knows anything."""
    row = METHODS[method]
    call: Any = channel.unary_unary(row.path, None, None)
    try:
        data = call(request.SerializeToString(), timeout=seconds, metadata=metadata, wait_for_ready=True)
        return Answer("OK", row.response.FromString(data))
    except grpc.RpcError as error:
        code: Any = error
        return Answer(code.code().name)
    except DecodeError:
        return Answer("DATA_LOSS")


def value_of(resource: Proto) -> str:
    """Return the value that a resource holds; both, where its halves differ."""
    said, labelled = resource.spec.description, resource.metadata.labels.get(LABEL, "")
    return str(said if said == labelled else f"{said}, labelled {labelled}")


def shown(resource: Proto) -> Json:
    """What a history keeps of a resource."""
    return {"id": resource.metadata.id, "value": value_of(resource)}


def request_for(slug: str, org: str, value: str, resource_id: str = "") -> Proto:
    """Return a create's or an update's request that writes a value."""
    made = samples.agent(slug, org, resource_id=resource_id, slug=slug)
    made.spec.description = value
    made.metadata.labels[LABEL] = value
    return made


@dataclass
class Client:
    """One client: where it calls, as whom, and where it writes down what came of it."""

    process: int
    channels: Sequence[grpc.Channel]
    metadata: Metadata
    org: str
    keys: Keys
    history: HistoryWriter
    random: Random
    seconds: float
    """How long one call may take."""
    step: int
    """What is added to the process's number after a call of which nobody knows how it ended."""
    lists: bool = False
    grants: Grants | None = None

    def act(self) -> bool:
        """Make one call of a kind that chance chooses; say whether it is known how it ended."""
        if self.lists and self.random.random() < _LIST_SHARE:
            return self.list_all()
        if self.grants is not None and self.random.random() < _GRANT_SHARE:
            return grants.act(self, self.grants)
        key = self.keys.pick()
        name = self.random.choices(list(_MIX), list(_MIX.values()))[0]
        known = _ACTIONS[name](self, key)
        if not known and name in {"create", "delete"}:
            key.unknown += 1
        return known

    def create(self, key: Key) -> bool:
        """Create the resource of a slug."""
        value = self.keys.value()
        request = request_for(key.slug, self.org, value, key.chosen_id)
        return self._call("create", "agent.create", request, key, {"id": key.chosen_id, "value": value})

    def update(self, key: Key) -> bool:
        """Change it, by its id or by its slug."""
        value = self.keys.value()
        sent = {"id": self._id_or_slug(key), "value": value}
        return self._call("update", "agent.update", request_for(key.slug, self.org, **_given(sent)), key, sent)

    def delete(self, key: Key) -> bool:
        """Delete it; where nobody knows its id yet, look for it instead."""
        resource_id = key.chosen_id or key.known_id
        if not resource_id:
            return self.find(key)
        return self._call("delete", "agent.delete", _by_id("agent.delete", resource_id), key, {"id": resource_id})

    def read(self, key: Key) -> bool:
        """Get it by its id; where nobody knows that yet, by its slug."""
        resource_id = key.chosen_id or key.known_id
        if not resource_id:
            return self.find(key)
        return self._call("read", "agent.get", _by_id("agent.get", resource_id), key, {"id": resource_id})

    def find(self, key: Key) -> bool:
        """Get it by its slug."""
        return self._call("find", "agent.by_reference", samples.reference(key.slug, self.org), key, {})

    def list_all(self) -> bool:
        """List all resources of the run, page by page."""
        self.history.write("invoke", self.process, "list")
        rows, token = list[Json](), ""
        while True:
            request = METHODS["list.agents"].request(org=self.org)
            request.page.size, request.page.page_token = LIST_SIZE, token
            answer = self.ask("list.agents", request)
            if answer.message is None:
                return self.ended("list", "", "info", None, answer.code)
            own = [one for one in answer.message.items if one.metadata.slug.startswith(f"{self.keys.prefix}-")]
            rows += [{"key": one.metadata.slug, **shown(one)} for one in own]
            token = answer.message.next_page_token
            if not token:
                return self.ended("list", "", "ok", rows)

    def _id_or_slug(self, key: Key) -> str:
        resource_id = key.chosen_id or key.known_id
        return "" if self.random.random() < _BY_SLUG_SHARE else resource_id

    def _call(self, f: str, method: str, request: Message, key: Key, sent: Json) -> bool:
        self.history.write("invoke", self.process, f, key.slug, sent)
        answer = self.ask(method, request)
        if answer.message is not None:
            key.known_id = answer.message.metadata.id
            return self.ended(f, key.slug, "ok", shown(answer.message))
        if f in {"read", "find"} and answer.code in _ABSENT:
            return self.ended(f, key.slug, "ok")
        return self.ended(f, key.slug, self.outcome_of(answer), None, answer.code)

    def ask(self, method: str, request: Message, metadata: Metadata | None = None) -> Answer:
        """Make one call, through one of the addresses, that isn't written down; as somebody else with `metadata`."""
        metadata = self.metadata if metadata is None else metadata
        return ask(self.random.choice(self.channels), method, request, metadata, self.seconds)

    def outcome_of(self, answer: Answer) -> str:
        """Say what is known of a call that wasn't acknowledged: `fail` where it did nothing."""
        return "fail" if answer.code in _REFUSALS else "info"

    def through(self, channel: grpc.Channel) -> Client:
        """Return the same client, calling through one address only."""
        return replace(self, channels=(channel,))

    def ended(self, f: str, key: str, outcome: str, value: Json = None, error: str = "") -> bool:
        """Write down how a call ended; a process of which one has an unknown end makes no other call."""
        self.history.write(outcome, self.process, f, key, value, error)
        if outcome == "info":
            self.process += self.step
        return outcome != "info"


def _given(sent: Mapping[str, str]) -> dict[str, str]:
    return {"value": sent["value"], "resource_id": sent["id"]}


def _by_id(method: str, resource_id: str) -> Proto:
    return METHODS[method].request(value=resource_id)


_MIX = {"create": 24, "update": 26, "delete": 12, "read": 20, "find": 18}
_ACTIONS: Mapping[str, Callable[[Client, Key], bool]] = {
    "create": Client.create,
    "update": Client.update,
    "delete": Client.delete,
    "read": Client.read,
    "find": Client.find,
}
_LIST_SHARE = 0.015
_BY_SLUG_SHARE = 0.3
_GRANT_SHARE = 0.12
