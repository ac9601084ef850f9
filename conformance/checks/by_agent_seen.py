"""getByAgent: who is shown which instances of an agent."""

from __future__ import annotations

from conformance import samples
from conformance.check import Check, check
from conformance.evidence import Evidence, value_at
from conformance.judging import accepted, answered, equal
from conformance.methods import METHODS
from conformance.session import Session
from conformance.verdict import Problem

_STRANGERS = ("other_org_member", "nobody")


def _exercise(session: Session) -> None:
    agent = session.created_agent()
    session.note("default", session.default_instance(agent))
    for role in ("org_member", *_STRANGERS):
        _ask(session, role, agent.metadata.id, role)
    _unlinked(session)


def _unlinked(session: Session) -> None:
    """Who may view an agent, and sees its instance by the link between them alone, is read to once that is cut."""
    agent = session.created_agent("setup.linked", role="operator", org=session.own_org)
    default = session.default_instance(agent)
    account = ("identity_account", session.context.identity("nobody"))
    session.grant("grant", account, "can_view", ("agent", agent.metadata.id))
    link = samples.policy(("agent", agent.metadata.id), "agent", ("agent_instance", default))
    session.call("cut", "policy.delete", link, role="operator")
    session.read("cut.agent", "agent", agent.metadata.id, role="nobody")
    session.read("cut.get", "instance", default, role="nobody")
    _ask(session, "cut.listed", agent.metadata.id, "nobody")


def _ask(session: Session, label: str, agent_id: str, role: str) -> None:
    session.call(label, "instance.by_agent", METHODS["instance.by_agent"].request(agent_id=agent_id), role=role)


def _ids(evidence: Evidence, label: str) -> list[str]:
    return [value_at(row, "metadata.id") for row in evidence[label].value("items", [])]


def _judge(evidence: Evidence) -> list[Problem]:
    found = answered(evidence["org_member"], "OK")
    found += equal("a member sees", evidence["org_member"], [evidence.fact("default")], _ids(evidence, "org_member"))
    for role in _STRANGERS:
        found += answered(evidence[role], "OK", "PERMISSION_DENIED")
        found += equal(f"{role} sees", evidence[role], [], _ids(evidence, role))
        found += equal(f"{role} counts", evidence[role], 0, evidence[role].value("total_count", 0))
    found += accepted("grant", "cut")(evidence)
    # Whether a policy can give a permission itself is a server's choice.
    found += answered(evidence["cut.agent"], "OK", "PERMISSION_DENIED")
    listed, shown = evidence["cut.listed"], int(evidence["cut.get"].ok)
    found += equal("listed to who sees the agent, as far as read", listed, shown, len(_ids(evidence, "cut.listed")))
    return found + equal("counted for who sees the agent", listed, shown, listed.value("total_count", 0))


CHECKS: tuple[Check, ...] = (
    check("BYA-VISIBLE", _exercise, _judge, roles=("caller", "operator", "org_member", *_STRANGERS)),
)
