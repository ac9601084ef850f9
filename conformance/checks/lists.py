"""Every list and reference of every kind: what it is about, who sees what of it, and where its pages end."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from conformance import samples
from conformance.access import method_id
from conformance.check import Check, check
from conformance.evidence import Evidence, Exchange, value_at
from conformance.judging import Judge, answered, differences, equal, problem
from conformance.kinds import KINDS
from conformance.methods import METHODS, Proto
from conformance.requests import new_resource
from conformance.session import Session
from conformance.target_client import Call
from conformance.verdict import Problem

SIZES = (1, 19, 20, 21, 99, 100, 101)
"""Where sizes are off by one, they are so at the defaults and maxima that servers have."""
MANY = 102
"""One more than the largest size, so that every size has a page that is full and one that isn't."""
IN_ORDER = 7
"""So many are made one after another; of the others, which run at once, nobody knows who is first."""
WHOLE = 100
"""The size whose two pages show all, in the order that the pages of the other sizes have to follow."""
BY_AGENT_MAX = 100
PAGES = 2
_SEERS = ("operator", "org_admin", "org_member")
_BLIND = ("other_org_member", "nobody")
_METHODS = {
    **{kind.list_method: kind.short for kind in KINDS.values()},
    "instance.by_agent": "instance",
    **{f"{kind}.by_reference": kind for kind in KINDS},
}
"""What shows resources to those who may view them, and of which kind."""


def _made(session: Session, kind: str, label: str, org: str, role: str | None) -> tuple[Proto, Proto]:
    """Make a resource of a kind in an organization; return it and the agent beside it."""
    agent = session.created_agent(f"{label}.agent", org=org, role=role)
    if kind == "agent":
        return agent, agent
    request = new_resource(session, kind, agent.metadata.id)
    request.metadata.org = org
    return session.need(label, f"{kind}.create", request, role=role), agent


def _request(method: str, resource: Proto, agent: Proto, org: str) -> Proto:
    if method.endswith("by_reference"):
        return samples.reference(resource.metadata.slug, org)
    if method == "instance.by_agent":
        return METHODS[method].request(agent_id=agent.metadata.id)
    return METHODS[method].request(org=org)


def _shown(exchange: Exchange) -> list[str]:
    """The ids that an answer shows, be it a list or one resource."""
    if exchange.method.endswith("/getByReference"):
        return [exchange.value("metadata.id")] if exchange.ok else []
    return [value_at(row, "metadata.id") for row in exchange.value("items", [])]


def _visible(method: str) -> Callable[[Session], None]:
    """One resource in each organization, one of platform scope where the kind has it, asked for by everybody."""

    def exercise(session: Session) -> None:
        kind = _METHODS[method]
        # Organizations of this check's own: their lists are short, whatever else goes on.
        org, beside = f"{session.org}-{session.check.lower()}", f"{session.org}-{session.check.lower()}0"
        for role in ("org_admin", "org_member"):
            relation = role.removeprefix("org_")
            session.grant(
                f"grant.{role}", ("identity_account", session.context.identity(role)), relation, ("organization", org)
            )
        resource, agent = _made(session, kind, "setup", org, "operator")
        _made(session, kind, "setup.beside", beside, "operator")
        session.note("made", resource.metadata.id)
        request = _request(method, resource, agent, org)
        session.together(Call(f"seen.{role}", method, request, role) for role in (*_SEERS, *_BLIND))
        if method.startswith("list."):
            session.together(Call(f"all.{role}", method, METHODS[method].request(), role) for role in _BLIND)

    return exercise


def _judge_visible(evidence: Evidence) -> list[Problem]:
    made, found = evidence.fact("made"), list[Problem]()
    for role in _SEERS:
        row = evidence[f"seen.{role}"]
        ids = _shown(row)
        found += answered(row, "OK") + equal(f"{role} sees", row, True, made in ids)  # noqa: FBT003 - a value to compare with
    for row in (*(evidence[f"seen.{role}"] for role in _BLIND), *evidence.under("all.")):
        found += answered(row, "OK", "PERMISSION_DENIED", "NOT_FOUND")
        found += equal(f"{row.label}: shown", row, False, made in _shown(row))  # noqa: FBT003
        found += (
            equal(f"{row.label}: total_count", row, 0, row.value("total_count", 0)) if "all" not in row.label else []
        )
    return found


def _filtered(method: str) -> Callable[[Session], None]:
    """A resource here, one there; the request speaks of one organization, another, none, and one that isn't there."""

    def exercise(session: Session) -> None:
        kind, role = _METHODS[method], "operator" if session.cloud else None
        org = f"{session.org}-{session.check.lower()}"
        here, agent = _made(session, kind, "here", org, role)
        there, other = _made(session, kind, "there", f"{org}0", role)
        session.note("here", here.metadata.id)
        session.note("there", there.metadata.id)
        session.call("ask.here", method, _request(method, here, agent, org), role=role)
        session.call("ask.there", method, _request(method, there, other, f"{org}0"), role=role)
        if method != "instance.by_agent":
            session.call("ask.crossed", method, _request(method, here, agent, f"{org}-missing"), role=role)
        session.read("here.get", kind, here.metadata.id, role=role)

    return exercise


def _judge_filtered(evidence: Evidence) -> list[Problem]:
    found: list[Problem] = []
    here, there = evidence.fact("here"), evidence.fact("there")
    for label, wanted, other in (("ask.here", here, there), ("ask.there", there, here)):
        row = evidence[label]
        ids = _shown(row)
        found += answered(row, "OK") + equal(f"{label}: shown", row, [True, False], [wanted in ids, other in ids])
    if "ask.crossed" in evidence:
        row = evidence["ask.crossed"]
        found += answered(row, "OK", "NOT_FOUND") + equal("an organization without any", row, [], _shown(row))
    return found + _as_read(evidence["ask.here"], evidence["here.get"], here)


def _as_read(shown: Exchange, read: Exchange, resource_id: str) -> list[Problem]:
    """What is shown is what a get answers."""
    rows = [shown.response] if "items" not in shown.response else shown.value("items", [])
    row = next((row for row in rows if value_at(row, "metadata.id") == resource_id), {})
    return answered(read, "OK") or differences(read.response, row, shown)


def _paged(*methods: str) -> Callable[[Session], None]:
    """Pages of every size that tends to be off by one; the same creates fill the lists of agents and of instances."""

    def exercise(session: Session) -> None:
        role = "operator" if session.cloud else None
        org = f"{session.org}-{session.check.lower()}"
        agent_id = _fill(session, _METHODS[methods[0]], org, role)
        for method in methods:
            for size in SIZES:
                _walk(session, method, org, agent_id, size, role)

    return exercise


def _fill(session: Session, kind: str, org: str, role: str | None) -> str:
    """Make the resources, the first ones one after another, with ids that sort otherwise than they are made.

    Notes the ids `KIND.in_order` of those whose order is known, and `KIND.made` of all, default instances included.
    Returns the id of the instances' agent.
    """
    agent = session.created_agent("parent", org=org, role=role) if kind == "instance" else None
    agent_id = agent.metadata.id if agent is not None else ""
    first = [session.default_instance(agent)] if agent is not None else []
    calls = []
    for one in sorted((session.new_id(kind) for _ in range(MANY - len(first))), key=lambda one: one[::-1]):
        request = new_resource(session, kind, agent_id)
        request.metadata.id, request.metadata.org = one, org
        calls.append(Call(f"make.{one}", f"{kind}.create", request, role))
    answers = session.together(calls[:IN_ORDER], at_a_time=1) + session.together(calls[IN_ORDER:])
    made = [answer.message for answer in answers if answer.ok]
    _note_made(session, kind, [*first, *(one.metadata.id for one in made)])
    if kind == "agent":
        _note_made(session, "instance", [one.status.default_instance_id for one in made])
    return agent_id


def _note_made(session: Session, kind: str, ids: list[str]) -> None:
    session.note(f"{kind}.made", ids)
    session.note(f"{kind}.in_order", ids[:IN_ORDER])


def _walk(session: Session, method: str, org: str, agent_id: str, size: int, role: str | None) -> None:
    token = ""
    for number in range(PAGES):
        request = METHODS[method].request()
        if method == "instance.by_agent":
            request.agent_id = agent_id
            request.page_info.num, request.page_info.size = number + 1, size
        else:
            request.org = org
            request.page.size, request.page.page_token = size, token
        answer = session.call(f"{method}.{size}.{number}", method, request, role=role)
        if answer.ok and method != "instance.by_agent":
            token = answer.message.next_page_token
            if not token:
                break


def _pages_of(method: str) -> Judge:
    kind = _METHODS[method]

    def judge(evidence: Evidence) -> list[Problem]:
        found = [wrong for row in evidence.under("make.") for wrong in answered(row, "OK")]
        pages = evidence.under(f"{method}.{WHOLE}.")
        whole = [one for row in pages for one in _shown(row)]
        in_order = evidence.fact(f"{kind}.in_order")
        found += equal("what is listed", pages[-1], sorted(evidence.fact(f"{kind}.made")), sorted(whole))
        found += equal("the order of creation", pages[0], in_order, whole[: len(in_order)])
        for size in SIZES:
            for row in evidence.under(f"{method}.{size}."):
                found += _judge_page(row, size, whole)
            found += _judge_end(evidence.under(f"{method}.{size}.")[-1], size)
        return found

    return judge


def _judge_page(row: Exchange, size: int, whole: Sequence[str]) -> list[Problem]:
    number = int(row.label.rpartition(".")[2])
    if row.method.endswith("/getByAgent"):
        if size > BY_AGENT_MAX and row.code == "INVALID_ARGUMENT":
            return []
        # How many a page holds at most is a server's choice (BYA-SIZE).
        size = min(size, max(BY_AGENT_MAX, len(_shown(row))))
    wanted = list(whole[number * size : (number + 1) * size])
    return answered(row, "OK") + equal(f"page {number} of {size}", row, wanted, _shown(row))


def _judge_end(last: Exchange, size: int) -> list[Problem]:
    """A list that was walked to its end says that there is no more."""
    if PAGES * size < MANY or last.method.endswith("/getByAgent") or not last.value("next_page_token"):
        return []
    return [problem("there is no more, and the last page names a next one", last)]


def _checks(method: str) -> tuple[Check, Check]:
    name = method_id(method)
    everybody = ("caller", "operator", "org_admin", "org_member", "other_org_member", "nobody")
    return (
        check(f"SEEN-{name}", _visible(method), _judge_visible, roles=everybody, features=_lists(method)),
        check(
            f"FILTER-{name}", _filtered(method), _judge_filtered, roles=("caller", "operator"), features=_lists(method)
        ),
    )


def _lists(method: str) -> tuple[str, ...]:
    return ("list",) if method.startswith("list.") else ()


def _page_check(*methods: str) -> Check:
    first, *others = methods
    also = {f"PAGE-{method_id(method)}": _pages_of(method) for method in others}
    judge, roles = _pages_of(first), ("caller", "operator")
    return check(f"PAGE-{method_id(first)}", _paged(*methods), judge, also=also, roles=roles, features=_lists(first))


CHECKS: tuple[Check, ...] = (
    *(row for method in _METHODS for row in _checks(method)),
    _page_check("list.agents", "list.instances"),
    _page_check("list.environments"),
    _page_check("instance.by_agent"),
)
