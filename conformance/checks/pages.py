"""Pages: every list in every size that tends to be off by one, up to its end and over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from conformance.access import method_id
from conformance.check import Check, check
from conformance.evidence import Evidence, Exchange, value_at
from conformance.judging import NO_LIST, Judge, PartJudge, answered, asked_if, both, choice, equal, problem
from conformance.kinds import KINDS
from conformance.methods import METHODS, Proto
from conformance.requests import new_resource
from conformance.session import Session
from conformance.target_client import Call
from conformance.verdict import Problem

SIZES = (1, 19, 20, 21, 99, 100, 101)
"""Where sizes are off by one, they are so at the defaults and maxima that servers have."""
SIZES_QUICK = SIZES[:4]
"""A quick run makes fewer agents and environments; instances, which go with their agent, it makes all."""
PAGES = 2
PAGE_DEFAULT, PAGE_MAX = 20, 100
"""Of getByAgent."""
SOME, STEP = 5, 40
_MADE = ("setup.", "make.")
BY_AGENT, INSTANCES = "instance.by_agent", "list.instances"


def _fill(session: Session, kind: str, count: int, org: str, role: str | None, agent_id: str = "") -> list[str]:
    """Make so many resources one after another, with ids that sort otherwise than they are made; return the ids."""
    calls = []
    for one in sorted((session.new_id(kind) for _ in range(count)), key=lambda one: one[::-1]):
        request = new_resource(session, kind, agent_id)
        request.metadata.id, request.metadata.org = one, org
        calls.append(Call(f"make.{one}", f"{kind}.create", request, role))
    return [answer.message.metadata.id for answer in session.together(calls, at_a_time=1) if answer.ok]


def _walk(session: Session, method: str, sizes: Sequence[int], org: str, role: str | None, agent_id: str = "") -> None:
    """Read the first pages of each size."""
    for size in sizes:
        token = ""
        for number in range(PAGES):
            request = _page(method, size, number, org, token, agent_id)
            answer = session.call(f"{method}.{size}.{number}", method, request, role=role)
            token = answer.message.next_page_token if answer.ok and method != BY_AGENT else ""
            if not token and method != BY_AGENT:
                break


def _page(method: str, size: int, number: int, org: str, token: str, agent_id: str) -> Proto:
    if method == BY_AGENT:
        request = METHODS[method].request(agent_id=agent_id)
        request.page_info.num, request.page_info.size = number + 1, size
    else:
        request = METHODS[method].request(org=org)
        request.page.size, request.page.page_token = size, token
    return request


def _listed(kind: str) -> Callable[[Session], None]:
    method = KINDS[kind].list_method

    def exercise(session: Session) -> None:
        org, role = session.own_org, "operator" if session.cloud else None
        sizes = SIZES_QUICK if session.context.scale < 1 else SIZES
        session.note("sizes", sizes)
        made = _fill(session, kind, 1, org, role)
        _fill(session, kind, 1, f"{org}0", role)  # Of elsewhere, between those that are listed.
        session.note("made", made + _fill(session, kind, max(sizes), org, role))
        _walk(session, method, sizes, org, role)

    return exercise


def _instances(session: Session) -> None:
    """The instances of one agent, read both as its own and as those of its organization."""
    org, role = session.own_org, "operator" if session.cloud else None
    agent = session.created_agent(org=org, role=role)
    other = session.created_agent("setup.other", org=f"{org}0", role=role)
    agent_id = agent.metadata.id
    made = [session.default_instance(agent), *_fill(session, "instance", PAGE_MAX + SOME - 1, org, role, agent_id)]
    session.note("made", made)
    session.note("sizes", SIZES)
    _walk(session, BY_AGENT, SIZES, org, role, agent_id)
    if session.offers("list"):
        _walk(session, INSTANCES, SIZES, org, role)
    asked = METHODS[BY_AGENT].request
    session.call("none", BY_AGENT, asked(agent_id=agent_id), role=role)
    for number in range(3):
        session.call(f"some.{number}", BY_AGENT, _page(BY_AGENT, STEP, number, org, "", agent_id), role=role)
    session.call("beyond", BY_AGENT, _page(BY_AGENT, STEP, 3, org, "", agent_id), role=role)
    session.call("big", BY_AGENT, _page(BY_AGENT, PAGE_MAX + SOME, 0, org, "", agent_id), role=role)
    session.call("other", BY_AGENT, asked(agent_id=other.metadata.id), role=role)


def _ids(exchange: Exchange) -> list[str]:
    return [value_at(row, "metadata.id") for row in exchange.value("items", [])]


def _pages_of(method: str) -> Judge:
    """Judge: each page holds what it must, in order of creation, and the last one says that it is the last."""

    def judge(evidence: Evidence) -> list[Problem]:
        found = [wrong for row in evidence.under("make.") for wrong in answered(row, "OK")]
        made, sizes = evidence.fact("made"), evidence.fact("sizes")
        largest = _largest(evidence) if method == BY_AGENT else max(sizes)
        for size in sizes:
            pages = evidence.under(f"{method}.{size}.")
            for number, row in enumerate(pages):
                if method == BY_AGENT and size > PAGE_MAX and row.code == "INVALID_ARGUMENT":
                    continue
                held = min(size, largest)
                wanted = made[number * held : (number + 1) * held]
                found += answered(row, "OK") + equal(f"page {number + 1} of {size}", row, wanted, _ids(row))
            found += _judge_end(pages[-1], PAGES * size < len(made))
        return found

    return judge


def _largest(evidence: Evidence) -> int:
    """How many a page holds at most is a server's choice (BYA-SIZE)."""
    return max((len(_ids(row)) for row in evidence.under(f"{BY_AGENT}.")), default=0) or PAGE_MAX


def _judge_end(last: Exchange, more: bool) -> list[Problem]:
    """A list that was walked to its end says that there is no more."""
    if more or not last.value("next_page_token"):
        return []
    return [problem("there is no more, and the last page names a next one", last)]


def _joined(evidence: Evidence) -> list[Problem]:
    pages, beyond = evidence.under("some."), evidence["beyond"]
    found = [wrong for row in (*pages, beyond) for wrong in answered(row, "OK")]
    found += equal("pages together", pages[-1], evidence.fact("made"), [one for row in pages for one in _ids(row)])
    return found + equal("beyond the end", beyond, [], _ids(beyond))


def _sizes(evidence: Evidence) -> list[Problem]:
    none, big = evidence["none"], evidence["big"]
    found = equal("size without page_info", none, PAGE_DEFAULT, len(_ids(none)))
    if big.code == "INVALID_ARGUMENT":
        return found
    return found + equal("size of the largest page", big, PAGE_MAX, len(_ids(big)))


def _pages_hold_something(evidence: Evidence) -> list[Problem]:
    """Another size is a choice; a page without anything is none."""
    none, big = evidence["none"], evidence["big"]
    found = answered(none, "OK") + answered(big, "OK", "INVALID_ARGUMENT")
    empty = [row for row in (none, big) if row.ok and not _ids(row)]
    return found + [problem("the page is empty", row, expected="instances", actual=[]) for row in empty]


def _totals(evidence: Evidence) -> list[Problem]:
    rows, count = [evidence[label] for label in ("none", "some.0", "some.2", "beyond")], len(evidence.fact("made"))
    return [
        wrong for row in rows for wrong in equal(f"{row.label}: total_count", row, count, row.value("total_count", 0))
    ]


def _own_only(evidence: Evidence) -> list[Problem]:
    exchange = evidence["other"]
    agents = {value_at(row, "spec.agent_id") for row in exchange.value("items", [])}
    wanted = {evidence["setup.other"].value("metadata.id")}
    return answered(exchange, "OK") + equal("agents of the instances", exchange, wanted, agents)


def _list_checks() -> Iterator[Check]:
    for kind, method in ((kind.short, kind.list_method) for kind in KINDS.values()):
        if method != INSTANCES:
            name, roles = f"PAGE-{method_id(method)}", ("caller", "operator")
            yield check(name, _listed(kind), _pages_of(method), roles=roles, features=("list",))


CHECKS: tuple[Check, ...] = (
    check(
        "BYA-PAGES",
        _instances,
        _joined,
        also={
            "BYA-SIZE": both(_pages_hold_something, choice(_sizes, "OK")),
            "BYA-TOTAL": _totals,
            "BYA-AGENT": _own_only,
            f"PAGE-{method_id(BY_AGENT)}": PartJudge((BY_AGENT, *_MADE), _pages_of(BY_AGENT)),
            f"PAGE-{method_id(INSTANCES)}": PartJudge(
                (INSTANCES, *_MADE),
                asked_if(lambda evidence: f"{INSTANCES}.1.0" in evidence, NO_LIST, _pages_of(INSTANCES)),
            ),
        },
        roles=("caller", "operator"),
    ),
    *_list_checks(),
)
