"""Load: a fault in one of fifty requests is found, since every answer, every read and every event is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from itertools import cycle

from conformance import samples
from conformance.check import Check, check
from conformance.evidence import Evidence, Exchange, Json, NotAsked, value_at
from conformance.judging import Judge, answered, equal, problem
from conformance.kinds import KINDS
from conformance.methods import METHODS, Proto, deletion
from conformance.requests import new_resource
from conformance.session import Session
from conformance.target_client import Call
from conformance.verdict import Problem
from conformance.watching import CHANGES, Watch, change_of, events_in_order

AGENTS, AGENTS_QUICK = 230, 10
"""A fault in one of fifty is met with probability 0.99: 0.98 ** 230 < 0.01."""
OTHERS, OTHERS_QUICK = 52, 6
"""Where it is every fiftieth, it is met for certain, whatever the kind."""
MANY, MANY_QUICK = 200, 90
"""Instances that come and go at once; with them there are more events of a quick run than servers read at a time."""
RARE = 50
OPERATIONS = ("create", "update", "get", "delete")
_EVENTS = ("created", "updated", "deleted")
_AUDIT = "status.audit.spec_audit"
_CREATORS = ("org_member", "operator", "org_admin")
"""Who makes what, in turns."""


def _exercise(session: Session) -> None:
    watched = session.cloud and session.offers("watch")
    session.note("creators", {role: session.context.identity(role) for role in _creators(session) if role})
    with Watch(session, "watch") if watched else nullcontext() as watch:
        parent = session.created_agent("parent").metadata.id
        for kind in KINDS:
            _load(session, kind, _count(session, kind), parent)
        _come_and_go_at_once(session)
        if watch is not None:
            last = watch.catch_up()
    if watch is not None:
        _look_back(session, watch.began_after, last)


def _look_back(session: Session, after: int, last: str) -> None:
    """Watch all of it once more, when it lies behind; as an operator, who may view what is gone."""
    with Watch(
        session, "again", role="operator" if "operator" in session.context.roles else None, after=after
    ) as watch:
        watch.read_through(last)


def _count(session: Session, kind: str) -> int:
    """Return how many are made of a kind; notes how probable it is that a fault in one of fifty meets none of them."""
    count = session.size(AGENTS, AGENTS_QUICK) if kind == "agent" else session.size(OTHERS, OTHERS_QUICK)
    session.note(f"{kind}.count", count)
    session.note(f"{kind}.fault_in_one_of_fifty_missed_with_probability", round((1 - 1 / RARE) ** count, 4))
    return count


def _creators(session: Session) -> list[str | None]:
    return [role for role in _CREATORS if role in session.context.roles] or [None]


def _come_and_go_at_once(session: Session) -> None:
    """Create many instances of one agent, all under way at once, and delete the agent."""
    count = session.size(MANY, MANY_QUICK)
    parent = session.created_agent("many.parent").metadata.id
    requests = [new_resource(session, "instance", parent) for _ in range(count)]
    session.together((Call(f"many.{n}", "instance.create", one) for n, one in enumerate(requests)), at_a_time=count)
    session.delete("many.delete", "agent", parent)


def _load(session: Session, kind: str, count: int, parent: str) -> None:
    """Create, update, get and delete so many of a kind."""
    requests = [new_resource(session, kind, parent) for _ in range(count)]
    for number, request in enumerate(requests):
        request.metadata.id = session.new_id(kind)
        request.spec.description = f"create {number}"
    creators = _creators(session)
    session.together(_calls(kind, "create", requests, *creators))
    for number, request in enumerate(requests):
        request.spec.description = f"update {number}"
    session.together(_calls(kind, "update", requests, *creators))
    # A member reads by the policies of what was made, an operator by none of them.
    member = "org_member" if "org_member" in session.context.roles else None
    get = METHODS[f"{kind}.get"].request
    gets = [get(value=request.metadata.id) for request in requests]
    deletes = [deletion(kind, request.metadata.id) for request in requests]
    session.together(_calls(kind, "get", gets, member))
    session.together(_calls(kind, "delete", deletes, *creators))
    session.together(Call(f"{kind}.gone.{n}", f"{kind}.get", request) for n, request in enumerate(gets))


def _calls(kind: str, operation: str, requests: Sequence[Proto], *roles: str | None) -> list[Call]:
    """Return a call for each request; roles take turns."""
    return [
        Call(f"{kind}.{operation}.{number}", f"{kind}.{operation}", request, role)
        for number, (request, role) in enumerate(zip(requests, cycle(roles or [None]), strict=False))
    ]


def _each_its_own(kind: str) -> Judge:
    def judge(evidence: Evidence) -> list[Problem]:
        found: list[Problem] = []
        for operation in OPERATIONS:
            for row in evidence.under(f"{kind}.{operation}."):
                found += answered(row, "OK") or _own_answer(evidence, kind, row)
        for row in evidence.under(f"{kind}.gone."):
            found += answered(row, "NOT_FOUND", "PERMISSION_DENIED")
        if kind == "instance":
            found += _each_of_many(evidence)
        return found + (_announced_once(evidence, kind) if "watch" in evidence else [])

    return judge


def _own_answer(evidence: Evidence, kind: str, row: Exchange) -> list[Problem]:
    """An answer is about what its request named, in its last state."""
    number = row.label.rpartition(".")[2]
    sent = evidence[row.label if row.label.startswith(f"{kind}.create.") else f"{kind}.update.{number}"].request
    paths = ("metadata.id", "metadata.name", "spec.description")
    wanted, told = [value_at(sent, path) for path in paths], [row.value(path) for path in paths]
    found = equal(f"{row.label}: another one's answer, or another state", row, wanted, told)
    return found + _another_caller(evidence, kind, number, row.label, row.response, row)


def _another_caller(
    evidence: Evidence, kind: str, number: str, where: str, resource: Json, shown: Exchange
) -> list[Problem]:
    """The audit names none of the others who made something meanwhile."""
    creators = evidence.fact("creators")
    wanted = creators.get(evidence[f"{kind}.create.{number}"].role)
    told = [value_at(resource, f"{_AUDIT}.{part}.id") for part in ("created_by", "updated_by")]
    if any(one != wanted and one in creators.values() for one in told):
        return [problem(f"{where}: another caller's audit", shown, expected=[wanted, wanted], actual=told)]
    return []


def _each_of_many(evidence: Evidence) -> list[Problem]:
    """Each that came and went with many others is answered with its own, and announced once."""
    rows = [row for row in evidence.under("many.") if row.step == "instance.create"]
    found: list[Problem] = []
    for row in rows:
        name = value_at(row.request, "metadata.name")
        found += answered(row, "OK") or equal(f"{row.label}: name", row, name, row.value("metadata.name"))
    found += answered(evidence["many.delete"], "OK")
    return found or (_many_announced(evidence, rows) if "watch" in evidence else [])


def _many_announced(evidence: Evidence, rows: Sequence[Exchange]) -> list[Problem]:
    told = _events_by_subject(evidence["watch"])
    changes = [[change_of(one) for one in told.get(row.value("metadata.id"), {}).values()] for row in rows]
    # A server may keep an agent's instances when it goes: all of them. It may have words of its own, too.
    each = ["created", "deleted"] if any(len(one) > 1 for one in changes) else ["created"]
    odd = [one for one in changes if one != each and (not CHANGES.isdisjoint(one) or len(one) != len(each))]
    return [problem("events of instances at once", evidence["watch"], expected=each, actual=odd)] if odd else []


def _announced_once(evidence: Evidence, kind: str) -> list[Problem]:
    watch = evidence["watch"]
    by_subject = _events_by_subject(watch)
    found: list[Problem] = []
    for number, row in enumerate(evidence.under(f"{kind}.create.")):
        events = by_subject.get(value_at(row.request, "metadata.id"), {}).values()
        for one in events:
            where = f"event of {row.label}"
            found += _another_caller(evidence, kind, str(number), where, one.get("data", {}), watch)
        told = [(change_of(one), value_at(one, "data.spec.description")) for one in events]
        wanted = list(zip(_EVENTS, (f"create {number}", *[f"update {number}"] * 2), strict=True))
        # A server may have words of its own for the changes.
        if told != wanted and (not CHANGES.isdisjoint(dict(told)) or [s for _, s in told] != [s for _, s in wanted]):
            found.append(problem(f"events of {row.label}", watch, expected=wanted, actual=told))
    return found


def _events_by_subject(watch: Exchange) -> dict[str, dict[str, Json]]:
    """Return by subject and id the events that a watch was told."""
    found: dict[str, dict[str, Json]] = {}
    for row in watch.responses:
        event = row.get("event")
        if event is not None:
            found.setdefault(event.get("subject", ""), {})[event.get("id", "")] = event
    return found


def _all_again(evidence: Evidence) -> list[Problem]:
    """A watch of what lies behind is told the same as one that was there, in the same order."""
    if "watch" not in evidence:
        raise NotAsked("the target offers no watch")
    there, again = (events_in_order(evidence[label]) for label in ("watch", "again"))
    wanted, told = list(dict.fromkeys(there)), list(dict.fromkeys(again))
    missing = [one for one in wanted if one not in set(told)]
    if missing:
        return [
            problem(
                "events that are missing when they are asked for again", evidence["again"], expected=[], actual=missing
            )
        ]
    return equal("events in order", evidence["again"], wanted, [one for one in told if one in set(wanted)])


def _grants(session: Session) -> None:
    """Grant, get, ask about and revoke."""
    specs = [
        samples.policy(("identity_account", session.name()), "member", ("organization", session.name()))
        for _ in range(_count(session, "policy"))
    ]
    role, ask, get = "operator", METHODS["policy.check"].request, METHODS["policy.get"].request
    made = session.together(_calls("policy", "create", specs, role))
    ids = [answer.message.metadata.id if answer.ok else "iamp-missing" for answer in made]
    questions = [ask(policy=spec) for spec in specs]
    for label, name, requests in (
        ("get", "get", [get(value=one) for one in ids]),
        ("held", "check", questions),
        ("delete", "delete", specs),
        ("gone", "check", questions),
    ):
        rows = _calls("policy", name, requests, role)
        session.together(replace(row, label=f"{label}.{number}") for number, row in enumerate(rows))


def _each_grant(evidence: Evidence) -> list[Problem]:
    found: list[Problem] = []
    for granted in evidence.under("policy."):
        number = granted.label.rpartition(".")[2]
        get, held, delete, gone = (evidence[f"{part}.{number}"] for part in ("get", "held", "delete", "gone"))
        for row in (granted, get, delete):
            found += answered(row, "OK") or equal(f"{row.label}: spec", row, granted.request, row.value("spec", {}))
        told = [row.value("is_authorized", default=False) for row in (held, gone)]
        found += equal(f"{granted.label}: whether it holds, and holds when it is revoked", held, [True, False], told)
    return found


CHECKS: tuple[Check, ...] = (
    check(
        "LOAD-AGENT",
        _exercise,
        _each_its_own("agent"),
        also={
            **{f"LOAD-{kind.upper()}": _each_its_own(kind) for kind in ("instance", "environment")},
            "LOAD-BACKLOG": _all_again,
        },
        # Whoever watches meanwhile would be told of all of it.
        alone=True,
    ),
    check("LOAD-POLICY", _grants, _each_grant, roles=("operator",)),
)
