"""Wire templates: policies and events are written by filling ids into bytes that protobuf wrote once.

A create writes five policies and two events beside the resource, all of them alike but for ids and the time. Making
a message takes protobuf's runtime some ten calls each; joining the pieces around the ids takes one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any as Anything

from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message

from protos.ai.stigmer.iam.iampolicy.v1.api_pb2 import IamPolicy, IamPolicyStatus
from protos.kinds import IAM_POLICY, KINDS
from protos.parity.v1.event_pb2 import CloudEvent
from reference_server.authorization import policies
from reference_server.events import outbox
from reference_server.fast import with_steps
from reference_server.pipeline import ServerContext, State, StepFunction
from reference_server.steps import publish
from reference_server.steps.create_iam_policies import create_iam_policies as plain_create_iam_policies
from reference_server.steps.create_iam_policies import grants_of
from reference_server.unit_of_work import UnitOfWork
from stores.contract import Store
from stores.schema import policy_keys

_CUTS_MAX = 256
"""Ids come in few lengths, unless clients choose them."""
_SORTS_MAX = 512
"""Callers may make up relations and kinds of their own; a server has a few dozen."""
_ID_PREFIX = f"{IAM_POLICY.id_prefix}-"
_VARINT_BITS = 7


class WireTemplate:
    """The wire bytes of a message with holes: text fields, given by their paths in the order of the wire."""

    def __init__(self, message: Message, *holes: str) -> None:
        """`holes` are dotted paths, as in `spec.principal.id`; what the message has there doesn't count."""
        self._message = message
        self._holes = [path.split(".") for path in holes]
        self._cuts: dict[tuple[int, ...], list[bytes]] = {}

    def fill(self, *texts: bytes) -> bytes:
        """Return the message's bytes with these texts, in UTF-8, in its holes. An empty one stands for no field."""
        lengths = tuple(map(len, texts))
        filled = (self._cuts.get(lengths) or self._cut(lengths)).copy()
        filled[1::2] = texts
        return b"".join(filled)

    def _cut(self, lengths: tuple[int, ...]) -> list[bytes]:
        """Return what stands before, between and behind holes of these lengths, and something in their places.

        Protobuf writes the message once more for each hole, with another letter in it: where they differ, there it is.
        Raises ValueError if the holes aren't in the order of the wire.
        """
        texts = ["a" * length for length in lengths]
        whole, at = self._written(texts), 0
        pieces: list[bytes] = []
        for number, length in enumerate(lengths):
            start = at
            if length:
                other = self._written([*texts[:number], "b" * length, *texts[number + 1 :]])
                start = next(place for place, (one, two) in enumerate(zip(whole, other, strict=True)) if one != two)
            if start < at:
                raise ValueError(f"hole {'.'.join(self._holes[number])} stands before the one that is given before it")
            pieces += (whole[at:start], whole[start : start + length])
            at = start + length
        pieces.append(whole[at:])
        if len(self._cuts) >= _CUTS_MAX:
            self._cuts.clear()
        self._cuts[lengths] = pieces
        return pieces

    def _written(self, texts: Sequence[str]) -> bytes:
        message = type(self._message)()
        message.CopyFrom(self._message)
        for path, text in zip(self._holes, texts, strict=True):
            place: Anything = message
            for name in path[:-1]:
                place = getattr(place, name)
            setattr(place, path[-1], text)
        return message.SerializeToString()


@lru_cache(maxsize=4096)
def field_header(field_number: int, length: int) -> bytes:
    """Return tag and length before a field of `length` bytes (a message, bytes, or a text) on the wire."""
    return _varint(field_number << 3 | 2) + _varint(length)


def _varint(number: int) -> bytes:
    """Return a number as the wire has it: seven bits a byte, the lowest first, each but the last marked."""
    written = bytearray()
    while number >> _VARINT_BITS:
        written.append(number & 0x7F | 0x80)
        number >>= _VARINT_BITS
    return bytes((*written, number))


# ---- policies


def create_iam_policies(state: State, work: UnitOfWork) -> State:
    """Stage what the plain step stages, as bytes."""
    resource, grants = grants_of(state, work)
    held, on, new_ulid, status = resource[:2], resource.id.encode(), state.context.clock.new_ulid, _status(state, work)
    for (kind, principal_id, of), relation in grants:
        id_ = _ID_PREFIX + new_ulid()
        front = _policies_of(kind, of, relation, resource.kind).fill(id_.encode(), principal_id.encode(), on)
        keys = policy_keys((kind, principal_id), of, relation, held)
        work.create_bytes(policies.KIND, id_, front + status, keys)
    return state


@lru_cache(maxsize=_SORTS_MAX)
def _policies_of(principal_kind: str, principal_relation: str, relation: str, resource_kind: str) -> WireTemplate:
    """Return all but the audit of the policies of a sort, which differ in ids only."""
    policy = IamPolicy(api_version="iam.stigmer.ai/v1", kind="IamPolicy")
    policy.spec.principal.kind, policy.spec.principal.relation = principal_kind, principal_relation
    policy.spec.relation, policy.spec.resource.kind = relation, resource_kind
    return WireTemplate(policy, "metadata.id", "spec.principal.id", "spec.resource.id")


def _status(state: State, work: UnitOfWork) -> bytes:
    """Return the field with the audit, a policy's last: the same for all that an actor grants at one instant."""
    shared, of = work.instant.shared, (policies.KIND, state.actor.id)
    written = shared.get(of)
    if written is None:
        audit = work.instant.audit_of_creation(state.actor.id)
        written = shared[of] = IamPolicy(status=IamPolicyStatus(audit=audit)).SerializeToString()
    return written


# ---- events

_CONTENT_TYPE = CloudEvent(data_content_type=outbox.CONTENT_TYPE).SerializeToString()


def publish_event(event: str) -> StepFunction:
    """Make the step that stages what the plain one stages, as bytes."""

    def publish_bytes(state: State, work: UnitOfWork) -> State:
        id_ = state.context.clock.new_ulid()
        data = publish.public_bytes(state, work)
        template, type_url = _events_of(state.operation.kind.name, event)
        front = template.fill(id_.encode(), state.resource.metadata.id.encode())
        value = field_header(Any.VALUE_FIELD_NUMBER, len(data))
        content = field_header(CloudEvent.DATA_FIELD_NUMBER, len(type_url) + len(value) + len(data))
        parts = (front, _time(work), _CONTENT_TYPE, content, type_url, value, data)
        work.create_bytes(outbox.KIND, id_, b"".join(parts), ())
        return state

    return publish_bytes


def _time(work: UnitOfWork) -> bytes:
    shared = work.instant.shared
    time = shared.get(outbox.KIND)
    if time is None:
        time = shared[outbox.KIND] = CloudEvent(time=work.instant.time()).SerializeToString()
    return time


@cache
def _events_of(kind_name: str, event: str) -> tuple[WireTemplate, bytes]:
    """Return what all events of a sort have in common: the fields before the time, and the type of the content."""
    kind = KINDS[kind_name]
    front = CloudEvent(source=outbox.SOURCE, spec_version="1.0", type=f"{kind.package}.{event}")
    return WireTemplate(front, "id", "subject"), Any(type_url=outbox.type_url(kind)).SerializeToString()


def install(context: ServerContext, store: Store) -> ServerContext:  # noqa: ARG001 - the signature of a layer
    """Return the context with steps that write policies and events as bytes."""
    instead: dict[StepFunction, StepFunction] = {plain_create_iam_policies: create_iam_policies}
    for event, plain in publish.STEPS.items():
        instead[plain] = publish_event(event)
    return with_steps(context, instead)
