"""Step CreateIamPolicies of create: who owns it, what it belongs to, and that this takes effect."""

from __future__ import annotations

import itertools

from conformance.check import Check, check
from conformance.evidence import Evidence
from conformance.judging import Judge, accepted, answered, both, code, equal, field_is
from conformance.kinds import KINDS
from conformance.requests import new_resource
from conformance.session import Session
from conformance.verdict import Problem
from protos.ai.stigmer.commons.apiresource.enum_pb2 import platform

_TRUE, _FALSE = True, False
_WAYS = ("create", "apply")
_SCOPES = {"organization": "org_member", "platform": "operator"}
"""Each scope with who makes something in it."""


def _holds(*labels: str) -> Judge:
    return both(*(field_is(label, "is_authorized", _TRUE) for label in labels))


def _holds_not(*labels: str) -> Judge:
    return both(*(field_is(label, "is_authorized", _FALSE) for label in labels))


def _account(session: Session, role: str) -> tuple[str, str]:
    return "identity_account", session.context.identity(role)


def _org_agent(session: Session) -> None:
    # Not the operator: a server may hold it for owner of everything, with or without a policy.
    made = session.created_agent(role="org_member")
    resource = ("agent", made.metadata.id)
    session.holds("owner", _account(session, "org_member"), "owner", resource)
    session.holds("parent", ("organization", session.org), "organization", resource)
    session.holds("other.owner", _account(session, "org_admin"), "owner", resource)
    session.holds("other.parent", ("organization", session.other_org), "organization", resource)
    session.holds("other.platform", ("platform", "stigmer"), "platform", resource)
    unused = ("agent", session.new_id())
    session.holds("other.agent", _account(session, "org_member"), "owner", unused)


def _platform_agent(session: Session) -> None:
    made = session.created_agent(role="operator", org="")
    resource = ("agent", made.metadata.id)
    session.holds("owner", _account(session, "operator"), "owner", resource)
    session.holds("parent", ("platform", "stigmer"), "platform", resource)
    request = session.agent(org="")
    request.metadata.org = session.org
    named = session.need("setup.named", "agent.create", request, role="operator")
    resource = ("agent", named.metadata.id)
    session.holds("named.parent", ("platform", "stigmer"), "platform", resource)
    session.holds("named.org", ("organization", session.org), "organization", resource)


def _effective(session: Session) -> None:
    made = session.created_agent(role="org_member")
    session.holds("owner", _account(session, "org_member"), "owner", ("agent", made.metadata.id))
    session.read("get", "agent", made.metadata.id, role="org_member")
    session.read("outsider", "agent", made.metadata.id, role="other_org_member")
    changed = session.agent(name=made.metadata.name, resource_id=made.metadata.id)
    session.call("update", "agent.update", changed, role="org_member")
    session.delete("delete", "agent", made.metadata.id, role="org_member")


def _default_instance(session: Session) -> None:
    made = session.created_agent()
    instance = ("agent_instance", session.default_instance(made))
    session.holds("agent", ("agent", made.metadata.id), "agent", instance)
    session.holds("parent", ("organization", session.org), "organization", instance)
    session.holds("other", ("agent", session.new_id()), "agent", instance)


def _each_kind(session: Session) -> None:
    """Create and apply something new of each kind and scope, and ask for each policy that step 7 names."""
    parents = {"organization": ("organization", session.org), "platform": ("platform", "stigmer")}
    for scope, role in _SCOPES.items():
        org = session.org if scope == "organization" else ""
        agent = session.created_agent(f"setup.{scope}", role=role, org=org).metadata.id
        for kind, way in itertools.product(KINDS if scope == "organization" else ("agent", "instance"), _WAYS):
            request = new_resource(session, kind, agent)
            if scope == "platform":
                request.metadata.org, request.metadata.owner_scope = "", platform
            label = f"{scope}.{kind}.{way}"
            made = session.call(label, f"{kind}.{way}", request, role=role)
            if made.ok:
                resource = (KINDS[kind].name, made.message.metadata.id)
                session.holds(f"{label}.owner", _account(session, role), "owner", resource)
                session.holds(f"{label}.parent", parents[scope], scope, resource)
                if kind == "instance":
                    session.holds(f"{label}.agent", ("agent", agent), "agent", resource)


def _alike(evidence: Evidence) -> list[Problem]:
    """What step 7 says of agents and instances holds of both ways; of environments, an apply is like a create."""
    found: list[Problem] = []
    for row in (row for scope in _SCOPES for row in evidence.under(f"{scope}.")):
        scope, kind, way, *part = row.label.split(".")
        found += answered(row, "OK")
        if part:
            created = evidence[f"{scope}.{kind}.create.{part[0]}"] if kind == "environment" else None
            wanted = created.value("is_authorized", _FALSE) if created is not None else _TRUE
            found += equal(f"{kind}.{way}: {part[0]} ({scope})", row, wanted, row.value("is_authorized", _FALSE))
    return found


CHECKS: tuple[Check, ...] = (
    check(
        "POL-OWNER",
        _org_agent,
        _holds("owner"),
        also={
            "POL-PARENT-ORG": _holds("parent"),
            "POL-NOBODY-ELSE": _holds_not("other.owner", "other.parent", "other.platform", "other.agent"),
        },
        roles=("org_member", "org_admin"),
    ),
    check(
        "POL-PARENT-PLATFORM",
        _platform_agent,
        both(_holds("owner", "parent", "named.parent"), _holds_not("named.org")),
        roles=("operator",),
    ),
    check(
        "POL-EFFECTIVE",
        _effective,
        both(_holds("owner"), accepted("get", "update", "delete"), code("outsider", "PERMISSION_DENIED")),
        roles=("org_member", "other_org_member"),
    ),
    check("POL-INSTANCE", _default_instance, both(_holds("agent", "parent"), _holds_not("other"))),
    check("APL-POLICIES", _each_kind, _alike, roles=("operator", "org_member")),
)
