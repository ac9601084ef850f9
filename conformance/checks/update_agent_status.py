"""Step UpdateAgentStatusWithDefaultInstance of create: the agent knows its default instance."""

from __future__ import annotations

from conformance.check import Check, check
from conformance.evidence import Evidence, value_at
from conformance.judging import Judge, answered, equal, instances_shown, problem
from conformance.session import Session
from conformance.verdict import Problem

FIELD = "status.default_instance_id"


def _create(session: Session) -> None:
    made = session.call("create", "agent.create", session.agent())
    if made.ok:
        metadata = made.message.metadata
        session.instances("instances", made.message)
        session.read("get", "agent", metadata.id)
        session.find("find", "agent", metadata.slug)


def _names_the_instance(*labels: str) -> Judge:
    def judge(evidence: Evidence) -> list[Problem]:
        failed = answered(evidence["create"], "OK")
        if failed:
            return failed
        items = instances_shown(evidence, "instances", evidence["create"].value("metadata.id"))
        instance = value_at(items[0], "metadata.id") if items else ""
        found: list[Problem] = []
        for label in labels:
            exchange = evidence[label]
            named = exchange.value(FIELD)
            if not named:
                found.append(problem(f"{label}: {FIELD} is empty", exchange, expected=instance or "an instance's id"))
            elif instance:
                found += equal(f"{label}: {FIELD} isn't the instance's id", exchange, instance, named)
        return found

    return judge


CHECKS: tuple[Check, ...] = (
    check(
        "STAT-RESPONSE",
        _create,
        _names_the_instance("create"),
        also={"STAT-STORED": _names_the_instance("get", "find")},
    ),
)
