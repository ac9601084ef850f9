"""getByReference: one agent by its slug; kind must match, organization narrows."""

from __future__ import annotations

from typing import Any

from conformance import samples
from conformance.check import Check, check
from conformance.judging import accepted, both, code, same_answer
from conformance.session import Session
from protos.ai.stigmer.commons.apiresource.apiresourcekind import api_resource_kind_pb2 as kinds

BY_REFERENCE = "agent.by_reference"
UNKNOWN_KIND: Any = 777
"""A number that the enum doesn't know: no kind of resource, so it matches none."""


def _found(session: Session) -> None:
    made = session.created_agent()
    session.find("org", "agent", made.metadata.slug)
    request = samples.reference(made.metadata.slug, session.org)
    request.kind = kinds.agent
    request.scope = made.metadata.owner_scope
    request.version = "latest"
    session.call("whole", BY_REFERENCE, request)


def _no_org(session: Session) -> None:
    made = session.created_agent()
    session.find("slug", "agent", made.metadata.slug, "")
    scoped = samples.reference(made.metadata.slug)
    scoped.scope = made.metadata.owner_scope
    session.call("scope", BY_REFERENCE, scoped)


def _no_slug(session: Session) -> None:
    made = session.created_agent()
    session.find("refused", "agent", "")
    session.find("twin", "agent", made.metadata.slug)


def _wrong_kind(session: Session) -> None:
    made = session.created_agent()
    request = samples.reference(made.metadata.slug, session.org)
    request.kind = kinds.skill
    session.call("refused", BY_REFERENCE, request)
    missing = samples.reference(session.name(), session.org)
    missing.kind = kinds.environment
    session.call("missing", BY_REFERENCE, missing)
    request.kind = UNKNOWN_KIND
    session.call("no_kind", BY_REFERENCE, request, valid=None)
    request.kind = kinds.agent
    session.call("twin", BY_REFERENCE, request)


def _unknown(session: Session) -> None:
    made = session.created_agent()
    slug = made.metadata.slug
    role = "operator" if session.cloud else None
    session.find("unknown", "agent", session.name(), role=role)
    session.find("longer", "agent", f"{slug}1", role=role)
    session.find("capital", "agent", slug.upper(), role=role)
    session.find("org", "agent", slug, session.other_org, role=role)
    platform = session.created_agent("setup.platform", role=role, org="")
    session.find("platform", "agent", platform.metadata.slug, session.org, role=role)
    session.find("twin", "agent", slug, role=role)


def _refused(session: Session) -> None:
    made = session.created_agent()
    slug = made.metadata.slug
    session.find("anonymous", "agent", slug, role="anonymous")
    session.find("outsider", "agent", slug, role="other_org_member")
    session.find("member", "agent", slug, role="org_member")


CHECKS: tuple[Check, ...] = (
    check("REF-FOUND", _found, both(same_answer("setup.create", "org"), same_answer("setup.create", "whole"))),
    check("REF-NO-ORG", _no_org, both(same_answer("setup.create", "slug"), same_answer("setup.create", "scope"))),
    check("REF-SLUG", _no_slug, both(code("refused", "INVALID_ARGUMENT"), accepted("twin"))),
    check(
        "REF-KIND",
        _wrong_kind,
        both(*(code(label, "INVALID_ARGUMENT") for label in ("refused", "missing", "no_kind")), accepted("twin")),
    ),
    check(
        "REF-UNKNOWN",
        _unknown,
        both(code("unknown", "NOT_FOUND"), code("longer", "NOT_FOUND"), code("capital", "NOT_FOUND"), accepted("twin")),
        also={"REF-ORG": both(code("org", "NOT_FOUND"), code("platform", "NOT_FOUND"), accepted("twin"))},
        roles=("caller", "operator"),
    ),
    check(
        "REF-AUTH",
        _refused,
        both(
            code("anonymous", "UNAUTHENTICATED"),
            # A caller who may see none of what a reference finds learns nothing more from NOT_FOUND.
            code("outsider", "PERMISSION_DENIED", "NOT_FOUND"),
            accepted("member"),
        ),
        roles=("caller", "org_member", "other_org_member"),
    ),
)
