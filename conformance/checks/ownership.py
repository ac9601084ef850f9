"""What is whose stays so: an update moves and grants nothing, and a delete takes what is its resource's alone."""

from __future__ import annotations

from collections.abc import Callable

from conformance.check import Check, check
from conformance.evidence import Evidence
from conformance.judging import accepted, answered, both, equal, field_is
from conformance.kinds import KINDS
from conformance.methods import Proto
from conformance.requests import changed, made_things, new_resource
from conformance.session import Session
from conformance.verdict import Problem

_TRUE, _FALSE = True, False
_MOVED = ("OK", "INVALID_ARGUMENT", "PERMISSION_DENIED", "NOT_FOUND", "ALREADY_EXISTS", "FAILED_PRECONDITION")
"""A server may refuse to move a resource or keep it where it is."""
_GRANTED = ("instance", "environment")
"""Whose policies go with them; whether an agent's do is a choice, and asked by DEL-POLICIES."""


def _moved(kind: str) -> Callable[[Session], None]:
    """An admin of two organizations asks to move what is in the first to the second."""

    def exercise(session: Session) -> None:
        account = ("identity_account", session.context.identity("nobody"))
        first, second = session.own_org, f"{session.own_org}-2"
        for number, org in enumerate((first, second)):
            session.grant(f"grant.{number}", account, "admin", ("organization", org))
        made = _made_in(session, kind, first)
        for operation in ("update", "apply"):
            request = new_resource(session, kind, made.spec.agent_id if kind == "instance" else "")
            request.metadata.id, request.metadata.name = made.metadata.id, made.metadata.name
            request.metadata.org = second
            session.call(operation, f"{kind}.{operation}", request, role="nobody")
            session.read(f"{operation}.get", kind, made.metadata.id, role="operator")

    return exercise


def _made_in(session: Session, kind: str, org: str) -> Proto:
    agent = session.created_agent("agent", role="nobody", org=org) if kind == "instance" else None
    request = new_resource(session, kind, agent.metadata.id if agent is not None else "")
    request.metadata.org = org
    return session.need(f"made.{kind}", f"{kind}.create", request, role="nobody")


def _stayed(kind: str) -> Callable[[Evidence], list[Problem]]:
    def judge(evidence: Evidence) -> list[Problem]:
        wanted, found = evidence[f"made.{kind}"].value("metadata.org"), list[Problem]()
        for operation in ("update", "apply"):
            get = evidence[f"{operation}.get"]
            found += answered(evidence[operation], *_MOVED) + answered(get, "OK")
            found += equal("the organization", get, wanted, get.value("metadata.org"))
        return found

    return judge


def _changed_by_another(session: Session) -> None:
    """The organization's admin changes what a member owns."""
    owner, admin = (("identity_account", session.context.identity(role)) for role in ("org_member", "org_admin"))
    for kind in KINDS:
        things = made_things(session, kind, "org_member", "owned")
        resource = (KINDS[kind].name, things.resource.metadata.id)
        for operation in ("update", "apply"):
            session.call(f"{kind}.{operation}", f"{kind}.{operation}", changed(session, things), role="org_admin")
        session.holds(f"{kind}.owner", owner, "owner", resource)
        session.holds(f"{kind}.admin", admin, "owner", resource)


def _same_id(first: str, second: str) -> Callable[[Session], None]:
    """Two kinds have one id; each is deleted once, and the other one's owner goes on."""

    def exercise(session: Session) -> None:
        account, org = ("identity_account", session.context.identity("nobody")), session.own_org
        session.grant("grant", account, "member", ("organization", org))
        for gone, left in ((first, second), (second, first)):
            shared = session.new_id(gone)
            session.made.expect(left, shared)
            agent_id = session.created_agent(f"agent.{gone}", role="nobody", org=org).metadata.id
            requests = {kind: new_resource(session, kind, agent_id) for kind in (gone, left)}
            for request in requests.values():
                request.metadata.id, request.metadata.org = shared, org
            session.need(f"made.{gone}", f"{gone}.create", requests[gone], role="operator")
            session.need(f"made.{left}", f"{left}.create", requests[left], role="nobody")
            session.delete(f"delete.{gone}", gone, shared, role="operator")
            session.call(f"update.{left}", f"{left}.update", requests[left], role="nobody")
            session.holds(f"owner.{left}", account, "owner", (KINDS[left].name, shared))

    return exercise


def _left_alone(first: str, second: str) -> Callable[[Evidence], list[Problem]]:
    return both(
        *(accepted(f"delete.{gone}") for gone in (first, second)),
        *(accepted(f"update.{left}") for left in (first, second)),
        *(field_is(f"owner.{left}", "is_authorized", _TRUE) for left in (first, second)),
    )


def _granted_then_deleted(session: Session) -> None:
    """Who may view an instance or an environment views nothing by that any more, when it is gone and made anew."""
    nobody = ("identity_account", session.context.identity("nobody"))
    for kind in _GRANTED:
        things = made_things(session, kind, "operator", kind)
        made = things.resource.metadata
        resource = (KINDS[kind].name, made.id)
        granted = session.grant(f"{kind}.grant", nobody, "can_view", resource)
        session.holds(f"{kind}.before", nobody, "can_view", resource)
        session.delete(f"{kind}.delete", kind, made.id, role="operator")
        session.holds(f"{kind}.gone", nobody, "can_view", resource)
        if granted.ok:
            by_id = session.by_id("policy.get", granted.message.metadata.id)
            session.call(f"{kind}.policy", "policy.get", by_id, role="operator")
        anew = changed(session, things)
        if session.call(f"{kind}.anew", f"{kind}.create", anew, role="operator").ok:
            session.holds(f"{kind}.gone.anew", nobody, "can_view", resource)
            session.read(f"{kind}.get", kind, made.id, role="nobody")


def _nothing_inherited(evidence: Evidence) -> list[Problem]:
    """A server may keep an id from being used twice; then there is nothing to inherit."""
    found: list[Problem] = []
    for kind in _GRANTED:
        found += accepted(f"{kind}.grant", f"{kind}.delete")(evidence)
        found += field_is(f"{kind}.before", "is_authorized", _TRUE)(evidence)
        for row in evidence.under(f"{kind}.gone"):
            found += field_is(row.label, "is_authorized", _FALSE)(evidence)
        found += answered(evidence[f"{kind}.anew"], "OK", "ALREADY_EXISTS")
        for row in evidence.under(f"{kind}.policy"):
            found += answered(row, "NOT_FOUND")
        for row in evidence.under(f"{kind}.get"):
            found += answered(row, "PERMISSION_DENIED")
    return found


_PAIRS = (("agent", "environment"), ("environment", "instance"))

CHECKS: tuple[Check, ...] = (
    *(check(f"KEEP-ORG-{kind.upper()}", _moved(kind), _stayed(kind), roles=("operator", "nobody")) for kind in KINDS),
    check(
        "KEEP-OWNER",
        _changed_by_another,
        both(
            *(accepted(f"{kind}.{operation}") for kind in KINDS for operation in ("update", "apply")),
            *(field_is(f"{kind}.owner", "is_authorized", _TRUE) for kind in KINDS),
            *(field_is(f"{kind}.admin", "is_authorized", _FALSE) for kind in KINDS),
        ),
        roles=("org_admin", "org_member"),
    ),
    *(
        check(
            f"DEL-SAME-ID-{first.upper()}-{second.upper()}",
            _same_id(first, second),
            _left_alone(first, second),
            roles=("operator", "nobody"),
        )
        for first, second in _PAIRS
    ),
    check("DEL-GRANTS", _granted_then_deleted, _nothing_inherited, roles=("operator", "nobody")),
)
