"""How a target's messages differ from the contract's: by server reflection, else by leaving parts of an agent out.

A target that was built from another revision of the .proto files refuses what it can't parse, or loses it. Told once
with the part's name, that is one finding; told by every check that uses the part, it is dozens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict

from conformance import samples
from conformance.cause import Drift
from conformance.evidence import Json
from conformance.methods import METHODS
from conformance.session import Session
from conformance.target_client import as_json
from conformance.wire import Difference, NoReflection, differences
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agent.v1.spec_pb2 import AgentSpec
from protos.ai.stigmer.commons.apiresource.metadata_pb2 import ApiResourceMetadata

PARTS = tuple(
    (holder, field.name)
    for holder, message in (("metadata", ApiResourceMetadata), ("spec", AgentSpec))
    for field in message.DESCRIPTOR.fields
)
"""The parts of an agent that may be left out, each as the field that holds it and its own name."""

Takes = Callable[[Sequence[tuple[str, str]]], bool]


def look_at_wire(session: Session) -> None:
    """Note, as the fact `drift`, how the target's messages differ from the contract's, and how that was found.

    Whoever asks cleans up after the session: agents may have been sent.
    """
    try:
        found, told = differences(session.client.channel, session.client.deadline_seconds), True
    except NoReflection:
        found, told = (), False
    # A server may tell the contract's descriptors and speak by others: it refuses parts. One that loses a part that it
    # names itself drops it, which is no matter of the schema.
    rows = [_row(one) for one in found if not one.added] or [
        _part_row(part) for part in refused_parts(session, lost=not told)
    ]
    session.note("drift", [asdict(row) for row in rows])
    session.note("drift_added", [one.sentence for one in found if one.added])


def _row(difference: Difference) -> Drift:
    return Drift(difference.name, f"the target speaks another {difference.sentence}", paths_to(difference))


def _part_row(part: tuple[str, str]) -> Drift:
    name = f"Agent.{'.'.join(part)}"
    told = "an agent with it is refused or loses it, one without it isn't"
    return Drift(name, f"the target speaks another `{name}`: {told}", (part,))


def paths_to(difference: Difference) -> tuple[tuple[str, ...], ...]:
    """Return the paths in a request of every place where a difference shows; none for whole services."""
    found: list[tuple[str, ...]] = []
    for method in METHODS.values():
        found += _paths(method.request.DESCRIPTOR, difference, ())
    return tuple(dict.fromkeys(found))


def _paths(message: Json, difference: Difference, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if message.full_name == difference.message:
        yield (*path, difference.field) if difference.field else path
    for field in message.fields:
        # A message inside itself would lead nowhere new.
        if field.message_type is not None and field.name not in path:
            yield from _paths(field.message_type, difference, (*path, field.name))
        if field.enum_type is not None and field.enum_type.full_name == difference.message:
            yield (*path, field.name)


def refused_parts(session: Session, *, lost: bool = True) -> tuple[tuple[str, str], ...]:
    """Return the parts of a full agent that the target doesn't take; none where it takes all, or not even the least.

    `lost` says whether a part that is taken and doesn't come back counts.
    """
    full = samples.full_agent("n", session.org)
    present = [(holder, name) for holder, name in PARTS if _optional(full, holder, name)]

    def takes(parts: Sequence[tuple[str, str]]) -> bool:
        return _takes(session, parts, lost=lost)

    if not takes(()) or takes(present):
        return ()
    return tuple(_bisected(present, takes))


def _optional(full: Agent, holder: str, name: str) -> bool:
    """Whether the full sample has a part that the smallest one hasn't."""
    small = samples.agent("n", "o")
    descriptor = getattr(full, holder).DESCRIPTOR.fields_by_name[name]
    return any(one is descriptor for one, _ in getattr(full, holder).ListFields()) and not any(
        one is descriptor for one, _ in getattr(small, holder).ListFields()
    )


def _bisected(parts: Sequence[tuple[str, str]], takes: Takes) -> Iterator[tuple[str, str]]:
    """Yield each part that is refused by itself: halves that are taken are not looked into."""
    if takes(parts):
        return
    if len(parts) == 1:
        yield parts[0]
        return
    middle = len(parts) // 2
    yield from _bisected(parts[:middle], takes)
    yield from _bisected(parts[middle:], takes)


def _takes(session: Session, parts: Sequence[tuple[str, str]], *, lost: bool) -> bool:
    """Whether an agent with these parts alone is created, and comes back from a get with them, if that counts."""
    name = session.name()
    request, full = session.agent(name=name), samples.full_agent(name, session.org)
    for holder, part in parts:
        _copy(getattr(full, holder), getattr(request, holder), part)
    label = f"parts.{'.'.join(part for _, part in parts) or 'none'}"
    made = session.call(label, "agent.create", request)
    if not made.ok or not lost:
        return made.ok
    read = session.read(f"{label}.get", "agent", made.message.metadata.id)
    return read.ok and all(
        _shown(read.message, holder, part) == _shown(request, holder, part) or _is_secret(part)
        for holder, part in parts
    )


def _copy(source: Json, target: Json, name: str) -> None:
    """Copy one field from one message to another of its type."""
    part = type(source)()
    part.CopyFrom(source)
    for field, _ in source.ListFields():
        if field.name != name:
            part.ClearField(field.name)
    target.MergeFrom(part)


def _shown(agent: Agent, holder: str, name: str) -> Json:
    return as_json(getattr(agent, holder)).get(name)


def _is_secret(part: str) -> bool:
    """Whether a part holds values that an answer may hide."""
    return part == "env_spec"
