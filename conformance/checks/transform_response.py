"""Step TransformResponse: what a caller must not see, in every answer that shows an agent."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from operator import attrgetter

from conformance import samples
from conformance.check import Check, check
from conformance.evidence import Evidence, Exchange
from conformance.judging import NO_LIST, Judge, answered, asked_if, both, choice, equal
from conformance.secrets_shown import DATA_OF_AGENT, DATA_OF_ENVIRONMENT, leaks, not_stars, unlike
from conformance.session import Session
from conformance.sweeps import pages_of, read_list
from conformance.verdict import Problem
from conformance.watching import Watch


def _everywhere(session: Session) -> None:
    request = samples.full_agent(session.name(), session.org)
    secret = request.spec.env_spec.data[samples.SECRET_NAME].value
    samples.add_odd_secrets(request.spec.env_spec.data)
    session.note("secret", secret)
    session.note("plain", request.spec.env_spec.data[samples.PLAIN_NAME].value)
    made = session.call("create", "agent.create", request)
    if not made.ok:
        return
    metadata = made.message.metadata
    session.read("get", "agent", metadata.id)
    session.find("find", "agent", metadata.slug)
    if session.offers("list"):
        read_list(session, "list", "agent", session.org)
    request.metadata.id = metadata.id
    session.call("update", "agent.update", request)
    session.call("apply", "agent.apply", request)
    session.delete("delete", "agent", metadata.id)


def _was_listed(evidence: Evidence) -> bool:
    return "list" in evidence or not evidence["create"].ok


def _redacted(label: str) -> Judge:
    def hidden(evidence: Evidence) -> list[Problem]:
        if label not in evidence:
            return answered(evidence["create"], "OK")
        return [wrong for one in pages_of(evidence, label) for wrong in answered(one, "OK") or _hidden(one, evidence)]

    def stars(evidence: Evidence) -> list[Problem]:
        return _shown_as_stars(evidence[label]) if label in evidence and evidence[label].ok else []

    return both(hidden, choice(stars, "OK"))


def _hidden(exchange: Exchange, evidence: Evidence) -> list[Problem]:
    return leaks(exchange, [evidence.fact("secret")]) or unlike(exchange, DATA_OF_AGENT)


def _shown_as_stars(exchange: Exchange) -> list[Problem]:
    if exchange.label == "list":
        return []
    return not_stars(exchange, DATA_OF_AGENT)


def _plain_kept(evidence: Evidence) -> list[Problem]:
    found = answered(evidence["create"], "OK")
    for label in ("create", "get", "find"):
        if label in evidence:
            exchange = evidence[label]
            value = exchange.value(f"{DATA_OF_AGENT}.{samples.PLAIN_NAME}.value")
            found += equal(f"{label}: the plain value is changed", exchange, evidence.fact("plain"), value)
            marked = exchange.value(f"{DATA_OF_AGENT}.{samples.SECRET_NAME}.is_secret", default=False)
            found += equal(f"{label}: the secret isn't marked as one", exchange, expected=True, actual=marked)
    return found


_DESCRIPTION = "described anew"
_KINDS = {"agent": ("RED-UNMASK", DATA_OF_AGENT), "environment": ("ENV-UNMASK", DATA_OF_ENVIRONMENT)}
"""The kinds that have secrets, each with the requirement and where they are."""


def _unmask(kind: str) -> Callable[[Session], None]:
    """Send the stars back for a value that is to be no secret any more, by every way of changing a resource."""

    def exercise(session: Session) -> None:
        watched = session.offers("watch")
        with Watch(session, "watch") if watched else nullcontext() as watch:
            secrets = [_unmasked(session, kind, way) for way in ("update", "update.slug", "apply")]
            session.note("secrets", [*secrets, _described(session, kind)])
            if watch is not None:
                watch.catch_up()

    return exercise


def _unmasked(session: Session, kind: str, way: str) -> str:
    """Create a resource, change it in one way, read it; return its secret. Raises SetupRefused."""
    make = samples.full_agent if kind == "agent" else samples.environment
    request = make(session.name(), session.org)
    values = attrgetter(_KINDS[kind][1])(request)
    secret: str = values[samples.SECRET_NAME].value
    made = session.need(f"setup.{way}", f"{kind}.create", request)
    request.metadata.id = "" if way.endswith("slug") else made.metadata.id
    values[samples.SECRET_NAME].value, values[samples.SECRET_NAME].is_secret = samples.REDACTED, False
    session.call(way, f"{kind}.{way.partition('.')[0]}", request)
    session.read(f"{way}.get", kind, made.metadata.id)
    session.find(f"{way}.find", kind, made.metadata.slug)
    return secret


def _described(session: Session, kind: str) -> str:
    """Send the stars back beside another description; return the secret. Raises SetupRefused."""
    make = samples.full_agent if kind == "agent" else samples.environment
    request = make(session.name(), session.org)
    entry = attrgetter(_KINDS[kind][1])(request)[samples.SECRET_NAME]
    secret: str = entry.value
    request.metadata.id = session.need("setup.described", f"{kind}.create", request).metadata.id
    entry.value, entry.description = samples.REDACTED, _DESCRIPTION
    session.call("described", f"{kind}.update", request)
    session.read("described.get", kind, request.metadata.id)
    return secret


def _still_hidden(kind: str) -> Judge:
    """Stars keep the value that is stored, unseen, and nothing else of the entry."""
    path = f"{_KINDS[kind][1]}.{samples.SECRET_NAME}.description"

    def judge(evidence: Evidence) -> list[Problem]:
        rows = evidence.exchanges
        found = [wrong for row in rows for wrong in answered(row, "OK") or leaks(row, evidence.fact("secrets"))]
        for row in evidence.under("described"):
            found += equal(f"{row.label}: the secret's description", row, _DESCRIPTION, row.value(path, ""))
        return found

    return judge


CHECKS: tuple[Check, ...] = (
    check(
        "RED-CREATE",
        _everywhere,
        _redacted("create"),
        also={
            "RED-GET": _redacted("get"),
            "RED-REFERENCE": _redacted("find"),
            "RED-LIST": asked_if(_was_listed, NO_LIST, _redacted("list")),
            "RED-UPDATE": _redacted("update"),
            "RED-APPLY": _redacted("apply"),
            "RED-DELETE": _redacted("delete"),
            "RED-PLAIN": _plain_kept,
        },
    ),
    *(check(requirement, _unmask(kind), _still_hidden(kind)) for kind, (requirement, _) in _KINDS.items()),
)
