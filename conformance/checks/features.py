"""What a target doesn't declare it must not half-serve: undeclared features answer UNIMPLEMENTED."""

from __future__ import annotations

from conformance.check import Check, Exercise, check
from conformance.evidence import Evidence, NotAsked
from conformance.judging import Judge, problem
from conformance.session import Session
from conformance.verdict import Problem

PROBED = ("list", "watch", "health", "reflection")


def _probed(feature: str) -> Exercise:
    def exercise(session: Session) -> None:
        declared = session.context.declared.get(feature)
        if declared is None:
            raise NotAsked(f"the target says nothing of {feature}, so what is served is enforced")
        session.note("declared", declared)
        session.note("served", session.context.served.get(feature, False))

    return exercise


def _honest(feature: str) -> Judge:
    def judge(evidence: Evidence) -> list[Problem]:
        declared, served = evidence.fact("declared"), evidence.fact("served")
        if declared is False and served:
            return [problem(f"{feature} isn't declared", expected="UNIMPLEMENTED", actual="it is served")]
        if declared and not served:
            return [problem(f"{feature} is declared", expected="to be served", actual="UNIMPLEMENTED")]
        return []

    return judge


CHECKS: tuple[Check, ...] = tuple(
    check(f"FEAT-{feature.upper()}", _probed(feature), _honest(feature), roles=()) for feature in PROBED
)
