"""What a request brings along, and the frozen state that its steps hand on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from opentelemetry.trace import Tracer

from reference_server.authorization.model import Authorizer, Ref
from reference_server.kinds import SYSTEM_ID
from reference_server.ulids import Ulids
from stores.contract import Record

if TYPE_CHECKING:  # the pipelines are made of steps, and steps take a State
    from reference_server.pipeline import Operation


class Profile(StrEnum):
    """Which server this is: the full cloud handler, or the local single-user server."""

    CLOUD = "cloud"
    OSS = "oss"


@dataclass(frozen=True, slots=True)
class Caller:
    """The identity behind a request."""

    id: str
    ref: Ref = field(init=False)
    """The caller as a principal of policies."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "ref", Ref("identity_account", self.id))


SYSTEM = Caller(SYSTEM_ID)


@dataclass(frozen=True, slots=True)
class Clock:
    """Time and ids, handed in so that tests are exact."""

    now_ns: Callable[[], int] = time.time_ns
    new_ulid: Callable[[], str] = field(default_factory=Ulids)

    def now(self) -> Timestamp:
        """Return the time as a message."""
        seconds, nanos = divmod(self.now_ns(), 1_000_000_000)
        return Timestamp(seconds=seconds, nanos=nanos)


@dataclass(frozen=True, slots=True)
class Rules:
    """What is the same for every request of a server."""

    profile: Profile
    operations: Mapping[str, Operation]
    """By name, for example `agent-create`."""
    clock: Clock
    authorizer: Authorizer
    tracer: Tracer | None = None
    """Makes a span per step; None (the default) costs nothing."""


class State(NamedTuple):
    """What one step hands to the next.

    `request` is the message as it came and belongs to the pipeline. `caller` is None in the cloud profile when the
    credentials are missing or unknown. `resource` is the new state of the resource that the operation is about,
    `existing` what the store holds of it, `candidates` the resources that a reference may mean, `response` the
    answer: a message, or wire bytes.
    """

    rules: Rules
    operation: Operation
    request: Any
    caller: Caller | None
    resource: Any = None
    id_is_chosen: bool = False
    """The client chose the id of the new resource."""
    existing: Record | None = None
    candidates: tuple[Record, ...] = ()
    response: Message | bytes | None = None

    def with_resource(self, resource: Any) -> State:  # noqa: ANN401 - a message of the operation's kind
        """Return the state with another resource. `_replace` takes twice as long, and most steps end with one."""
        return State(*self[:4], resource, *self[5:])

    def with_response(self, response: Message | bytes) -> State:
        """Return the state with an answer."""
        return State(*self[:8], response)

    @property
    def actor(self) -> Caller:
        """The caller, once Authorize has let it pass; the system where nobody is asked."""
        return self.caller or SYSTEM
