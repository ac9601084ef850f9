"""What is of no organization: nobody else is shown an account's own; what becomes of it is announced all the same."""

from __future__ import annotations

from contextlib import ExitStack

from conformance import samples
from conformance.check import Check, check
from conformance.evidence import Evidence, NotAsked
from conformance.judging import answered, asked_if, equal, problem
from conformance.methods import METHODS
from conformance.session import Session
from conformance.verdict import Problem
from conformance.watching import Watch, events_about
from protos.ai.stigmer.commons.apiresource.enum_pb2 import identity_account, platform

_STRANGERS = ("org_member", "other_org_member", "nobody")
_OWNER = "org_admin"


def _exercise(session: Session) -> None:
    request = samples.environment(session.name(), "")
    request.metadata.owner_scope = identity_account
    watched = session.offers("watch")
    with ExitStack() as stack:
        watches = {
            role: stack.enter_context(Watch(session, f"watch.{role}", role=role))
            for role in (*_STRANGERS, _OWNER)
            if watched
        }
        made = session.need("made", "environment.create", request, role=_OWNER)
        for role in (*_STRANGERS, _OWNER):
            session.read(f"get.{role}", "environment", made.metadata.id, role=role)
            session.find(f"find.{role}", "environment", made.metadata.slug, "", role=role)
            if session.offers("list"):
                session.call(f"list.{role}", "list.environments", METHODS["list.environments"].request(), role=role)
        _beside_an_organization(session)
        for role, watch in watches.items():
            _tell_of_a_last_change(session, role, watch)


def _beside_an_organization(session: Session) -> None:
    """What is an account's own is no organization's, even if the request named one: its members may not read it."""
    request = samples.environment(session.name(), session.org)
    request.metadata.owner_scope = identity_account
    made = session.need("made.beside", "environment.create", request, role=_OWNER)
    session.read("get.beside", "environment", made.metadata.id, role="org_member")
    session.find("find.beside", "environment", made.metadata.slug, role="org_member")


def _tell_of_a_last_change(session: Session, role: str, watch: Watch) -> None:
    """Make something last that a watcher may see: in an organization of this check's own that he is let into."""
    account = ("identity_account", session.context.identity(role))
    session.grant(f"grant.{role}", account, "member", ("organization", session.own_org))
    watch.catch_up(org=session.own_org, maker="operator")


def _not_shown(evidence: Evidence) -> list[Problem]:
    if "list.nobody" not in evidence and "get.nobody" in evidence:
        raise NotAsked("the target offers no list")
    made, found = evidence["made"].value("metadata.id"), list[Problem]()
    for role in _STRANGERS:
        row = evidence[f"list.{role}"]
        found += answered(row, "OK", "PERMISSION_DENIED")
        found += [problem(f"{role} is shown it", row, actual=made)] if made in str(row.responses) else []
    return found


def _not_read(evidence: Evidence) -> list[Problem]:
    found = answered(evidence["made"], "OK") + answered(evidence[f"get.{_OWNER}"], "OK")
    for role in (*_STRANGERS, "beside"):
        found += answered(evidence[f"get.{role}"], "PERMISSION_DENIED")
        found += answered(evidence[f"find.{role}"], "PERMISSION_DENIED", "NOT_FOUND")
    return found


def _not_told(evidence: Evidence) -> list[Problem]:
    made = evidence["made"].value("metadata.id")
    told = {role: bool(events_about(evidence[f"watch.{role}"], made)) for role in (*_STRANGERS, _OWNER)}
    return equal(
        "who is told of it", evidence["watch.nobody"], {**dict.fromkeys(_STRANGERS, False), _OWNER: True}, told
    )


_LIFE = ("created", "updated", "deleted")


def _lives(session: Session) -> None:
    """Of what belongs to no organization: an account's environment and an agent of the platform come, change and go."""
    environment, agent = samples.environment(session.name(), ""), session.agent(org="")
    environment.metadata.owner_scope, agent.metadata.owner_scope = identity_account, platform
    with Watch(session, "watch", role="operator") as watch:
        for kind, request, role in (("environment", environment, _OWNER), ("agent", agent, "operator")):
            request.metadata.id = session.need(f"{kind}.created", f"{kind}.create", request, role=role).metadata.id
            request.spec.description = "changed"
            session.call(f"{kind}.updated", f"{kind}.update", request, role=role)
            session.delete(f"{kind}.deleted", kind, request.metadata.id, role=role)
        watch.catch_up(org=session.own_org, maker="operator")


def _each_told(evidence: Evidence) -> list[Problem]:
    found: list[Problem] = []
    for kind in ("environment", "agent"):
        rows = [evidence[f"{kind}.{change}"] for change in _LIFE]
        told = events_about(evidence["watch"], rows[0].value("metadata.id"))
        found += [wrong for row in rows for wrong in answered(row, "OK")]
        found += equal(f"events of one {kind}'s life", evidence["watch"], len(_LIFE), len(told))
    return found


CHECKS: tuple[Check, ...] = (
    check(
        "OWN-READ",
        _exercise,
        _not_read,
        also={
            "OWN-LIST": _not_shown,
            "OWN-EVENTS": asked_if(
                lambda evidence: "watch.nobody" in evidence, "the target offers no watch", _not_told
            ),
        },
        roles=("operator", *_STRANGERS, _OWNER),
    ),
    check("EVT-NO-ORG", _lives, _each_told, roles=("operator", _OWNER), features=("watch",)),
)
