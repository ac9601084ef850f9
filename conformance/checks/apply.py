"""apply: the create or the update that a request turns into, the same however often."""

from __future__ import annotations

from conformance import samples
from conformance.check import Check, check
from conformance.evidence import Evidence
from conformance.judging import (
    accepted,
    answer_of,
    answered,
    both,
    code,
    differences,
    equal,
    field_is,
    one_instance,
    problem,
    same_answer,
    sent,
)
from conformance.session import Session
from conformance.sweeps import no_trace, sweep
from conformance.verdict import Problem


def _new(session: Session) -> None:
    made = session.call("apply", "agent.apply", samples.full_agent(session.name(), session.org))
    if made.ok:
        session.read("get", "agent", made.message.metadata.id)
        session.instances("instances", made.message)


def _whole(evidence: Evidence) -> list[Problem]:
    exchange = evidence["apply"]
    if not exchange.ok:
        return answered(exchange, "OK")
    found = one_instance(evidence, "instances", exchange.value("metadata.id"))
    named = exchange.value("status.default_instance_id")
    if not named:
        found.append(problem("the answer names no default instance", exchange))
    return found + equal("event", exchange, "created", exchange.value("status.audit.spec_audit.event"))


def _existing(session: Session) -> None:
    made = session.created_agent("create")
    request = session.agent(name=made.metadata.name)
    request.spec.description = "Applied over it."
    session.call("slug", "agent.apply", request)
    request.metadata.id = made.metadata.id
    request.spec.description = "Applied over it by id."
    session.call("id", "agent.apply", request)
    session.read("get", "agent", made.metadata.id)


def _twice(session: Session) -> None:
    request = samples.full_agent(session.name(), session.org)
    first = session.call("first", "agent.apply", request)
    session.call("second", "agent.apply", request)
    session.call("third", "agent.apply", request)
    if first.ok:
        session.instances("instances", first.message)


def _unchanged_but_audit(evidence: Evidence) -> list[Problem]:
    first = evidence["first"]
    found = answered(first, "OK")
    if found:
        return found
    for label in ("second", "third"):
        again = evidence[label]
        found += answered(again, "OK") or differences(
            _without_audit(first.response), _without_audit(again.response), again
        )
    return found + one_instance(evidence, "instances", first.value("metadata.id"))


def _without_audit(response: dict[str, dict[str, object]]) -> dict[str, object]:
    status = {name: value for name, value in response.get("status", {}).items() if name != "audit"}
    return {**response, "status": status}


def _invalid(session: Session) -> None:
    request = session.agent(resource_id=session.new_id())
    request.spec.instructions = "short"
    session.call("refused", "agent.apply", request, valid=False)
    sweep(session, "sweep", "agent", request)
    session.call("twin", "agent.apply", session.agent())


def _refused(session: Session) -> None:
    made = session.created_agent(role="operator")
    session.read("before", "agent", made.metadata.id)
    over = session.agent(name=made.metadata.name)
    over.spec.description = "Not allowed."
    new = session.agent(resource_id=session.new_id())
    for role in ("anonymous", "other_org_member", "org_member"):
        session.call(f"update.{role}", "agent.apply", over, role=role)
    for role in ("anonymous", "other_org_member"):
        session.call(f"create.{role}", "agent.apply", new, role=role)
    session.read("after", "agent", made.metadata.id)
    sweep(session, "sweep", "agent", new)
    session.call("admin", "agent.apply", over, role="org_admin")
    session.call("member", "agent.apply", session.agent(), role="org_member")


CHECKS: tuple[Check, ...] = (
    check("APL-CREATE", _new, both(_whole, same_answer("apply", "get"))),
    check(
        "APL-UPDATE",
        _existing,
        both(
            *(field_is(label, "metadata.id", answer_of("create", "metadata.id")) for label in ("slug", "id", "get")),
            field_is("get", "spec.description", sent("id", "spec.description")),
            field_is("slug", "status.audit.spec_audit.event", "updated"),
        ),
    ),
    check("APL-TWICE", _twice, _unchanged_but_audit),
    check(
        "APL-INVALID",
        _invalid,
        both(code("refused", "INVALID_ARGUMENT"), accepted("twin")),
        also={"ATOM-APL-INVALID": no_trace()},
    ),
    check(
        "APL-AUTH-UPDATE",
        _refused,
        both(
            code("update.anonymous", "UNAUTHENTICATED"),
            code("update.other_org_member", "PERMISSION_DENIED"),
            code("update.org_member", "PERMISSION_DENIED"),
            accepted("admin"),
        ),
        also={
            "APL-AUTH-CREATE": both(
                code("create.anonymous", "UNAUTHENTICATED"),
                code("create.other_org_member", "PERMISSION_DENIED"),
                accepted("member"),
            ),
            "ATOM-APL-AUTH": both(same_answer("before", "after"), no_trace()),
        },
        roles=("operator", "org_admin", "org_member", "other_org_member"),
    ),
)
