"""Order, proven from outside: a request that breaks two steps at once is answered by the earlier one.

Each row of `CREATE_FAULTS` is a fault of one step; the pairs are made of them. Pairs that nothing
outside can tell apart stand in the catalogue as excluded, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from conformance.check import Check, check
from conformance.judging import code
from conformance.session import Session
from conformance.sweeps import no_trace, sweep
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent


@dataclass(frozen=True)
class Fault:
    """One way to be refused by one step: what it does to a request, who sends it, and the status that answers it."""

    name: str
    step: str
    status: str
    spoil: Callable[[Agent, Agent], None] | None = None
    role: str | None = None


def _invalid(request: Agent, first: Agent) -> None:
    del first
    request.spec.instructions = "short"


def _nameless(request: Agent, first: Agent) -> None:
    del first
    request.metadata.name = ""


def _taken_slug(request: Agent, first: Agent) -> None:
    request.metadata.name = first.metadata.name


def _taken_id(request: Agent, first: Agent) -> None:
    request.metadata.id = first.metadata.id


INVALID = Fault("INVALID", "ValidateFieldConstraints", "INVALID_ARGUMENT", _invalid)
ANONYMOUS = Fault("ANONYMOUS", "Authorize", "UNAUTHENTICATED", role="anonymous")
DENIED = Fault("DENIED", "Authorize", "PERMISSION_DENIED", role="nobody")
NAMELESS = Fault("NAMELESS", "ResolveSlug", "INVALID_ARGUMENT", _nameless)
TAKEN_SLUG = Fault("TAKEN-SLUG", "CheckDuplicate", "ALREADY_EXISTS", _taken_slug)
TAKEN_ID = Fault("TAKEN-ID", "CheckDuplicate", "ALREADY_EXISTS", _taken_id)

PAIRS: tuple[tuple[Fault, Fault], ...] = (
    (INVALID, ANONYMOUS),
    (INVALID, DENIED),
    (INVALID, TAKEN_SLUG),
    (INVALID, TAKEN_ID),
    (ANONYMOUS, NAMELESS),
    (ANONYMOUS, TAKEN_SLUG),
    (ANONYMOUS, TAKEN_ID),
    (DENIED, NAMELESS),
    (DENIED, TAKEN_SLUG),
    (DENIED, TAKEN_ID),
    (NAMELESS, TAKEN_ID),
)
"""Earlier fault first."""


def _exercise(earlier: Fault, later: Fault) -> Callable[[Session], None]:
    def exercise(session: Session) -> None:
        first = session.created_agent("first")
        request = session.agent(resource_id=session.new_id())
        own_id = request.metadata.id
        for fault in (later, earlier):
            if fault.spoil is not None:
                fault.spoil(request, first)
        role = earlier.role or later.role
        session.call("double", "agent.create", request, role=role, valid=earlier is not INVALID)
        trace = session.agent(resource_id=own_id)
        if TAKEN_SLUG not in {earlier, later} and NAMELESS not in {earlier, later}:
            trace.metadata.name = request.metadata.name
        sweep(session, "sweep", "agent", trace, role=role)

    return exercise


def _pair(earlier: Fault, later: Fault) -> Check:
    name = f"ORD-{earlier.name}-{later.name}"
    return check(
        name,
        _exercise(earlier, later),
        code("double", earlier.status),
        also={f"ATOM-{name}": no_trace()},
        roles=("caller", "nobody") if DENIED in {earlier, later} else ("caller",),
    )


CHECKS: tuple[Check, ...] = tuple(_pair(earlier, later) for earlier, later in PAIRS)
