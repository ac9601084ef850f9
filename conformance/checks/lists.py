"""Every list and reference of every kind: whether it shows what was asked for, and to whom."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from conformance import samples
from conformance.access import method_id
from conformance.check import Check, check
from conformance.evidence import Evidence, Exchange, NotAsked, value_at
from conformance.judging import NO_LIST, Judge, PartJudge, answered, differences, equal
from conformance.kinds import KINDS
from conformance.methods import METHODS, Proto
from conformance.requests import Things, new_resource
from conformance.session import Session
from conformance.target_client import Call
from conformance.verdict import Problem
from protos.ai.stigmer.commons.apiresource.apiresourcekind.api_resource_kind_pb2 import ApiResourceKind, skill

_MEMBERS = ("org_admin", "org_member")
_BLIND = ("other_org_member", "nobody")
_METHODS: dict[str, tuple[str, ...]] = {
    kind.short: (
        f"{kind.short}.by_reference",
        kind.list_method,
        *(("instance.by_agent",) if kind.short == "instance" else ()),
    )
    for kind in KINDS.values()
}
"""By kind, what shows resources to those who may view them."""


def _made(session: Session, kind: str, label: str, org: str, role: str | None) -> Things:
    """Make a resource of a kind in an organization, and the agent of an instance."""
    if kind != "instance":
        request = new_resource(session, kind, "")
        request.metadata.org = org
        resource = session.need(label, f"{kind}.create", request, role=role)
        return Things(resource, resource, kind)
    agent = session.created_agent(f"{label}.agent", org=org, role=role)
    request = new_resource(session, kind, agent.metadata.id)
    request.metadata.org = org
    return Things(agent, session.need(label, f"{kind}.create", request, role=role), kind)


def _request(method: str, things: Things, org: str) -> Proto:
    if method.endswith("by_reference"):
        return samples.reference(things.resource.metadata.slug, org)
    if method == "instance.by_agent":
        return METHODS[method].request(agent_id=things.agent.metadata.id)
    return METHODS[method].request(org=org)


def _shown(exchange: Exchange) -> list[str]:
    """The ids that an answer shows, be it a list or one resource."""
    if exchange.method.endswith("/getByReference"):
        return [exchange.value("metadata.id")] if exchange.ok else []
    return [value_at(row, "metadata.id") for row in exchange.value("items", [])]


def _exercise(kind: str) -> Callable[[Session], None]:
    """A resource in each of two organizations of this check's own, asked for by everybody and in every way."""

    def exercise(session: Session) -> None:
        here = session.own_org
        role = "operator" if session.cloud else None
        for member in _MEMBERS if session.cloud else ():
            account = ("identity_account", session.context.identity(member))
            session.grant(f"grant.{member}", account, member.removeprefix("org_"), ("organization", here))
        if session.cloud:  # Who may view it in two ways at once is shown it once.
            account = ("identity_account", session.context.identity("org_admin"))
            session.grant("grant.both", account, "member", ("organization", here))
        things = {org: _made(session, kind, label, org, role) for label, org in (("here", here), ("there", f"{here}0"))}
        session.note("here", things[here].resource.metadata.id)
        session.note("there", things[f"{here}0"].resource.metadata.id)
        for method in _METHODS[kind]:
            if session.offers("list") or not method.startswith("list."):
                session.together(_calls(session, method, things, role))
        session.read("get", kind, things[here].resource.metadata.id, role=role)

    return exercise


def _calls(session: Session, method: str, things: dict[str, Things], role: str | None) -> Iterator[Call]:
    """The request speaks of one organization, another, none, and one that isn't there."""
    (here, mine), (there, other) = things.items()
    yield Call(f"{method}.here", method, _request(method, mine, here), role)
    yield Call(f"{method}.there", method, _request(method, other, there), role)
    if method != "instance.by_agent":
        yield Call(f"{method}.crossed", method, _request(method, mine, f"{here}-missing"), role)
    if method.endswith("by_reference"):
        yield from _narrowed(method, mine, here, role)
    for seer in (*_MEMBERS, *_BLIND) if session.cloud else ():
        yield Call(f"{method}.seen.{seer}", method, _request(method, mine, here), seer)
    for seer in _BLIND if session.cloud and method.startswith("list.") else ():
        yield Call(f"{method}.all.{seer}", method, METHODS[method].request(), seer)


def _narrowed(method: str, mine: Things, here: str, role: str | None) -> Iterator[Call]:
    """The reference says more than slug and organization."""
    own = ApiResourceKind.Value(KINDS[mine.kind].name)
    for label, kind, org in (("whole", own, here), ("other_kind", skill, here), ("scoped", own, f"{here}-missing")):
        request = _request(method, mine, org)
        request.kind, request.scope = kind, mine.resource.metadata.owner_scope
        yield Call(f"{method}.{label}", method, request, role)


def _visible(method: str) -> Judge:
    def judge(evidence: Evidence) -> list[Problem]:
        _must_be_offered(method, evidence)
        made, found = evidence.fact("here"), list[Problem]()
        for row in (evidence[f"{method}.here"], *(evidence[f"{method}.seen.{role}"] for role in _MEMBERS)):
            found += answered(row, "OK") or equal(f"{row.role} sees it", row, expected=True, actual=made in _shown(row))
            found += equal(f"{row.role} sees each once", row, list(dict.fromkeys(_shown(row))), _shown(row))
            if method == "instance.by_agent":
                found += equal(f"{row.role}: total_count", row, len(_shown(row)), row.value("total_count", 0))
        for role in _BLIND:
            row = evidence[f"{method}.seen.{role}"]
            found += equal(f"{role}: total_count", row, 0, row.value("total_count", 0))
        for row in (*(evidence[f"{method}.seen.{role}"] for role in _BLIND), *evidence.under(f"{method}.all.")):
            found += answered(row, "OK", "PERMISSION_DENIED", "NOT_FOUND")
            found += equal(f"{row.label}: shown", row, expected=False, actual=made in _shown(row))
        return found

    return judge


def _filtered(method: str) -> Judge:
    def judge(evidence: Evidence) -> list[Problem]:
        _must_be_offered(method, evidence)
        found: list[Problem] = []
        here, there = evidence.fact("here"), evidence.fact("there")
        for label, wanted, other in (("here", here, there), ("there", there, here)):
            row = evidence[f"{method}.{label}"]
            ids = _shown(row)
            found += answered(row, "OK") + equal(f"{label}: shown", row, [True, False], [wanted in ids, other in ids])
        for label in ("crossed", "scoped"):
            if f"{method}.{label}" in evidence:
                row = evidence[f"{method}.{label}"]
                found += answered(row, "OK", "NOT_FOUND") + equal("an organization without any", row, [], _shown(row))
        if f"{method}.whole" in evidence:
            row = evidence[f"{method}.whole"]
            found += answered(row, "OK") + equal("with kind and scope", row, [here], _shown(row))
            found += answered(evidence[f"{method}.other_kind"], "INVALID_ARGUMENT")
        return found + _as_read(evidence[f"{method}.here"], evidence["get"], here)

    return judge


def _must_be_offered(method: str, evidence: Evidence) -> None:
    if method.startswith("list.") and f"{method}.here" not in evidence and "get" in evidence:
        raise NotAsked(NO_LIST)


def _as_read(shown: Exchange, read: Exchange, resource_id: str) -> list[Problem]:
    """What is shown is what a get answers."""
    rows = [shown.response] if "items" not in shown.response else shown.value("items", [])
    row = next((row for row in rows if value_at(row, "metadata.id") == resource_id), {})
    return answered(read, "OK") or differences(read.response, row, shown)


def _part(method: str, judge: Judge) -> Judge:
    return PartJudge((f"{method}.", "get", "here", "there"), judge)


def _check(kind: str) -> Check:
    methods = _METHODS[kind]
    judges: dict[str, Judge] = {f"FILTER-{method_id(one)}": _part(one, _filtered(one)) for one in methods}
    judges |= {f"SEEN-{method_id(one)}": _part(one, _visible(one)) for one in methods}
    first, judge = next(iter(judges.items()))
    del judges[first]
    return check(first, _exercise(kind), judge, also=judges, roles=("caller", "operator", *_MEMBERS, *_BLIND))


CHECKS: tuple[Check, ...] = tuple(_check(kind) for kind in KINDS)
