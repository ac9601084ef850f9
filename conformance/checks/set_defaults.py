"""Step SetDefaults of create: id, audit, and a status that the client has no say in."""

from __future__ import annotations

import re
from collections.abc import Iterator

from google.protobuf.timestamp_pb2 import Timestamp

from conformance.check import Check, check
from conformance.evidence import Evidence, Exchange
from conformance.judging import answered, both, equal, field_is, nanoseconds, problem, sent
from conformance.session import Session
from conformance.target_client import Call
from conformance.verdict import Problem

LONG_AGO = Timestamp(seconds=978307200)
"""A time that no server's clock shows: only a client can have sent it."""
_ULID = "[0-9a-hjkmnp-tv-z]{26}"
AGENT_ID = re.compile(f"agt-{_ULID}")
AUDITS = ("spec_audit", "status_audit")
MANY = 80
"""With their default instances 160 ids: one wrong in thirty is met with a probability of 0.99."""


def _create(session: Session) -> None:
    session.call("create", "agent.create", session.agent())


def _twice(session: Session) -> None:
    first = session.created_agent("create")
    session.delete("delete", "agent", first.metadata.id)
    session.call("second", "agent.create", session.agent(name=first.metadata.name))
    session.call("third", "agent.create", session.agent())


def _many(session: Session) -> None:
    count = session.size(MANY, 8)
    session.together(Call(f"many.{n}", "agent.create", session.agent()) for n in range(count))


def _each_well_formed(evidence: Evidence) -> list[Problem]:
    """Each id that the server gives has the form, the agents' as their default instances', and none comes twice."""
    rows, found, seen = evidence.under("many."), list[Problem](), list[str]()
    for row in rows:
        ids = (row.value("metadata.id"), row.value("status.default_instance_id"))
        found += answered(row, "OK")
        for prefix, one in zip(("agt", "ain"), ids if row.ok else (), strict=False):
            if not re.fullmatch(f"{prefix}-{_ULID}", one):
                found.append(problem("wrong form of id", row, expected=f"{prefix}- and a lower-case ULID", actual=one))
            seen.append(one)
    return found or equal("ids that differ", rows[-1], len(seen), len(set(seen)))


def _client_id(session: Session) -> None:
    session.call("create", "agent.create", session.agent(resource_id=session.new_id()))


def _client_status(session: Session) -> None:
    request = session.agent()
    request.status.default_instance_id = "ain-of-the-client"
    for audit in (request.status.audit.spec_audit, request.status.audit.status_audit):
        audit.created_by.id = audit.updated_by.id = "somebody-else"
        audit.created_by.avatar = "avatar-of-the-client"
        audit.created_at.CopyFrom(LONG_AGO)
        audit.updated_at.CopyFrom(LONG_AGO)
        audit.event = "invented"
    made = session.call("create", "agent.create", request)
    if made.ok:
        session.read("get", "agent", made.message.metadata.id)


def _id_shape(evidence: Evidence) -> list[Problem]:
    exchange = evidence["create"]
    made = exchange.value("metadata.id")
    if not exchange.ok or AGENT_ID.fullmatch(made):
        return answered(exchange, "OK")
    return [problem("wrong form of id", exchange, expected="agt- and a lower-case ULID", actual=made)]


def _ids_differ(evidence: Evidence) -> list[Problem]:
    made = [evidence[label] for label in ("create", "second", "third")]
    failed = [found for exchange in made for found in answered(exchange, "OK")]
    ids = {exchange.value("metadata.id") for exchange in made}
    return failed or equal("an id was used twice", made[-1], len(made), len(ids))


def _audits(exchange: Exchange) -> Iterator[tuple[str, str]]:
    """Every audit field of an answer: where it stands and what it says."""
    for audit in AUDITS:
        for part in ("created_by.id", "updated_by.id", "created_at", "updated_at", "event"):
            yield f"{audit}.{part}", exchange.value(f"status.audit.{audit}.{part}")


def _status_dropped(evidence: Evidence) -> list[Problem]:
    found: list[Problem] = []
    theirs = {"ain-of-the-client", "somebody-else", "avatar-of-the-client", "invented", LONG_AGO.ToJsonString()}
    for label in ("create", "get"):
        if label not in evidence:
            continue
        exchange = evidence[label]
        found += answered(exchange, "OK")
        seen = {"status.default_instance_id": exchange.value("status.default_instance_id"), **dict(_audits(exchange))}
        seen |= {f"{audit}.avatar": exchange.value(f"status.audit.{audit}.created_by.avatar") for audit in AUDITS}
        found += [
            problem(f"{label}: {where} is the client's", exchange, expected="the server's own", actual=value)
            for where, value in seen.items()
            if value in theirs
        ]
    return found


def _actors(evidence: Evidence) -> list[Problem]:
    exchange, caller = evidence["create"], evidence.fact("caller")
    return answered(exchange, "OK") or [
        found
        for where, value in _audits(exchange)
        if where.endswith("_by.id")
        for found in equal(f"{where} is wrong", exchange, caller, value)
    ]


def _times(evidence: Evidence) -> list[Problem]:
    first, later = evidence["create"], evidence["third"]
    failed = answered(first, "OK") + answered(later, "OK")
    if failed:
        return failed
    found: list[Problem] = []
    for audit in AUDITS:
        created, updated = (first.value(f"status.audit.{audit}.{part}_at") for part in ("created", "updated"))
        found += equal(f"{audit}: updated_at differs from created_at", first, created, updated)
        after = later.value(f"status.audit.{audit}.created_at")
        if not created or not after or nanoseconds(after) < nanoseconds(created):
            text = f"{audit}: the time of a later create is not later"
            found.append(problem(text, later, expected=f"not before {created}", actual=after))
    return found


def _event(audit: str) -> str:
    return f"status.audit.{audit}.event"


CHECKS: tuple[Check, ...] = (
    check(
        "DEF-ID",
        _create,
        _id_shape,
        also={
            "DEF-AUDIT-ACTORS": _actors,
            "DEF-AUDIT-EVENT": both(*(field_is("create", _event(audit), "created") for audit in AUDITS)),
        },
    ),
    check("DEF-ID-KEPT", _client_id, field_is("create", "metadata.id", sent("create", "metadata.id"))),
    check("DEF-ID-NEW", _twice, _ids_differ, also={"DEF-AUDIT-TIMES": _times}),
    check("DEF-ID-MANY", _many, _each_well_formed),
    check("DEF-STATUS", _client_status, _status_dropped),
)
