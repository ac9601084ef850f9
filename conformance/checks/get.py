"""get: one agent by its id, and nothing about ids that the caller may not know."""

from __future__ import annotations

from conformance.check import Check, check
from conformance.evidence import Evidence
from conformance.judging import accepted, both, code, equal, same_answer
from conformance.methods import METHODS
from conformance.session import Session
from conformance.verdict import Problem


def _found(session: Session) -> None:
    made = session.created_agent()
    session.created_agent("setup.other")
    session.read("get", "agent", made.metadata.id)
    session.read("again", "agent", made.metadata.id)


def _unknown(session: Session) -> None:
    made = session.created_agent()
    role = "operator" if session.cloud else None
    session.read("get", "agent", session.new_id(), role=role)
    session.read("longer", "agent", made.metadata.id + "0", role=role)
    session.read("shorter", "agent", made.metadata.id[:-1], role=role)
    session.read("twin", "agent", made.metadata.id, role=role)


def _other_kind(session: Session) -> None:
    made = session.created_agent()
    role = "operator" if session.cloud else None
    session.read("instance", "instance", made.metadata.id, role=role)
    session.read("environment", "environment", made.metadata.id, role=role)
    session.read("agent", "agent", session.default_instance(made), role=role)
    session.read("twin", "agent", made.metadata.id, role=role)


def _refused(session: Session) -> None:
    made = session.created_agent()
    session.read("anonymous", "agent", made.metadata.id, role="anonymous")
    session.read("outsider", "agent", made.metadata.id, role="other_org_member")
    session.read("nobody", "agent", made.metadata.id, role="nobody")
    session.read("hidden", "agent", session.new_id(), role="nobody")
    session.read("member", "agent", made.metadata.id, role="org_member")
    session.read("admin", "agent", made.metadata.id, role="org_admin")


def _platform(session: Session) -> None:
    made = session.created_agent(role="operator", org="")
    session.read("member", "agent", made.metadata.id, role="org_member")
    session.read("operator", "agent", made.metadata.id, role="operator")


def _same_refusal(evidence: Evidence) -> list[Problem]:
    """Existence isn't leaked: the whole status is the same whether the id exists or not, but for the id itself."""
    known, unknown = evidence["nobody"], evidence["hidden"]
    found = equal("an unknown id is answered otherwise", unknown, known.code, unknown.code)
    for what, told in (("message", lambda row: row.message), ("details", lambda row: str(row.details))):
        texts = [told(row).replace(row.request["value"], "ID") for row in (known, unknown)]
        found += equal(f"an unknown id has another {what}", unknown, *texts)
    return found


def _message(evidence: Evidence) -> list[Problem]:
    exchange = evidence["nobody"]
    return equal("wrong message", exchange, METHODS["agent.get"].denied_message, exchange.message)


CHECKS: tuple[Check, ...] = (
    check("GET-FOUND", _found, both(same_answer("setup.create", "get"), same_answer("get", "again"))),
    check(
        "GET-UNKNOWN",
        _unknown,
        both(code("get", "NOT_FOUND"), code("longer", "NOT_FOUND"), code("shorter", "NOT_FOUND"), accepted("twin")),
        roles=("caller", "operator"),
    ),
    check(
        "GET-KIND",
        _other_kind,
        both(
            code("instance", "NOT_FOUND"),
            code("environment", "NOT_FOUND"),
            code("agent", "NOT_FOUND"),
            accepted("twin"),
        ),
        roles=("caller", "operator"),
    ),
    check(
        "GET-AUTH",
        _refused,
        both(
            code("anonymous", "UNAUTHENTICATED"),
            code("outsider", "PERMISSION_DENIED"),
            code("nobody", "PERMISSION_DENIED"),
            accepted("member", "admin"),
        ),
        also={"GET-HIDDEN": both(code("hidden", "PERMISSION_DENIED"), _same_refusal), "GET-MESSAGE": _message},
        roles=("caller", "org_admin", "org_member", "other_org_member", "nobody"),
    ),
    check(
        "GET-PLATFORM",
        _platform,
        both(code("member", "PERMISSION_DENIED"), accepted("operator")),
        roles=("operator", "org_member"),
    ),
)
