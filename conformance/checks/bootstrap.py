"""The bootstrap methods of policies: what they answer is a policy that is there, also to whoever asks twice."""

from __future__ import annotations

from collections.abc import Callable

from conformance import samples
from conformance.check import Check, check
from conformance.evidence import Evidence, NotAsked
from conformance.judging import answered, equal
from conformance.methods import METHODS
from conformance.session import Session
from conformance.verdict import Problem

_METHODS = {"IAM-BOOTSTRAP": "policy.bootstrapPolicy", "IAM-PLATFORM-LINK": "policy.createPlatformLink"}

_TIMES = ("first", "again", "anew")
"""Twice, and once more when the policy was revoked."""


def _twice(method: str) -> Callable[[Session], None]:
    def exercise(session: Session) -> None:
        if session.call("served", method, METHODS[method].request(), valid=None).exchange.code == "UNIMPLEMENTED":
            raise NotAsked(f"the target doesn't serve {METHODS[method].path}")
        request = samples.policy(("platform", "stigmer"), "platform", ("organization", session.name()))
        session.forget_grant_later(request)
        for label in _TIMES:
            if label == "anew":
                session.call("revoke", "policy.delete", request, role="operator")
            made = session.call(label, method, request, role="operator")
            if made.ok:
                by_id = session.by_id("policy.get", made.message.metadata.id)
                session.call(f"{label}.get", "policy.get", by_id, role="operator")

    return exercise


def _is_there(evidence: Evidence) -> list[Problem]:
    found: list[Problem] = []
    found += answered(evidence["revoke"], "OK")
    for label in _TIMES:
        made, read = evidence[label], evidence.under(f"{label}.get")
        found += answered(made, "OK")
        for row in read:
            found += answered(row, "OK")
            found += equal(f"{label}: the policy that is there", row, made.value("spec"), row.value("spec"))
    return found


CHECKS: tuple[Check, ...] = tuple(
    check(requirement, _twice(method), _is_there, roles=("operator",)) for requirement, method in _METHODS.items()
)
