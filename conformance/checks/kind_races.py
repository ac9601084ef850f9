"""Races of every kind: updates beside a delete, and reads at once by callers of different rights."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from conformance.check import Check, check
from conformance.evidence import Evidence
from conformance.judging import answered, differences, equal
from conformance.kinds import KINDS
from conformance.methods import METHODS, Proto, deletion
from conformance.racing import (
    HEATS_QUICK_AGAIN,
    deleted_once,
    deletes_beside,
    heats_of,
    is_deleted,
    race,
    racers,
    statuses_beside_delete,
    two_deletes,
)
from conformance.requests import Things, changed, new_resource
from conformance.samples import reference
from conformance.session import Session
from conformance.target_client import Call
from conformance.verdict import Problem

_MAY, _MAY_NOT = ("org_member", "operator"), ("nobody", "other_org_member")
_READERS = tuple(role for pair in zip(_MAY, _MAY_NOT, strict=True) for role in pair)
"""Who reads at once: one that may, one that may not, and so on."""
READINGS_QUICK = 6
"""Of a quick run, one heat of each: gets and references of every kind."""


def _beside_delete(kind: str) -> Callable[[Session], None]:
    """Delete something twice while it is updated, then look whether it came back."""

    def exercise(session: Session) -> None:
        role = "operator" if session.cloud else None
        agent = session.created_agent("parent", role=role)
        made: list[Things] = []

        def calls(number: int) -> list[Call]:
            new = new_resource(session, kind, agent.metadata.id)
            resource = session.need(f"setup.{number}", f"{kind}.create", new, role=role)
            made.append(Things(agent, resource, kind))
            rivals = [
                Call(f"heat.{number}.{n}", f"{kind}.update", changed(session, made[-1]), role)
                for n in range(racers(session) - 1)
            ]
            deletes = two_deletes(number, f"{kind}.delete", deletion(kind, resource.metadata.id), role)
            return deletes_beside(deletes, rivals)

        race(session, calls, senders=racers(session) + 1, heats_quick=HEATS_QUICK_AGAIN)
        session.together(
            Call(f"get.{n}", f"{kind}.get", session.by_id(f"{kind}.get", one.resource.metadata.id), role)
            for n, one in enumerate(made)
        )

    return exercise


def _stays_gone(evidence: Evidence) -> list[Problem]:
    found: list[Problem] = []
    for number, rows in heats_of(evidence):
        found += statuses_beside_delete(rows)
        if is_deleted(rows):
            found += answered(evidence[f"get.{number}"], "NOT_FOUND")
    return found


def _readings(session: Session) -> list[tuple[str, Proto]]:
    """Make something of each kind in an organization of this check's own; return all ways to read it."""
    account = ("identity_account", session.context.identity("org_member"))
    session.grant("grant", account, "member", ("organization", session.own_org))
    agent = session.created_agent("agent", role="operator", org=session.own_org)
    gets, references = [], []
    for kind in KINDS:
        new = new_resource(session, kind, agent.metadata.id)
        new.metadata.org = session.own_org
        made = agent if kind == "agent" else session.need(f"setup.{kind}", f"{kind}.create", new, role="operator")
        gets.append((f"{kind}.get", session.by_id(f"{kind}.get", made.metadata.id)))
        references.append((f"{kind}.by_reference", reference(made.metadata.slug, session.own_org)))
    pages = [("instance.by_agent", METHODS["instance.by_agent"].request(agent_id=agent.metadata.id))]
    if session.offers("list"):
        pages += [(one.list_method, METHODS[one.list_method].request(org=session.own_org)) for one in KINDS.values()]
    return [*gets, *references, *pages]


def _reads(session: Session) -> None:
    """Read the same at once, each reader first in his turn.

    Before that, those who may not read among themselves, then the others: so is each to be answered in the heats.
    """
    readings = _readings(session)
    readings = readings[: session.size(len(readings), READINGS_QUICK)]
    readers = _READERS[: racers(session)]
    for alike in (_MAY_NOT, _MAY):
        session.together(
            Call(f"alone.{method}.{role}", method, request, role) for method, request in readings for role in alike
        )

    def calls(number: int) -> Iterator[Call]:
        method, request = readings[number % len(readings)]
        first = number // len(readings) % len(readers)
        for n, role in enumerate((*readers[first:], *readers[:first])):
            yield Call(f"heat.{number}.{n}", method, request, role)

    race(session, lambda number: list(calls(number)), heats_quick=READINGS_QUICK)


def _as_alone(evidence: Evidence) -> list[Problem]:
    """Each is answered what he is answered alone."""
    found: list[Problem] = []
    for _, rows in heats_of(evidence):
        for row in rows:
            alone = evidence[f"alone.{row.step}.{row.role}"]
            who = f"{row.step} by {row.role}, beside others"
            found += equal(who, row, alone.code, row.code) or differences(alone.response, row.response, row)
    return found


CHECKS: tuple[Check, ...] = (
    *(
        check(
            f"RACE-DELETE-{kind.upper()}",
            _beside_delete(kind),
            _stays_gone,
            also={f"RACE-DELETES-{kind.upper()}": deleted_once},
            roles=("caller", "operator"),
        )
        for kind in KINDS
        if kind != "agent"
    ),
    check("RACE-READERS", _reads, _as_alone, roles=_READERS),
)
