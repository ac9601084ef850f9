"""Order, proven from outside: a request that breaks two steps at once is answered by the earlier one.

Each row of `CREATE_FAULTS` is a fault of one step; the pairs are made of them. Pairs that nothing
outside can tell apart stand in the catalogue as excluded, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from conformance.check import Check, check
from conformance.evidence import Evidence
from conformance.judging import Judge, answered, asked_if, code, was_refused
from conformance.session import Session
from conformance.sweeps import no_trace, sweep
from conformance.verdict import Problem
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent


@dataclass(frozen=True)
class Fault:
    """One way to be refused by one step: what it does to a request, who sends it, and the status that answers it."""

    name: str
    step: str
    status: str
    spoil: Callable[[Agent, Agent], None] | None = None
    role: str | None = None
    others: tuple[str, ...] = ()
    """Where the contract marks the status as a choice: with what another server may refuse. It may accept it too."""


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
NAMELESS = Fault(
    "NAMELESS", "ResolveSlug", "INVALID_ARGUMENT", _nameless, others=("FAILED_PRECONDITION", "OUT_OF_RANGE")
)
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
        if earlier.others and earlier.spoil is not None:
            single = session.agent()
            earlier.spoil(single, first)
            session.call("single", "agent.create", single)
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


def _answered_as(earlier: Fault) -> Judge:
    """The double fault is answered as the earlier fault alone is."""
    if not earlier.others:
        return code("double", earlier.status)

    def as_alone(evidence: Evidence) -> list[Problem]:
        alone = evidence["single"].code
        return answered(evidence["double"], alone if alone in earlier.others else earlier.status)

    return asked_if(was_refused("single"), f"the target has no fault {earlier.name}: it accepts it", as_alone)


def _pair(earlier: Fault, later: Fault) -> Check:
    name = f"ORD-{earlier.name}-{later.name}"
    return check(
        name,
        _exercise(earlier, later),
        _answered_as(earlier),
        also={f"ATOM-{name}": no_trace()},
        roles=("caller", "nobody") if DENIED in {earlier, later} else ("caller",),
    )


CHECKS: tuple[Check, ...] = tuple(_pair(earlier, later) for earlier, later in PAIRS)
