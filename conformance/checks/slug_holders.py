"""Whose a slug is: that of the organization that is named, and that of the resource which has it now."""

from __future__ import annotations

from collections.abc import Callable

from conformance.check import Check, check
from conformance.evidence import Evidence
from conformance.judging import answered, equal
from conformance.kinds import KINDS
from conformance.methods import Proto
from conformance.requests import new_resource
from conformance.session import Session
from conformance.verdict import Problem

_HOLDERS = ("here", "there")
"""Two resources of one slug, in two organizations."""
_JOINTS = "/:|#"
"""What organization and slug may be joined by in a key."""
_LIVES = 6
"""So many resources have a slug one after another, faster than a clock of seconds goes on; any may be remembered."""


def _named(session: Session, kind: str, name: str, org: str, agent_id: str) -> Proto:
    request = new_resource(session, kind, agent_id)
    request.metadata.name, request.metadata.org = name, org
    return request


def _agent_in(session: Session, kind: str, label: str, org: str) -> str:
    if kind != "instance":
        return ""
    made: Proto = session.created_agent(f"agent.{label}", role="operator", org=org)
    return str(made.metadata.id)


def _two(kind: str) -> Callable[[Session], None]:
    """Change the later one, then the earlier one, each by slug and organization alone."""

    def exercise(session: Session) -> None:
        name = session.name()
        orgs = dict(zip(_HOLDERS, (session.org, session.other_org), strict=True))
        agents = {label: _agent_in(session, kind, label, org) for label, org in orgs.items()}
        made = {
            label: session.need(
                f"made.{label}", f"{kind}.create", _named(session, kind, name, org, agents[label]), role="operator"
            )
            for label, org in orgs.items()
        }
        for operation, label in (("update", "there"), ("apply", "here"), ("apply", "there"), ("update", "here")):
            request = _named(session, kind, name, orgs[label], agents[label])
            request.spec.description = f"{operation} of the one {label}"
            session.call(f"{operation}.{label}", f"{kind}.{operation}", request, role="operator")
            for holder in _HOLDERS:
                read = f"{operation}.{label}.get.{holder}"
                session.read(read, kind, made[holder].metadata.id, role="operator")
        for holder, org in orgs.items():
            session.find(f"find.{holder}", kind, name, org, role="operator")
        _joined(session, kind)

    return exercise


def _joined(session: Session, kind: str) -> None:
    """Make organizations and slugs that are one text when a sign joins them: of each sign, one and the first."""
    org, slug = session.own_org, f"a{'b'.join(_JOINTS)}{session.name()}"
    pairs = [(org, slug), *((f"{org}{sign}{slug[:at]}", slug[at + 1 :]) for at, sign in _signs(slug))]
    for number, (of, given) in enumerate(pairs):
        agent_id = _agent_in(session, kind, f"joined.{number}", of)
        request = _named(session, kind, session.name(), of, agent_id)
        request.metadata.slug = given
        session.call(f"joined.{number}", f"{kind}.create", request, role="operator")
    session.find("joined.find", kind, slug, org, role="operator")


def _signs(slug: str) -> list[tuple[int, str]]:
    return [(at, sign) for at, sign in enumerate(slug) if sign in _JOINTS]


def _each_its_own(evidence: Evidence) -> list[Problem]:
    ids = {holder: evidence[f"made.{holder}"].value("metadata.id") for holder in _HOLDERS}
    told = {holder: evidence[f"made.{holder}"].value("spec.description") for holder in _HOLDERS}
    found: list[Problem] = []
    for operation, label in (("update", "there"), ("apply", "here"), ("apply", "there"), ("update", "here")):
        changed = evidence[f"{operation}.{label}"]
        found += answered(changed, "OK") or equal(
            "which one is changed", changed, ids[label], changed.value("metadata.id")
        )
        told[label] = f"{operation} of the one {label}"
        for holder in _HOLDERS:
            get = evidence[f"{operation}.{label}.get.{holder}"]
            found += answered(get, "OK")
            found += equal(f"the one {holder}", get, told[holder], get.value("spec.description"))
    for holder in _HOLDERS:
        row = evidence[f"find.{holder}"]
        found += answered(row, "OK") or equal("which one is found", row, ids[holder], row.value("metadata.id"))
    found += [wrong for row in evidence.under("joined.") for wrong in answered(row, "OK")]
    row, first = evidence["joined.find"], evidence["joined.0"].value("metadata.id")
    return found + equal("which one is found", row, first, row.value("metadata.id"))


def _one_after_another(kind: str) -> Callable[[Session], None]:
    def exercise(session: Session) -> None:
        name, role = session.name(), "operator" if session.cloud else None
        agent_id = _own_agent(session, kind)
        for life in range(_LIVES):
            made = session.call(f"create.{life}", f"{kind}.create", _named(session, kind, name, session.org, agent_id))
            if not made.ok:
                return
            for times in range(2):
                session.find(f"find.{life}.{times}", kind, name, role=role)
            session.delete(f"delete.{life}", kind, made.message.metadata.id)
            session.find(f"gone.{life}", kind, name, role=role)

    return exercise


def _own_agent(session: Session, kind: str) -> str:
    return str(session.created_agent("agent").metadata.id) if kind == "instance" else ""


def _always_the_last(evidence: Evidence) -> list[Problem]:
    found: list[Problem] = []
    for life in range(_LIVES):
        found += answered(evidence[f"create.{life}"], "OK")
        if found:
            return found
        made = evidence[f"create.{life}"].value("metadata.id")
        for times in range(2):
            row = evidence[f"find.{life}.{times}"]
            found += answered(row, "OK") or equal("which one is found", row, made, row.value("metadata.id"))
        found += answered(evidence[f"delete.{life}"], "OK") + answered(evidence[f"gone.{life}"], "NOT_FOUND")
    return found


CHECKS: tuple[Check, ...] = (
    *(check(f"EXACT-ORG-{kind.upper()}", _two(kind), _each_its_own, roles=("operator",)) for kind in KINDS),
    *(check(f"EXACT-NOW-{kind.upper()}", _one_after_another(kind), _always_the_last) for kind in KINDS),
)
