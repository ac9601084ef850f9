"""Audits: who made and changed it, and when, for every operation of every kind; the same life tells of its events."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from conformance import samples
from conformance.check import Check, check
from conformance.checks.events import judges_of
from conformance.evidence import Evidence, Exchange, Json, value_at
from conformance.judging import Judge, answered, both, differences, equal, instances_shown, nanoseconds, problem
from conformance.kinds import KINDS
from conformance.lives import live, stay
from conformance.session import Session
from conformance.verdict import Problem
from conformance.watching import Watch

HALVES = ("spec_audit", "status_audit")
SYSTEM = "system"


def _in_time(evidence: Evidence, operation: str, exchange: Exchange, where: str, told: str) -> list[Problem]:
    """A time of an audit is in UTC, and between the call's start and its end."""
    before, after = (datetime.fromisoformat(one) for one in evidence.fact(f"{operation}.between"))
    apart = timedelta(seconds=evidence.fact("seconds_apart"))
    if told:
        stamp = Timestamp()
        stamp.FromJsonString(told)
        cut = timedelta(seconds=1) if not stamp.nanos else timedelta(milliseconds=1)  # the clock's resolution
        if before - apart - cut <= stamp.ToDatetime(before.tzinfo) <= after + apart:
            return []
    return [problem(f"{where} is not within the call", exchange, expected=f"{before} to {after}", actual=told)]


def _half(exchange: Exchange, half: str) -> dict[str, str]:
    """An audit's five fields, by name."""
    audit = exchange.value(f"status.audit.{half}", {})
    names = ("created_by.id", "created_at", "updated_by.id", "updated_at", "event")
    return {name: value_at(audit, name) for name in names}


def _of_creation(evidence: Evidence, operation: str, exchange: Exchange, audit: Json, by: str) -> list[Problem]:
    """Both halves of a new resource: by the caller, now, `created`."""
    found: list[Problem] = []
    for half in HALVES:
        told = {name: value_at(audit, f"{half}.{name}") for name in ("created_by.id", "updated_by.id", "event")}
        wanted = {"created_by.id": by, "updated_by.id": by, "event": "created"}
        found += differences(wanted, told, exchange, half)
        created, updated = (value_at(audit, f"{half}.{name}") for name in ("created_at", "updated_at"))
        found += _in_time(evidence, operation, exchange, f"{half}.created_at", created)
        found += equal(f"{half}: updated_at differs from created_at", exchange, created, updated)
    return found


def _created(operation: str) -> Judge:
    def judge(evidence: Evidence) -> list[Problem]:
        exchange = evidence[operation]
        wrong = answered(exchange, "OK")
        if wrong:
            return wrong
        audit = exchange.value("status.audit", {})
        return _of_creation(evidence, operation, exchange, audit, evidence.fact("made.by")) + _read_alike(
            evidence, operation
        )

    return judge


def _read_alike(evidence: Evidence, operation: str) -> list[Problem]:
    answer, read = evidence[operation], evidence[f"{operation}.get"]
    return answered(read, "OK") or differences(
        answer.value("status.audit", {}), read.value("status.audit", {}), read, "status.audit"
    )


def _changed(operation: str, before: str) -> Judge:
    """Judge: spec_audit is the change's, but for who made it and when; status_audit is kept or likewise set anew."""

    def judge(evidence: Evidence) -> list[Problem]:
        exchange, earlier = evidence[operation], evidence[before]
        wrong = answered(exchange, "OK") + answered(earlier, "OK")
        if wrong:
            return wrong
        found = _read_alike(evidence, operation)
        for half in HALVES:
            told, kept = _half(exchange, half), _half(earlier, half)
            if half == "status_audit" and told == kept:
                continue
            wanted = {**kept, "updated_by.id": evidence.fact(f"{operation}.by"), "event": "updated"}
            wanted["updated_at"] = told["updated_at"]
            found += differences(wanted, told, exchange, half)
            found += _in_time(evidence, operation, exchange, f"{half}.updated_at", told["updated_at"])
            if nanoseconds(told["updated_at"]) <= nanoseconds(kept["updated_at"]):
                text = f"{half}.updated_at is not later than before"
                found.append(problem(text, exchange, expected=kept["updated_at"], actual=told["updated_at"]))
        return found

    return judge


def _of_default_instance(operation: str) -> Judge:
    """Judge: the default instance was made by the system, within the create."""

    def judge(evidence: Evidence) -> list[Problem]:
        label = f"{operation}.instances"
        exchange, items = evidence[label], instances_shown(evidence, label, evidence[operation].value("metadata.id"))
        wrong = equal("number of instances", exchange, 1, len(items))
        return wrong or _of_creation(evidence, operation, exchange, value_at(items[0], "status.audit", {}), SYSTEM)

    return judge


def _exercise(kind: str) -> Callable[[Session], None]:
    def exercise(session: Session) -> None:
        watched = session.cloud and session.offers("watch")
        with Watch(session, "watch") if watched else nullcontext() as watch:
            live(session, kind)
            if watch is not None:
                stay(session, kind)
                last = watch.catch_up()
        if watch is not None:
            role = "operator" if "operator" in session.context.roles else None
            with Watch(session, "later", role=role, after=watch.began_after) as later:
                later.read_through(last)

    return exercise


_GRANTING = ("policy.create", "policy.bootstrapPolicy", "policy.createPlatformLink")
"""What makes policies; a server may leave out all but the first."""


def _policy(session: Session) -> None:
    session.note("operator", session.context.identity("operator"))
    for method in _GRANTING:
        request = samples.policy(("platform", "stigmer"), "platform", ("organization", session.name()))
        session.forget_grant_later(request)
        made = session.call(method, method, request, role="operator")
        if made.ok:
            by_id = session.by_id("policy.get", made.message.metadata.id)
            session.call(f"{method}.get", "policy.get", by_id, role="operator")


def _policy_audit(evidence: Evidence) -> list[Problem]:
    return [
        wrong
        for method in _GRANTING
        if method == _GRANTING[0] or evidence[method].code != "UNIMPLEMENTED"
        for wrong in _audit_of_policy(evidence, method)
    ]


def _audit_of_policy(evidence: Evidence, method: str) -> list[Problem]:
    exchange = evidence[method]
    wrong = answered(exchange, "OK") or answered(evidence[f"{method}.get"], "OK")
    if wrong:
        return wrong
    by = evidence.fact("operator")
    found = differences(exchange.response, evidence[f"{method}.get"].response, evidence[f"{method}.get"])
    for half in HALVES:
        told = _half(exchange, half)
        wanted = {"created_by.id": by, "updated_by.id": by, "event": "created", "updated_at": told["created_at"]}
        found += differences({**told, **wanted}, told, exchange, half)
        if not told["created_at"]:
            found.append(problem(f"{half} has no created_at", exchange))
    return found


def _check(kind: str) -> Check:
    name = kind.upper()
    more: dict[str, Judge] = {
        f"AUD-{name}-UPDATE": both(_changed("update", "create"), _changed("same.update", "same.apply")),
        f"AUD-{name}-APPLY": both(_changed("apply", "update"), _changed("same.apply", "apply"), _created("new")),
    }
    if kind == "agent":
        more["AUD-DEFAULT-INSTANCE"] = both(_of_default_instance("create"), _of_default_instance("new"))
    return check(f"AUD-{name}-CREATE", _exercise(kind), _created("create"), also={**more, **judges_of(kind)})


CHECKS: tuple[Check, ...] = (
    *(_check(kind) for kind in KINDS),
    check("AUD-POLICY", _policy, _policy_audit, roles=("operator",)),
)
