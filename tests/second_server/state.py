"""What the second server knows: dictionaries under one lock, and the rules that need nothing else."""

from __future__ import annotations

import base64
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import grpc
import protovalidate
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import BadRequest
from ulid_transform import ulid_now

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.commons.apiresource.enum_pb2 import organization
from protos.parity.v1.event_pb2 import CloudEvent
from tests.second_server.defects import RACES

PREFIXES = {"agent": "agt", "agent_instance": "ain", "environment": "env", "iam_policy": "iamp"}
PACKAGES = {
    "agent": "ai.stigmer.agentic.agent.v1",
    "agent_instance": "ai.stigmer.agentic.agentinstance.v1",
    "environment": "ai.stigmer.agentic.environment.v1",
}
REDACTED = "***"
MOMENT_SECONDS = 0.2

Tuple = tuple[str, str, str, str, str]
"""A policy: principal kind, principal id (and `#` and relation, of a set), relation, resource kind, resource id."""


class Refused(Exception):
    """The request ends here with this status."""

    def __init__(self, code: grpc.StatusCode, message: str, bad_request: BadRequest | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.bad_request = bad_request


@dataclass
class State:
    """All resources by kind and id (insertion order is creation order), all policies, all events."""

    profile: str
    defects: frozenset[str] = frozenset()
    resources: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {"agent": {}, "agent_instance": {}, "environment": {}}
    )
    policies: dict[Tuple, Any] = field(default_factory=dict)
    events: list[CloudEvent] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    changed: threading.Condition = field(init=False)
    stopping: bool = False
    journal: _Journaled | None = None
    ordinals: dict[str, dict[str, None]] = field(default_factory=dict)
    page_ends: dict[str, str] = field(default_factory=dict)
    """By the token of the next page, the id that a page ended with."""
    moments: dict[tuple[str, ...], float] = field(default_factory=dict)
    """When something was seen last: for the defects that go by a moment ago."""
    removed: dict[str, Any] = field(default_factory=dict)
    """What was deleted, by id."""
    luck: Random = field(default_factory=lambda: Random(0))
    drawn: dict[tuple[str, str], bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.changed = threading.Condition(self.lock)

    @property
    def cloud(self) -> bool:
        """Whether callers, policies, events and redaction exist."""
        return self.profile == "cloud"

    @property
    def stars(self) -> str:
        """What stands in the place of a secret."""
        return "hidden" if self.has("hidden_word") else REDACTED

    def has(self, defect: str) -> bool:
        """Whether this defect was planted, or this choice made."""
        return defect in self.defects

    def validate(self, request: Message) -> None:
        """Evaluate every rule of the request, but for the defect. Raises Refused."""
        if not self.has("no_validation"):
            validate(request)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Undo everything if the request is refused."""
        with self.lock:
            resources = {kind: dict(rows) for kind, rows in self.resources.items()}
            policies, events = dict(self.policies), list(self.events)
            try:
                yield
            except BaseException:
                if not any(map(self.has, ("no_rollback", "half_named", "persist_before_validate"))):
                    self.resources, self.policies, self.events = resources, policies, events
                raise
            finally:
                if self.journal is not None:
                    self.journal.write(self.resources["agent"])
                self.changed.notify_all()

    def a_moment_ago(self, *what: str) -> bool:
        """Whether something was seen within the last moment."""
        return time.monotonic() - self.moments.get(what, -MOMENT_SECONDS) < MOMENT_SECONDS

    def races(self, race: str, seen: str, key: str) -> bool:
        """Whether a planted race shows: `seen` was seen of `key` a moment ago, and it is one of the heats for it."""
        if not self.has(race) or not self.a_moment_ago(seen, key):
            return False
        return self.drawn.setdefault((race, key), self.luck.random() < RACES[race])

    def drop_instances_of(self, answer: Any) -> None:
        """Forget the instances of an agent that was answered."""
        metadata = getattr(answer, "metadata", None)
        rows = self.resources["agent_instance"]
        with self.lock:
            for key in [key for key, row in rows.items() if metadata is not None and row.spec.agent_id == metadata.id]:
                del rows[key]

    def keep_agents_in(self, journal: Path) -> None:
        """Take the agents of a file, and write every later change of them there. Instances are not kept."""
        agents = _Journaled(journal)
        self.resources["agent"] = agents
        self.journal = agents

    def by_slug(self, kind: str, metadata: Any, *, whole_kind: bool) -> Any | None:
        """Find the resource that holds a slug, within the scope or within the whole kind."""
        for resource in self.resources[kind].values():
            if resource.metadata.slug == metadata.slug and (
                whole_kind or self._scope(resource.metadata) == self._scope(metadata)
            ):
                return resource
        return None

    def _scope(self, metadata: Any) -> tuple[int, str]:
        by_org = metadata.owner_scope == organization or self.has("own_scope_by_org")
        return metadata.owner_scope, metadata.org if by_org else ""

    def announce(self, kind: str, resource: Any, change: str) -> None:
        """Append an event, in the cloud profile."""
        if not self.cloud or self.has("no_event"):
            return
        event = CloudEvent(
            id=ulid_now().lower(),
            source="second-server",
            spec_version="1.0",
            type=f"com.example.{kind}.{change}" if self.has("events_of_its_own") else f"{PACKAGES[kind]}.{change}",
            subject=resource.metadata.id,
            time=now(),
            data_content_type="application/protobuf",
        )
        event.data.Pack(resource if self.has("secret_in_event") else redacted(resource, self.stars))
        self.events.append(event)


class _Journaled(dict[str, Any]):
    """Agents that are also in a file: one line of base64 each."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file
        if file.exists():
            for line in file.read_text(encoding="ascii").splitlines():
                agent = Agent.FromString(base64.b64decode(line))
                self[agent.metadata.id] = agent

    def write(self, agents: dict[str, Any]) -> None:
        """Replace the file by these agents."""
        lines = [base64.b64encode(agent.SerializeToString()).decode() for agent in agents.values()]
        partial = self._file.with_suffix(".partial")
        partial.write_text("\n".join(lines), encoding="ascii")
        partial.replace(self._file)


def now() -> Timestamp:
    """Server time."""
    stamp = Timestamp()
    stamp.GetCurrentTime()
    return stamp


def new_id(kind: str) -> str:
    """Kind prefix, hyphen, lower-case ULID."""
    return f"{PREFIXES[kind]}-{ulid_now().lower()}"


def slug_of(name: str) -> str:
    """Lower-case, blanks to hyphens, ASCII letters and digits only, single hyphens, none at the ends."""
    hyphenated = re.sub(r"\s", "-", name.lower())
    kept = re.sub(r"[^a-z0-9-]", "", hyphenated)
    return re.sub(r"-+", "-", kept).strip("-")


def validate(request: Message) -> None:
    """Evaluate every rule of the request. Raises Refused."""
    try:
        protovalidate.validate(request)
    except protovalidate.ValidationError as error:
        details = BadRequest()
        for violation in error.violations:
            elements = violation.proto.field.elements if violation.proto.field else ()
            path = ".".join(element.field_name for element in elements)
            details.field_violations.add(field=path, description=violation.proto.message)
        raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "invalid request", details) from None


def redacted(resource: Any, stars: str) -> Any:
    """Return a copy in which stars stand for secret values."""
    copy = type(resource)()
    copy.CopyFrom(resource)
    for value in _env_values(copy):
        if value.is_secret:
            value.value = stars
    return copy


def restore_secrets(resource: Any, stored: Any, stars: str) -> None:
    """Put the stored value back wherever the client sent stars for a secret."""
    before = _env_data(stored)
    for name, value in _env_data(resource).items():
        if value.is_secret and value.value == stars and name in before:
            value.value = before[name].value


def _env_data(resource: Any) -> Any:
    spec = resource.spec
    if hasattr(spec, "env_spec"):
        return spec.env_spec.data
    return getattr(spec, "data", {})


def _env_values(resource: Any) -> list[Any]:
    return list(_env_data(resource).values())
