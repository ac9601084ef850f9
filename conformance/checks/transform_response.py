"""Step TransformResponse: what a caller must not see, in every answer that shows an agent."""

from __future__ import annotations

from conformance import samples
from conformance.check import Check, check
from conformance.evidence import Evidence, Exchange
from conformance.judging import NO_LIST, Judge, answered, asked_if, both, choice, equal, problem
from conformance.session import Session
from conformance.sweeps import pages_of, read_list
from conformance.verdict import Problem

_VALUES = "spec.env_spec.data"


def _everywhere(session: Session) -> None:
    request = samples.full_agent(session.name(), session.org)
    secret = request.spec.env_spec.data[samples.SECRET_NAME].value
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
    if evidence.fact("secret") in str(exchange.responses):
        return [problem(f"{exchange.label}: the secret value is in the answer", exchange, expected=samples.REDACTED)]
    return []


def _shown_as_stars(exchange: Exchange) -> list[Problem]:
    if exchange.label == "list":
        return []
    value = exchange.value(f"{_VALUES}.{samples.SECRET_NAME}.value")
    return equal(f"{exchange.label}: the secret's value is not the stars", exchange, samples.REDACTED, value)


def _plain_kept(evidence: Evidence) -> list[Problem]:
    found = answered(evidence["create"], "OK")
    for label in ("create", "get", "find"):
        if label in evidence:
            exchange = evidence[label]
            value = exchange.value(f"{_VALUES}.{samples.PLAIN_NAME}.value")
            found += equal(f"{label}: the plain value is changed", exchange, evidence.fact("plain"), value)
            marked = exchange.value(f"{_VALUES}.{samples.SECRET_NAME}.is_secret", default=False)
            found += equal(f"{label}: the secret isn't marked as one", exchange, expected=True, actual=marked)
    return found


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
)
