"""Events of every kind: one for each change however it came about, as a get shows it then, and to whom may see it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial

from conformance import samples
from conformance.check import Check, check
from conformance.evidence import Evidence, Exchange, Json, value_at
from conformance.judging import Judge, answered, asked_if, differences, equal, instances_shown, problem
from conformance.kinds import KINDS
from conformance.lives import CHANGES as CHANGES_OF_A_LIFE
from conformance.methods import Proto
from conformance.requests import new_resource
from conformance.session import Session
from conformance.verdict import Problem
from conformance.watching import CHANGES, Watch, change_of, events_about, events_in_order

_ANNOUNCED = (("create", "created"), *((change, "updated") for change in CHANGES_OF_A_LIFE), ("delete", "deleted"))
SOME = 5
_LATE = "Changed when the watcher may view it."
IDLE_SECONDS = 5
"""So long a watch of an ordinary run has nothing to tell."""
LARGE = 2**19
"""Bytes of what is large: more than a server's buffers, queues and messages take at once that are sized for less."""


def _changes(text: str, exchange: Exchange, subject: str, wanted: list[str]) -> list[Problem]:
    """The events about a resource tell of these changes; of a server with words of its own only the number is known."""
    told = [change_of(event) for event in events_about(exchange, subject)]
    if told and CHANGES.isdisjoint(told):
        return equal(text, exchange, len(wanted), len(told))
    return equal(text, exchange, wanted, told)


def _each_once(evidence: Evidence) -> list[Problem]:
    watch = evidence["watch"]
    labels = (*(label for label, _ in _ANNOUNCED), "new")
    wrong = [one for label in labels for one in answered(evidence[label], "OK")]
    if wrong:
        return wrong
    wanted = [change for _, change in _ANNOUNCED]
    found = _changes("events of one resource's life", watch, evidence["create"].value("metadata.id"), wanted)
    new = evidence["new"].value("metadata.id")
    return found + _changes("events of an apply that creates", watch, new, ["created"]) + _positions_grow(watch)


def _positions_grow(watch: Exchange) -> list[Problem]:
    positions = [int(row.get("position", 0)) for row in watch.responses if "event" in row]
    if positions == sorted(set(positions)):
        return []
    return [problem("a position came twice, or out of order", watch, actual=positions)]


def _as_read(evidence: Evidence) -> list[Problem]:
    """What an event holds is what a get answered after the change (and the delete, of what it deleted)."""
    watch = evidence["watch"]
    found: list[Problem] = []
    for maker, changes in (("create", _ANNOUNCED), ("new", (("new", "created"),))):
        rows = events_about(watch, evidence[maker].value("metadata.id"))
        if not rows:
            found.append(problem("no event", watch))
        for row, (label, _) in zip(rows, changes, strict=False):
            read = evidence[label if label == "delete" else f"{label}.get"]
            found += answered(read, "OK") or _holds(watch, row, read.response)
    return found


def _holds(watch: Exchange, event: Json, resource: Json) -> list[Problem]:
    data = {name: value for name, value in event.get("data", {}).items() if name != "@type"}
    return differences(resource, data, watch, change_of(event))


def _no_secret(evidence: Evidence) -> list[Problem]:
    watch, text = evidence["watch"], str(evidence["watch"].responses)
    seen = events_about(watch, evidence["create"].value("metadata.id"))
    if not seen:
        return [problem("no event", watch)]
    return [
        problem("an event shows a secret's value", watch, expected=samples.REDACTED)
        for secret in evidence.fact("secrets")
        if secret in text
    ]


def _cascade(evidence: Evidence) -> list[Problem]:
    """A default instance is announced when an agent comes by an apply too, and when it goes with its agent."""
    watch, found = evidence["watch"], list[Problem]()
    for label, changes in (("create", ["created", "deleted"]), ("new", ["created"])):
        items = instances_shown(evidence, f"{label}.instances", evidence[label].value("metadata.id"))
        subject = value_at(items[0], "metadata.id") if items else "none"
        found += _changes(f"events of the default instance ({label})", watch, subject, changes)
        for event in events_about(watch, subject):
            found += _holds(watch, event, items[0])
    return found + _last_state(evidence)


def _last_state(evidence: Evidence) -> list[Problem]:
    """The event of a changed instance that goes with its agent, where it goes, holds what a get answered last."""
    if "further.get" not in evidence:
        return []  # creates of instances are asked for elsewhere
    read, watch = evidence["further.get"], evidence["watch"]
    deleted = events_about(watch, evidence["further"].value("metadata.id"))[2:]
    found = answered(evidence["further.update"], "OK") + answered(read, "OK")
    return found + [wrong for event in deleted for wrong in _holds(watch, event, read.response)]


def _as_before(evidence: Evidence) -> list[Problem]:
    """Events that are read once more, after other changes, hold what they held when they came."""
    made = (evidence["create"], *(row for row in evidence.exchanges if row.label.split(".")[0] == "stays"))
    wrong = [problem for row in made for problem in answered(row, "OK")]
    if wrong:
        return wrong
    watch, later, found = evidence["watch"], evidence["later"], list[Problem]()
    for label in ("create", "new", "stays"):
        subject = evidence[label].value("metadata.id")
        before, after = events_about(watch, subject), events_about(later, subject)
        found += [] if before else [problem(f"no event about {label}", watch)]
        found += equal(f"number of events about {label}", later, len(before), len(after))
        for one, two in zip(before, after, strict=False):
            found += differences(one, two, later, change_of(one))
    return found


def _seen_by_others(session: Session) -> None:
    # An organization of this check's own gives even nobody something to be told of last.
    own = session.own_org
    session.grant("grant", ("identity_account", session.context.identity("nobody")), "member", ("organization", own))
    watchers = {"org_member": session.org, "other_org_member": session.other_org, "nobody": own}
    with ExitStack() as stack:
        watches = {role: stack.enter_context(Watch(session, f"watch.{role}", role=role)) for role in watchers}
        for role, org in watchers.items():
            made = session.created_agent(f"setup.{role}", role="operator", org=org).metadata.id
            session.note(f"made.{role}", made)
            watches[role].wait_for(made)  # what is gone when its event is sent need not be told of
            session.delete(f"delete.{role}", "agent", made, role="operator")
        for role, org in watchers.items():
            # The contract doesn't say who is told of a delete; the watch goes on behind it.
            session.note(f"last.{role}", watches[role].catch_up(org=org, maker="operator"))


def _own_only(evidence: Evidence) -> list[Problem]:
    roles = ("org_member", "other_org_member", "nobody")
    found: list[Problem] = []
    for watcher in roles:
        watch = evidence[f"watch.{watcher}"]
        told = {role: bool(events_about(watch, evidence.fact(f"made.{role}"))) for role in roles}
        found += equal(f"whose agents {watcher} is told of", watch, {role: role == watcher for role in roles}, told)
        if not events_about(watch, evidence.fact(f"last.{watcher}")):
            found.append(problem(f"{watcher} is told of nothing that came after the deletes", watch))
    return found


def _revoked(session: Session) -> None:
    """A watch that goes on while its caller is shut out, of what he made too, and let in to something else at last."""
    org, other = session.own_org, f"{session.own_org}0"
    nobody = ("identity_account", session.context.identity("nobody"))
    session.grant("grant", nobody, "member", ("organization", org))
    made = {role: session.created_agent(f"made.{role}", role=role, org=org) for role in ("operator", "nobody")}
    with Watch(session, "watch", role="nobody") as watch:
        late = session.created_agent("late", role="operator", org=other)
        _change_each(session, "member", made.values())
        for agent in made.values():
            watch.wait_for(agent.metadata.id)
        _let_in(session, late, nobody, other)
        for relation, resource in (
            ("member", ("organization", org)),
            ("owner", ("agent", made["nobody"].metadata.id)),
        ):
            revoked = samples.policy(nobody, relation, resource)
            session.call(f"revoke.{relation}", "policy.delete", revoked, role="operator")
        _change_each(session, "stranger", made.values())
        for role, agent in made.items():
            session.delete(f"delete.{role}", "agent", agent.metadata.id, role="operator")
        watch.catch_up(org=other, maker="operator")


def _let_in(session: Session, late: Proto, account: tuple[str, str], org: str) -> None:
    """Let the watcher in to what his watch has passed over, and change it."""
    session.grant("grant.other", account, "member", ("organization", org))
    change = session.agent(name=late.metadata.name, org=org, resource_id=late.metadata.id)
    change.spec.description = _LATE
    session.need("late.change", "agent.update", change, role="operator")


def _told_at_last(evidence: Evidence) -> list[Problem]:
    watch = evidence["watch"]
    told = [
        value_at(event, "data.spec.description") for event in events_about(watch, evidence["late"].value("metadata.id"))
    ]
    return equal("events about what may be viewed at last", watch, 1, told.count(_LATE))


def _change_each(session: Session, label: str, agents: Iterable[Proto]) -> None:
    for number, agent in enumerate(agents):
        change = session.agent(name=agent.metadata.name, org=agent.metadata.org, resource_id=agent.metadata.id)
        session.need(f"{label}.{number}", "agent.update", change, role="operator")


def _no_longer_told(evidence: Evidence) -> list[Problem]:
    watch = evidence["watch"]
    rows = (*evidence.under("revoke."), *evidence.under("delete."))
    found = [wrong for row in rows for wrong in answered(row, "OK")]
    for made in evidence.under("made."):
        told = events_about(watch, made.value("metadata.id"))
        found += equal(f"{made.label}: events about what may be viewed no longer", watch, 1, len(told))
    return found


def _one_subject(session: Session) -> None:
    other, made = session.created_agent("setup.other"), session.created_agent("setup.made")
    session.note("made", made.metadata.id)
    with Watch(session, "watch", subject=made.metadata.id) as watch:
        for agent in (other, made, other, made):
            session.need(
                "change", "agent.update", session.agent(name=agent.metadata.name, resource_id=agent.metadata.id)
            )
        watch.wait_for(made.metadata.id, 2)
        time.sleep(session.size(IDLE_SECONDS, 0))
        session.need("change", "agent.update", session.agent(name=made.metadata.name, resource_id=made.metadata.id))
        watch.wait_for(made.metadata.id, 3)
    told = events_in_order(session.evidence()["watch"])
    if told:
        with Watch(session, "resumed", subject=made.metadata.id, after=told[0][0]) as resumed:
            resumed.wait_for(made.metadata.id, 2)


def _no_other_subject(evidence: Evidence) -> list[Problem]:
    watch = evidence["watch"]
    subjects = [value_at(row, "event.subject") for row in watch.responses if "event" in row]
    found = equal("subjects of the events", watch, [evidence.fact("made")] * 3, subjects)
    if "resumed" not in evidence:
        return found
    resumed = evidence["resumed"]
    again, wanted = events_in_order(resumed), events_in_order(watch)[1:]
    return found + (answered(resumed, "OK") or equal("events after the first", resumed, wanted, again))


def _large(session: Session) -> None:
    agent = session.created_agent("parent", role="operator", org=session.own_org).metadata.id
    with Watch(session, "watch", role="operator") as watch:
        for kind in KINDS:
            request = new_resource(session, kind, agent)
            request.metadata.org = session.own_org
            request.metadata.annotations["large"] = "0123456789abcdef" * (LARGE // 16)
            session.call(f"made.{kind}", f"{kind}.create", request, role="operator")
        watch.catch_up(org=session.own_org, maker="operator")


def _large_told(evidence: Evidence) -> list[Problem]:
    watch, found = evidence["watch"], list[Problem]()
    for made in evidence.under("made."):
        events = events_about(watch, made.value("metadata.id"))
        found += answered(made, "OK") or equal(f"{made.label}: events about what is large", watch, 1, len(events))
        found += [wrong for event in events for wrong in _holds(watch, event, made.response)]
    return found


def _resumed(session: Session) -> None:
    with Watch(session, "whole") as whole:
        made = [session.created_agent(f"setup.{n}").metadata.id for n in range(SOME)]
        session.note("through", whole.position_of(whole.catch_up()))
        for place in (0, SOME // 2, SOME - 1):
            after = whole.position_of(made[place])
            session.note(f"after.{place}", after)
            with Watch(session, f"resumed.{place}", after=after) as resumed:
                resumed.catch_up()


def _same_from_there(evidence: Evidence) -> list[Problem]:
    """What a resumed watch is told first is all that the whole one was told after that position, in the same order."""
    found: list[Problem] = []
    whole = [row for row in events_in_order(evidence["whole"]) if row[0] <= evidence.fact("through")]
    for watch in evidence.under("resumed."):
        after = evidence.fact(f"after.{watch.label.rpartition('.')[2]}")
        wanted = [row for row in whole if row[0] > after]
        found += answered(watch, "OK") or equal("bookmark", watch, after, int(watch.response.get("position", 0)))
        found += equal(f"events after position {after}", watch, wanted, events_in_order(watch)[: len(wanted)])
    return found


def judges_of(kind: str) -> dict[str, Judge]:
    """Return the judges of the events of a watched life of a kind (see `conformance.lives`), by requirement."""
    name = kind.upper()
    found: dict[str, Judge] = {
        f"EVT-{name}": _each_once,
        f"EVT-{name}-CONTENT": _as_read,
        f"EVT-{name}-LATER": _as_before,
    }
    if kind != "instance":
        found[f"EVT-{name}-REDACTED"] = _no_secret
    if kind == "agent":
        found["EVT-DEFAULT-INSTANCE"] = _cascade
    watched = partial(asked_if, lambda evidence: "watch" in evidence, "the target offers no watch")
    return {requirement: watched(judge) for requirement, judge in found.items()}


CHECKS: tuple[Check, ...] = (
    check(
        "EVT-VISIBLE",
        _seen_by_others,
        _own_only,
        roles=("operator", "org_member", "other_org_member", "nobody"),
        features=("watch",),
    ),
    check(
        "EVT-REVOKED",
        _revoked,
        _no_longer_told,
        also={"EVT-GRANTED": _told_at_last},
        roles=("operator", "nobody"),
        features=("watch",),
    ),
    check("EVT-LARGE", _large, _large_told, roles=("operator",), features=("watch",)),
    check("EVT-SUBJECT", _one_subject, _no_other_subject, features=("watch",)),
    check("EVT-RESUME", _resumed, _same_from_there, features=("watch",)),
)
