"""Step ValidateFieldConstraints: a request is accepted if and only if the field constraints accept it."""

from __future__ import annotations

import re
from collections.abc import Callable

from conformance import samples
from conformance.check import Check, check
from conformance.constraints import RuleCase, cases
from conformance.evidence import Evidence
from conformance.judging import answered, both, code, problem
from conformance.kinds import KINDS
from conformance.methods import METHODS, Proto
from conformance.session import Session
from conformance.sweeps import no_trace, sweep
from conformance.target_client import Call
from conformance.verdict import Problem

_CHANGES = ("update", "apply")
Sample = Callable[[Session], Proto]
_SUBSCRIPT = re.compile(r"\[[^\]]*\]")
"""Which item of a list it is: counted from 0 or from 1, or left out."""


def _instance(session: Session) -> Proto:
    agent = session.created_agent()
    return samples.instance(session.name(), session.org, agent.metadata.id, resource_id=session.new_id("instance"))


def _environment(session: Session) -> Proto:
    return samples.environment(session.name(), session.org, resource_id=session.new_id("environment"))


def _created_environment(session: Session) -> Proto:
    return session.need("setup.environment", "environment.create", _environment(session))


def _policy(session: Session) -> Proto:
    # A member of an organization that exists only in this check: it gives nobody anything.
    return samples.policy(("identity_account", session.name()), "member", ("organization", session.name()))


def _created_policy(session: Session) -> Proto:
    return session.need("setup.policy", "policy.create", _policy(session), role="operator")


SAMPLES: dict[str, Sample] = {
    "agent.create": lambda s: samples.full_agent(s.name(), s.org, resource_id=s.new_id()),
    "instance.create": _instance,
    "environment.create": _environment,
    "agent.get": lambda s: METHODS["agent.get"].request(value=s.created_agent().metadata.id),
    "agent.by_reference": lambda s: samples.reference(s.created_agent().metadata.slug, s.org),
    "instance.get": lambda s: METHODS["instance.get"].request(
        value=s.need("setup.instance", "instance.create", _instance(s)).metadata.id
    ),
    "instance.by_agent": lambda s: METHODS["instance.by_agent"].request(agent_id=s.created_agent().metadata.id),
    "environment.get": lambda s: METHODS["environment.get"].request(value=_created_environment(s).metadata.id),
    "environment.delete": lambda s: METHODS["environment.delete"].request(
        resource_id=_created_environment(s).metadata.id
    ),
    "list.agents": lambda s: METHODS["list.agents"].request(org=s.org, page={"size": 1}),
    "policy.create": _policy,
    "policy.check": lambda s: METHODS["policy.check"].request(policy=_policy(s)),
    "policy.get": lambda s: METHODS["policy.get"].request(value=_created_policy(s).metadata.id),
}
"""For each method that rules are exercised through: a valid request to the target of a session."""


def _exercise(case: RuleCase) -> Callable[[Session], None]:
    def exercise(session: Session) -> None:
        sample = SAMPLES[case.method]
        role = "operator" if case.method.startswith("policy.") else None
        broken = case.broken(case.trimmed(sample(session)))
        session.note("rule", case.rule.rule_id)
        session.note("field", case.rule.field)
        session.call("broken", case.method, broken, valid=False, role=role)
        for label, also in (("crowded", case.crowded), ("nearly", case.nearly)):
            request = also(case.trimmed(sample(session)))
            if request is not None:
                session.call(label, case.method, request, valid=False, role=role)
        _ask_elsewhere(session, case, role)
        if case.leaves_trace:
            sweep(session, "sweep", case.method.partition(".")[0], broken)
        _change(session, case, broken)
        twin = case.kept(case.trimmed(sample(session)))
        if case.method == "policy.create":
            session.forget_grant_later(twin)
        session.call("twin", case.method, twin, role=role)
        farthest = case.farthest(case.trimmed(sample(session)))
        if farthest is not None:
            session.call("far", case.method, farthest, role=role)

    return exercise


def _change(session: Session, case: RuleCase, broken: Proto) -> None:
    """Send what a create is refused as an update and as an apply; in a quick run as one of the two."""
    kind, _, operation = case.method.partition(".")
    if kind in KINDS and operation == "create":
        taken = session.size(len(_CHANGES), 1)
        first = len(case.rule.id) % len(_CHANGES)
        session.together(
            Call(f"elsewhere.{change}", f"{kind}.{change}", broken) for change in (*_CHANGES, *_CHANGES)[first:][:taken]
        )


def _ask_elsewhere(session: Session, case: RuleCase, role: str | None) -> None:
    """Break the rule wherever else its message stands, and go there to the edge of what it allows, if it has one."""
    for number, (method, path) in enumerate(case.elsewhere):
        broken = case.broken_at(path, case.trimmed(SAMPLES[method](session), (method, path)))
        session.call(f"elsewhere.{number}", method, broken, valid=False, role=role)
        if case.has_edge:
            kept = case.kept_at(path, SAMPLES[method](session))
            if method == "policy.create":
                session.forget_grant_later(kept)
            session.call(f"edge.{number}", method, kept, role=role)


def _field_in_details(evidence: Evidence) -> list[Problem]:
    exchange, field = evidence["broken"], evidence.fact("field")
    named = [row.get("field", "") for detail in exchange.details for row in detail.get("field_violations", ())]
    if field in (_SUBSCRIPT.sub("", path) for path in named):
        return answered(exchange, "INVALID_ARGUMENT")
    return [problem("the details hold no BadRequest that names the field", exchange, expected=field, actual=named)]


def _nested(session: Session) -> None:
    broken = samples.full_agent(session.name(), session.org)
    broken.spec.sub_agents[0].instructions = "short"
    session.note("field", "spec.sub_agents.instructions")
    session.call("broken", "agent.create", broken, valid=False)


def _each_refused(evidence: Evidence) -> list[Problem]:
    """The broken request, and those in which the fault is the last of many or a line's end, where they were made."""
    labels = [label for label in ("broken", "crowded", "nearly") if label == "broken" or label in evidence]
    found = [found for label in labels for found in code(label, "INVALID_ARGUMENT")(evidence)]
    return found + [wrong for row in evidence.under("elsewhere.") for wrong in answered(row, "INVALID_ARGUMENT")]


def _each_accepted(evidence: Evidence) -> list[Problem]:
    """What is right, at the edge of what is allowed and far from it."""
    rows = [evidence["twin"], *evidence.under("edge."), *([evidence["far"]] if "far" in evidence else [])]
    return [wrong for row in rows for wrong in answered(row, "OK")]


def _for_case(case: RuleCase) -> Check:
    also = {f"ATOM-{case.rule.id}": no_trace()} if case.leaves_trace else {}
    kind = case.method.partition(".")[0]
    return check(
        case.rule.id,
        _exercise(case),
        both(_each_refused, _each_accepted),
        also=also,
        roles=("operator",) if kind == "policy" else ("caller",),
        features=("list",) if kind == "list" else (),
    )


CHECKS: tuple[Check, ...] = (
    *(_for_case(case) for case in cases()),
    check("VAL-DETAILS", _nested, _field_in_details),
)
