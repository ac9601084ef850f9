"""Step Authorize of create: who may create what, and what a refusal looks like."""

from __future__ import annotations

from conformance.check import Check, Exercise, check
from conformance.evidence import Evidence
from conformance.judging import Judge, accepted, answered, both, code, equal
from conformance.methods import METHODS
from conformance.session import Session
from conformance.sweeps import no_trace, sweep
from conformance.target_client import Metadata
from conformance.verdict import Problem


def _refused(role: str, *, metadata: Metadata | None = None, platform: bool = False) -> Exercise:
    """An agent that this role must not create, its sweep, and the same by somebody who may."""

    def exercise(session: Session) -> None:
        org = "" if platform else session.org
        request = session.agent(resource_id=session.new_id(), org=org)
        session.call("refused", "agent.create", request, role=role, metadata=metadata)
        sweep(session, "sweep", "agent", request, role=role)
        session.call("twin", "agent.create", session.agent(org=org), role="operator" if platform else None)

    return exercise


def _platform(session: Session) -> None:
    """An agent of platform scope by who isn't its operator: of no organization, and beside one that lets him create."""
    _refused("org_admin", platform=True)(session)
    account = ("identity_account", session.context.identity("org_admin"))
    for relation, resource in (
        ("admin", ("organization", session.own_org)),
        ("operator", ("organization", session.own_org)),
        ("operator", ("platform", session.name())),
    ):
        session.grant(f"grant.{relation}.{resource[0]}", account, relation, resource)
    for where, org in (("member", session.org), ("operator", session.own_org)):
        for operation in ("create", "apply"):
            request = session.agent(org="")
            request.metadata.org = org
            session.call(f"beside.{operation}.{where}", f"agent.{operation}", request, role="org_admin")


def _bare_token(session: Session) -> None:
    token = session.context.roles[session.context.caller].token
    _refused("anonymous", metadata=(("authorization", token),))(session)


def _unknown_token(session: Session) -> None:
    _refused("anonymous", metadata=(("authorization", f"Bearer unknown-{session.context.run_id}"),))(session)


def _message(evidence: Evidence) -> list[Problem]:
    exchange = evidence["refused"]
    return equal("wrong message", exchange, METHODS["agent.create"].denied_message, exchange.message)


def _beside_refused(evidence: Evidence) -> list[Problem]:
    return [wrong for row in evidence.under("beside.") for wrong in answered(row, "PERMISSION_DENIED")]


def _member(session: Session) -> None:
    session.call("create", "agent.create", session.agent(), role="org_member")
    session.call("admin", "agent.create", session.agent(), role="org_admin")


def _no_org(session: Session) -> None:
    request = session.agent(resource_id=session.new_id())
    request.metadata.org = ""
    session.call("refused", "agent.create", request)
    sweep(session, "sweep", "agent", request)
    session.call("twin", "agent.create", session.agent())


def _judge(*codes: str) -> Judge:
    return both(code("refused", *codes), accepted("twin"))


CHECKS: tuple[Check, ...] = (
    check("AUTH-NONE", _refused("anonymous"), _judge("UNAUTHENTICATED"), also={"ATOM-AUTH-NONE": no_trace()}),
    check("AUTH-UNKNOWN", _unknown_token, _judge("UNAUTHENTICATED"), also={"ATOM-AUTH-UNKNOWN": no_trace()}),
    check("AUTH-SCHEME", _bare_token, _judge("UNAUTHENTICATED")),
    check(
        "AUTH-OUTSIDER",
        _refused("other_org_member"),
        _judge("PERMISSION_DENIED"),
        also={"AUTH-MESSAGE": _message, "ATOM-AUTH-OUTSIDER": no_trace()},
        roles=("caller", "other_org_member"),
    ),
    check("AUTH-NOBODY", _refused("nobody"), _judge("PERMISSION_DENIED"), roles=("caller", "nobody")),
    check("AUTH-MEMBER", _member, accepted("create", "admin"), roles=("org_member", "org_admin")),
    check(
        "AUTH-PLATFORM",
        _platform,
        both(_judge("PERMISSION_DENIED"), _beside_refused),
        also={"ATOM-AUTH-PLATFORM": no_trace()},
        roles=("operator", "org_admin"),
    ),
    check("AUTH-ORG-EMPTY", _no_org, _judge("INVALID_ARGUMENT"), also={"ATOM-AUTH-ORG-EMPTY": no_trace()}),
)
