"""An instance that an update gives to another agent: below whose it hangs afterwards, and what a refusal tells."""

from __future__ import annotations

from conformance.check import Check, check
from conformance.evidence import Evidence
from conformance.judging import answered, equal, problem
from conformance.requests import new_resource
from conformance.session import Session
from conformance.verdict import Problem

_OPERATIONS = ("update", "apply")
_ROLE = "nobody"


def _exercise(session: Session) -> None:
    """The admin of another organization gives his own instance to an agent of this one, and to one that isn't there."""
    theirs = session.created_agent("agent.theirs").metadata.id
    account = ("identity_account", session.context.identity(_ROLE))
    session.grant("grant", account, "admin", ("organization", session.own_org))
    mine = session.created_agent("agent.mine", role=_ROLE, org=session.own_org)
    request = new_resource(session, "instance", mine.metadata.id)
    request.metadata.org = session.own_org
    made = session.need("mine", "instance.create", request, role=_ROLE)
    for operation in _OPERATIONS:
        for name, agent_id in (("unknown", session.new_id("agent")), ("theirs", theirs)):
            made.spec.agent_id = agent_id
            session.call(f"moved.{name}.{operation}", f"instance.{operation}", made, role=_ROLE)
            session.read(f"after.{name}.{operation}", "instance", made.metadata.id, role="operator")


def _judge(evidence: Evidence) -> list[Problem]:
    agent = evidence["agent.mine"].value("metadata.id")
    found: list[Problem] = []
    for after in evidence.under("after."):
        found += answered(after, "OK")
        found += equal(f"{after.label}: spec.agent_id differs", after, agent, after.value("spec.agent_id", ""))
    for operation in _OPERATIONS:
        unknown, theirs = evidence[f"moved.unknown.{operation}"], evidence[f"moved.theirs.{operation}"]
        if unknown.code != theirs.code:
            text = f"{theirs.label}: the answer tells that the agent exists"
            found.append(problem(text, theirs, expected=unknown.code, actual=theirs.code))
    return found


CHECKS: tuple[Check, ...] = (check("PERM-MOVE", _exercise, _judge, roles=("caller", "operator", _ROLE)),)
