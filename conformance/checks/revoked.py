"""What is revoked is revoked for the next call, also of who has used it; and nothing else is revoked with it."""

from __future__ import annotations

import time

from conformance import samples
from conformance.check import Check, check
from conformance.evidence import Evidence, NotAsked
from conformance.judging import accepted, asked_if, both, code, field_is
from conformance.methods import METHODS
from conformance.session import Session

_CALM_SECONDS = 0.6
_PLATFORM = ("platform", "stigmer")
_TRUE, _FALSE = True, False


def _nobody(session: Session) -> tuple[str, str]:
    return "identity_account", session.context.identity("nobody")


def _cleaned_up(session: Session) -> None:
    """An owner who has used what he owns loses it by a cleanup of the agent's policies."""
    method = METHODS["policy.cleanupResourcePolicies"]
    if session.call("served", method.name, method.request(), valid=None).exchange.code == "UNIMPLEMENTED":
        raise NotAsked(f"the target doesn't serve {method.path}")
    made = session.created_agent(role="operator", org=session.own_org)
    agent = ("agent", made.metadata.id)
    granted = session.grant("grant", _nobody(session), "owner", agent)
    session.read("used", "agent", made.metadata.id, role="nobody")
    session.holds("held", _nobody(session), "owner", agent)
    if session.context.scale >= 1:  # once more, when what was decided may be remembered again after other changes
        time.sleep(_CALM_SECONDS)
        session.read("used.again", "agent", made.metadata.id, role="nobody")
    session.call("cleanup", method.name, method.request(kind=agent[0], id=agent[1]), role="operator")
    session.read("after", "agent", made.metadata.id, role="nobody")
    session.holds("left", _nobody(session), "owner", agent)
    if granted.ok:
        session.call("gone", "policy.get", session.by_id("policy.get", granted.message.metadata.id), role="operator")


def _operator(session: Session) -> None:
    """Somebody is made operator, acts as one, and isn't one any more."""
    made = session.created_agent(role="operator", org=session.own_org)
    operator = samples.policy(_nobody(session), "operator", _PLATFORM)
    session.read("before", "agent", made.metadata.id, role="nobody")
    session.grant("grant", _nobody(session), "operator", _PLATFORM)
    session.read("used", "agent", made.metadata.id, role="nobody")
    session.call("used.create", "agent.create", session.agent(org=""), role="nobody")
    session.call("revoke", "policy.delete", operator, role="operator")
    session.read("after", "agent", made.metadata.id, role="nobody")
    session.call("after.create", "agent.create", session.agent(org=""), role="nobody")
    session.call("after.grant", "policy.create", operator, role="nobody")


def _one_of_two(session: Session) -> None:
    """Who is member and admin of an organization loses one of both, then the other."""
    org, account = ("organization", session.own_org), _nobody(session)
    made = session.created_agent(role="operator", org=session.own_org)
    request = session.agent(name=made.metadata.name, resource_id=made.metadata.id, org=session.own_org)
    for relation in ("member", "admin"):
        session.grant(f"grant.{relation}", account, relation, org)
    session.call("both.update", "agent.update", request, role="nobody")
    for lost, kept in (("member", "admin"), ("admin", "member")):
        session.call(f"{lost}.revoke", "policy.delete", samples.policy(account, lost, org), role="operator")
        session.holds(f"{lost}.gone", account, lost, org)
        session.holds(f"{lost}.kept", account, kept, org)
        session.call(f"{lost}.update", "agent.update", request, role="nobody")
        session.read(f"{lost}.get", "agent", made.metadata.id, role="nobody")
        session.grant(f"{lost}.again", account, lost, org)


def _is_allowed(evidence: Evidence) -> bool:
    return evidence["used"].ok


CHECKS: tuple[Check, ...] = (
    check(
        "IAM-REVOKED-CLEANUP",
        _cleaned_up,
        both(
            accepted("grant", "used", "cleanup"),
            field_is("held", "is_authorized", _TRUE),
            code("after", "PERMISSION_DENIED"),
            field_is("left", "is_authorized", _FALSE),
            code("gone", "NOT_FOUND"),
        ),
        roles=("operator", "nobody"),
        # What others delete meanwhile may let a server forget what it should not have remembered.
        alone=True,
    ),
    check(
        "IAM-REVOKED-OPERATOR",
        _operator,
        asked_if(
            _is_allowed,
            "the target takes its operators from elsewhere than from policies",
            both(
                code("before", "PERMISSION_DENIED"),
                accepted("grant", "used.create", "revoke"),
                *(code(label, "PERMISSION_DENIED") for label in ("after", "after.create", "after.grant")),
            ),
        ),
        roles=("operator", "nobody"),
        # Whoever is operator meanwhile is so for every other check.
        alone=True,
    ),
    check(
        "IAM-REVOKED-RELATION",
        _one_of_two,
        both(
            accepted("both.update", "member.revoke", "member.update", "member.get", "admin.revoke", "admin.get"),
            code("admin.update", "PERMISSION_DENIED"),
            field_is("admin.gone", "is_authorized", _FALSE),
            *(field_is(f"{lost}.kept", "is_authorized", _TRUE) for lost in ("member", "admin")),
        ),
        roles=("operator", "nobody"),
    ),
)
