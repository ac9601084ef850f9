"""list (our extension): by organization, in pages, in order of creation, each resource once."""

from __future__ import annotations

import threading
from collections.abc import Callable

from conformance import samples
from conformance.check import Check, check
from conformance.evidence import Evidence, Exchange, value_at
from conformance.judging import answered, code, equal, problem
from conformance.kinds import KINDS
from conformance.methods import METHODS
from conformance.requests import new_resource
from conformance.session import Session
from conformance.sweeps import LIST_PAGE, page, read_list
from conformance.target_client import Call
from conformance.verdict import Problem

AGENTS = 7
PAGE = 3
PAGES_MAX = 200
CHURN = 24
LARGE_BYTES = 4 * 1024 * 1024
HIDDEN, HIDDEN_QUICK, HIDDEN_PAGE = 130, 60, 20
"""So many of each kind are passed over: more than a server reads at once; and so many are asked for, less than that."""


def _pages(
    session: Session,
    label: str,
    org: str,
    size: int,
    *,
    role: str | None = None,
    after_first: Callable[[], object] = lambda: None,
) -> list[str]:
    """Read a listing to its end; return the ids in the order they came."""
    token, ids = "", []
    for number in range(PAGES_MAX):
        answer = session.call(f"{label}.{number}", "list.agents", page(org, size, token), role=role)
        if not answer.ok:
            break
        ids += [row.metadata.id for row in answer.message.items]
        token = answer.message.next_page_token
        if not token:
            break
        if number == 0:
            after_first()
    return ids


def _made(session: Session, org: str, role: str | None) -> list[str]:
    """Make agents whose ids, and times of the last change, sort otherwise than they were made; return the ids."""
    chosen = sorted((session.new_id() for _ in range(AGENTS)), key=lambda one: one[::-1])
    made = [
        session.created_agent(f"setup.{n}", role=role, org=org, resource_id=one).metadata.id
        for n, one in enumerate(chosen)
    ]
    session.call("setup.changed", "agent.update", session.agent(org=org, resource_id=made[0]), role=role)
    return made


def _in_order(session: Session) -> None:
    org, role = session.own_org, "operator" if session.cloud else None
    made = _made(session, org, role)
    other = session.created_agent("setup.other", role=role, org=f"{org}0").metadata.id
    session.note("made", made)
    session.note("other", other)
    for size in (1, PAGE, AGENTS, AGENTS + 1, 0):
        _pages(session, f"size{size}", org, size, role=role)
    _pages(session, "missing", f"{org}-missing", PAGE, role=role)
    gone = made[PAGE]
    session.note("gone", gone)
    session.delete("delete", "agent", gone, role=role)
    _pages(session, "after", org, PAGE, role=role)
    _large(session, f"{org}1", role)


def _large(session: Session, org: str, role: str | None) -> None:
    """A page begins with an agent that is larger than what a gRPC client takes unless told otherwise."""
    request = session.agent(org=org)
    request.spec.instructions = "i" * LARGE_BYTES
    first = session.need("setup.large", "agent.create", request, role=role)
    after = session.created_agent("setup.small", role=role, org=org)
    session.note("large", [first.metadata.id, after.metadata.id])
    _pages(session, "large", org, PAGE, role=role)


def _ids(evidence: Evidence, label: str) -> list[str]:
    return [
        value_at(row, "metadata.id") for exchange in evidence.under(f"{label}.") for row in exchange.value("items", [])
    ]


def _all_ok(evidence: Evidence, label: str) -> list[Problem]:
    return [wrong for exchange in evidence.under(f"{label}.") for wrong in answered(exchange, "OK")]


def _listing(evidence: Evidence, label: str, wanted: list[str]) -> list[Problem]:
    last = evidence.under(f"{label}.")[-1]
    return _all_ok(evidence, label) + equal(f"{label}: wrong agents", last, wanted, _ids(evidence, label))


def _whole_org(evidence: Evidence) -> list[Problem]:
    made = evidence.fact("made")
    return _listing(evidence, "size0", made) + _listing(evidence, "missing", [])


def _every_page(evidence: Evidence) -> list[Problem]:
    made = evidence.fact("made")
    found = [wrong for size in (1, PAGE, AGENTS, AGENTS + 1) for wrong in _listing(evidence, f"size{size}", made)]
    found += _listing(evidence, "large", evidence.fact("large"))
    too_long = [row for row in evidence.under(f"size{PAGE}.") if len(row.value("items", [])) > PAGE]
    return found + [problem("a page is longer than asked for", row, expected=PAGE) for row in too_long]


def _without_gone(evidence: Evidence) -> list[Problem]:
    return _listing(evidence, "after", [one for one in evidence.fact("made") if one != evidence.fact("gone")])


def _under_writes(session: Session) -> None:
    """List page by page while others create and delete; what stays from start to end is seen once."""
    org, role = session.own_org, "operator" if session.cloud else None
    made = [session.created_agent(f"setup.{n}", role=role, org=org).metadata.id for n in range(AGENTS)]
    going = [session.created_agent(f"setup.going.{n}", role=role, org=org).metadata.id for n in range(AGENTS)]
    made.append(session.created_agent("setup.last", role=role, org=org).metadata.id)
    session.note("made", made)
    failed: list[Exception] = []

    def churn() -> None:
        try:
            for number in range(session.size(CHURN)):
                session.call(f"churn.{number}", "agent.create", session.agent(org=org), role=role)
            for number, one in enumerate(going):
                session.delete(f"churn.delete.{number}", "agent", one, role=role)
        # Whatever it is, it is the check's thread that tells of it.
        except Exception as error:  # noqa: BLE001
            failed.append(error)

    writer = threading.Thread(target=churn, name="conform-churn", daemon=True)
    writer.start()
    for walk in range(PAGE):
        _pages(session, f"walk{walk}", org, 2, role=role)
    writer.join()
    if failed:
        raise failed[0]
    _cut(session, f"{org}0", role)
    # By pages too: a store that waits for the disk may have ended the walks before the first delete.
    _pages(session, "end", org, 2, role=role)


def _cut(session: Session, org: str, role: str | None) -> None:
    """Delete what a page ended with before the next one is asked for: it is where the next one begins."""
    made = [session.created_agent(f"setup.cut.{n}", role=role, org=org).metadata.id for n in range(AGENTS)]
    session.note("cut", made)
    _pages(
        session,
        "cut",
        org,
        PAGE,
        role=role,
        after_first=lambda: session.delete("cut-end", "agent", made[PAGE - 1], role=role),
    )


def _each_once(evidence: Evidence) -> list[Problem]:
    found = _listing(evidence, "cut", evidence.fact("cut"))
    for label in (*(f"walk{walk}" for walk in range(PAGE)), "end"):
        ids = _ids(evidence, label)
        last = evidence.under(f"{label}.")[-1]
        stayed = [one for one in ids if one in set(evidence.fact("made"))]
        found += _all_ok(evidence, label)
        found += equal(
            f"{label}: what stayed all the time isn't seen once, in order", last, evidence.fact("made"), stayed
        )
        if len(ids) != len(set(ids)):
            found.append(problem(f"{label}: something is listed twice", last))
    return found


def _visible(session: Session) -> None:
    mine = session.created_agent("setup.mine", role="org_member")
    platform = session.created_agent("setup.platform", role="operator", org="")
    session.note("mine", mine.metadata.id)
    session.note("platform", platform.metadata.id)
    for role in ("operator", "org_admin", "org_member", "other_org_member", "nobody"):
        _pages(session, role, session.org, LIST_PAGE, role=role)
    for role in ("org_member", "nobody"):
        _pages(session, f"all.{role}", "", LIST_PAGE, role=role)
    session.call("anonymous", "list.agents", page(session.org, LIST_PAGE), role="anonymous")


def _judge_visible(evidence: Evidence) -> list[Problem]:
    mine, platform = evidence.fact("mine"), evidence.fact("platform")
    found: list[Problem] = []
    for role, wanted in (
        ("operator", True),
        ("org_admin", True),
        ("org_member", True),
        ("other_org_member", False),
        ("nobody", False),
    ):
        found += _all_ok(evidence, role)
        found += equal(f"{role} sees it", evidence[f"{role}.0"], wanted, mine in _ids(evidence, role))
    for role in ("org_member", "nobody"):
        exchange: Exchange = evidence.under(f"all.{role}.")[0]
        seen = platform in _ids(evidence, f"all.{role}")
        found += _all_ok(evidence, f"all.{role}")
        found += equal(f"{role} sees an agent of platform scope", exchange, expected=False, actual=seen)
    return found


def _kinds(session: Session) -> None:
    made = session.created_agent()
    environment = session.need(
        "setup.environment", "environment.create", samples.environment(session.name(), session.org)
    )
    session.note("agent", made.metadata.id)
    session.note("instance", session.default_instance(made))
    session.note("environment", environment.metadata.id)
    for kind in ("agent", "instance", "environment"):
        read_list(session, f"{kind}s.0", kind, session.org)


def _own_kind_only(evidence: Evidence) -> list[Problem]:
    found: list[Problem] = []
    for kind in ("agent", "instance", "environment"):
        exchange = evidence[f"{kind}s.0"]
        ids = _ids(evidence, f"{kind}s")
        wanted = {name: name == kind for name in ("agent", "instance", "environment")}
        seen = {name: evidence.fact(name) in ids for name in wanted}
        found += answered(exchange, "OK") + equal(f"list of {kind}s", exchange, wanted, seen)
    return found


def _behind_hidden(session: Session) -> None:
    """Of many that nobody may view, the last one of each kind is shown to him after all; by every list."""
    org, count = session.own_org, session.size(HIDDEN, HIDDEN_QUICK)
    nobody = ("identity_account", session.context.identity("nobody"))
    parent = session.created_agent("parent", org=org, role="operator").metadata.id
    for kind in KINDS:
        requests = [new_resource(session, kind, parent) for _ in range(count)]
        for request in requests:
            request.metadata.org = org
        session.together(
            Call(f"hidden.{kind}.{n}", f"{kind}.create", one, "operator") for n, one in enumerate(requests)
        )
        _granted_alone(session, kind, parent)
        last = new_resource(session, kind, parent)
        last.metadata.org = org
        made = session.need(f"shown.{kind}", f"{kind}.create", last, role="operator")
        session.grant(f"grant.{kind}", nobody, "owner", (KINDS[kind].name, made.metadata.id))
    for kind in KINDS:
        read_list(session, f"list.{kind}.0", kind, "", role="nobody", size=HIDDEN_PAGE)
    by_agent = METHODS["instance.by_agent"].request(agent_id=parent)
    session.call("list.by_agent.0", "instance.by_agent", by_agent, role="nobody")


def _granted_alone(session: Session, kind: str, parent: str) -> None:
    """Grant nothing but the view of one; where that lets a get see it, it is listed too."""
    request = new_resource(session, kind, parent)
    request.metadata.org = session.own_org
    made = session.need(f"viewed.{kind}", f"{kind}.create", request, role="operator").metadata.id
    nobody = ("identity_account", session.context.identity("nobody"))
    session.grant(f"grant.view.{kind}", nobody, "can_view", (KINDS[kind].name, made))
    session.read(f"view.{kind}", kind, made, role="nobody")


def _shown_after_all(evidence: Evidence) -> list[Problem]:
    found = [wrong for row in evidence.under("hidden.") for wrong in answered(row, "OK")]
    for label in (*KINDS, "by_agent"):
        kind = "instance" if label == "by_agent" else label
        wanted = evidence[f"shown.{kind}"].value("metadata.id")
        hidden = {row.value("metadata.id") for row in evidence.under(f"hidden.{kind}.")}
        listed = _ids(evidence, f"list.{label}")
        told = {"the one that may be viewed": listed.count(wanted), "the others": len(hidden & set(listed))}
        if evidence[f"view.{kind}"].ok:
            times = listed.count(evidence[f"viewed.{kind}"].value("metadata.id"))
            found += equal(f"{label}: how often what a get answers is listed", evidence[f"view.{kind}"], 1, times)
        found += _all_ok(evidence, f"list.{label}")
        last = evidence.under(f"list.{label}.")[-1]
        found += equal(f"shown by {label}", last, {"the one that may be viewed": 1, "the others": 0}, told)
    return found


CHECKS: tuple[Check, ...] = (
    check(
        "LST-ORG",
        _in_order,
        _whole_org,
        also={"LST-PAGES": _every_page, "LST-DELETED": _without_gone},
        roles=("caller", "operator"),
        features=("list",),
    ),
    check("LST-WRITES", _under_writes, _each_once, roles=("caller", "operator"), features=("list",)),
    check(
        "LST-VISIBLE",
        _visible,
        _judge_visible,
        also={"LST-ANONYMOUS": code("anonymous", "UNAUTHENTICATED")},
        roles=("operator", "org_admin", "org_member", "other_org_member", "nobody"),
        features=("list",),
    ),
    check("LST-HIDDEN", _behind_hidden, _shown_after_all, roles=("operator", "nobody"), features=("list",)),
    check("LST-KIND", _kinds, _own_kind_only, features=("list",)),
)
