"""update: what is replaced, what never changes, and who may."""

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
    nanoseconds,
    problem,
    same_answer,
    sent,
)
from conformance.methods import METHODS
from conformance.session import Session
from conformance.verdict import Problem
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent

_CHOSEN = ("chosen.update", "chosen.update.get", "chosen.apply", "chosen.apply.get")


def _changed(session: Session, made: Agent) -> Agent:
    """An update of everything that an update may change."""
    request = session.agent(name=f"{made.metadata.name} renamed", resource_id=made.metadata.id)
    request.metadata.labels["colour"] = "blue"
    request.metadata.annotations["why"] = "a test"
    request.metadata.tags.append("changed")
    request.spec.description = "Another description."
    request.spec.instructions = "Response in one long sentence."
    return request


def _update(session: Session) -> None:
    full = samples.full_agent(session.name(), session.org)
    made = session.need("create", "agent.create", full)
    session.read("before", "agent", made.metadata.id)
    default = _change_default(session, made)
    request = _changed(session, made)
    request.metadata.slug = f"other-{session.name()}"
    request.status.default_instance_id = "ain-of-the-client"
    request.status.audit.spec_audit.created_by.id = "somebody-else"
    session.call("update", "agent.update", request)
    session.read("get", "agent", made.metadata.id)
    session.find("find", "agent", made.metadata.slug)
    role = "operator" if session.cloud else None
    session.find("other", "agent", request.metadata.slug, role=role)
    _choose_default(session, request)
    if default:
        session.read("default.after", "instance", default, role=role)


def _change_default(session: Session, agent: Agent) -> str:
    """Change the default instance that the agent names, which the system made, and return its id."""
    default, role = agent.status.default_instance_id, "operator" if session.cloud else None
    before = session.read("default.before", "instance", default, role=role) if default else None
    if before is not None and before.ok:
        request = before.message
        request.metadata.labels["mine"], request.spec.description = "yes", "Changed by hand."
        session.call("default.update", "instance.update", request, role=role)
    return default


def _choose_default(session: Session, request: Agent) -> None:
    """Name another instance of this very agent as its default one, by an update and by an apply."""
    second = samples.instance(session.name(), session.org, request.metadata.id)
    made = session.call("second", "instance.create", second)
    if not made.ok:
        return
    request.metadata.slug, request.status.default_instance_id = "", made.message.metadata.id
    for way in ("update", "apply"):
        session.call(f"chosen.{way}", f"agent.{way}", request)
        session.read(f"chosen.{way}.get", "agent", request.metadata.id)


def _other_org(session: Session) -> None:
    made = session.created_agent("create")
    request = _changed(session, made)
    request.metadata.org = session.other_org
    role = "operator" if session.cloud else None
    session.call("update", "agent.update", request, role=role)
    session.read("get", "agent", made.metadata.id)


def _org_kept(evidence: Evidence) -> list[Problem]:
    """A server may refuse to move an agent or keep it where it is; it must not move it."""
    found = answered(evidence["update"], "OK", "INVALID_ARGUMENT", "PERMISSION_DENIED")
    exchange = evidence["get"]
    wanted = evidence["create"].value("metadata.org")
    return (
        found
        + answered(exchange, "OK")
        + equal("the organization changed", exchange, wanted, exchange.value("metadata.org"))
    )


def _replaced(evidence: Evidence) -> list[Problem]:
    update, get = evidence["update"], evidence["get"]
    failed = answered(update, "OK") + answered(get, "OK")
    return failed or differences(update.request["spec"], get.value("spec", {}), get, "spec")


def _metadata(evidence: Evidence) -> list[Problem]:
    update, get = evidence["update"], evidence["get"]
    failed = answered(update, "OK") + answered(get, "OK")
    if failed:
        return failed
    wanted, actual = update.request["metadata"], get.value("metadata", {})
    return [
        found
        for part in ("name", "labels", "annotations", "tags")
        for found in differences(wanted.get(part, ""), actual.get(part, ""), get, f"metadata.{part}")
    ]


def _default_kept(evidence: Evidence) -> list[Problem]:
    kept = answer_of("create", "status.default_instance_id")
    labels = ("get", *(label for label in _CHOSEN if label in evidence))
    found = [wrong for label in labels for wrong in field_is(label, "status.default_instance_id", kept)(evidence)]
    if "default.update" not in evidence or not evidence["default.update"].ok:
        return found  # updates of instances are asked for elsewhere
    after = evidence["default.after"]
    return found + (answered(after, "OK") or differences(evidence["default.update"].response, after.response, after))


def _audit(evidence: Evidence) -> list[Problem]:
    before, after = evidence["before"], evidence["get"]
    failed = answered(evidence["update"], "OK") + answered(before, "OK") + answered(after, "OK")
    if failed:
        return failed
    where = "status.audit.spec_audit"
    found: list[Problem] = []
    pairs = [(before, after)]
    if "default.update" in evidence and evidence["default.update"].ok:
        pairs.append((evidence["default.before"], evidence["default.update"]))
    for first, last in pairs:
        for part in ("created_by.id", "created_at"):
            kept = first.value(f"{where}.{part}")
            found += equal(f"{part} changed", last, kept, last.value(f"{where}.{part}"))
    found += equal("event", after, "updated", after.value(f"{where}.event"))
    found += equal("updated_by", after, evidence.fact("caller"), after.value(f"{where}.updated_by.id"))
    was, is_now = before.value(f"{where}.updated_at"), after.value(f"{where}.updated_at")
    if not is_now or nanoseconds(is_now) <= nanoseconds(was):
        found.append(problem("updated_at is not later than before", after, expected=f"after {was}", actual=is_now))
    return found


def _by_slug(session: Session) -> None:
    made = session.created_agent("create")
    request = session.agent(name=made.metadata.name)
    request.spec.description = "Found by its slug."
    session.call("update", "agent.update", request)
    session.read("get", "agent", made.metadata.id)


def _unknown(session: Session) -> None:
    role = "operator" if session.cloud else None
    by_id = session.agent(resource_id=session.new_id())
    session.call("id", "agent.update", by_id, role=role)
    session.call("slug", "agent.update", session.agent(), role=role)
    session.read("get", "agent", by_id.metadata.id, role=role)
    session.find("find", "agent", by_id.metadata.name, role=role)
    made = session.created_agent()
    session.call("twin", "agent.update", _changed(session, made), role=role)


def _neither(session: Session) -> None:
    request = session.agent()
    request.metadata.name = ""
    # To anybody else what can't be found is PERMISSION_DENIED.
    session.call("refused", "agent.update", request, role="operator" if session.cloud else None)
    made = session.created_agent()
    session.call("twin", "agent.update", _changed(session, made))


def _invalid(session: Session) -> None:
    made = session.created_agent()
    session.read("before", "agent", made.metadata.id)
    request = _changed(session, made)
    request.spec.instructions = "short"
    session.call("refused", "agent.update", request, valid=False)
    session.read("after", "agent", made.metadata.id)
    unknown = session.agent(resource_id=session.new_id())
    unknown.spec.instructions = "short"
    session.call("unknown", "agent.update", unknown, valid=False)
    session.call("twin", "agent.update", _changed(session, made))


def _refused(session: Session) -> None:
    made = session.created_agent(role="operator")
    session.read("before", "agent", made.metadata.id)
    request = _changed(session, made)
    session.call("anonymous", "agent.update", request, role="anonymous")
    session.call("outsider", "agent.update", request, role="other_org_member")
    session.call("member", "agent.update", request, role="org_member")
    hidden = session.agent(resource_id=session.new_id())
    session.call("hidden", "agent.update", hidden, role="nobody")
    request.spec.instructions = "short"
    session.call("invalid", "agent.update", request, role="anonymous", valid=False)
    session.read("after", "agent", made.metadata.id)
    session.call("admin", "agent.update", _changed(session, made), role="org_admin")


def _message(evidence: Evidence) -> list[Problem]:
    exchange = evidence["outsider"]
    return equal("wrong message", exchange, METHODS["agent.update"].denied_message, exchange.message)


def _after_delete(session: Session) -> None:
    made = session.created_agent()
    session.delete("delete", "agent", made.metadata.id)
    role = "operator" if session.cloud else None
    session.call("update", "agent.update", _changed(session, made), role=role)
    session.read("get", "agent", made.metadata.id, role=role)


CHECKS: tuple[Check, ...] = (
    check(
        "UPD-SPEC",
        _update,
        _replaced,
        also={
            "UPD-METADATA": _metadata,
            "UPD-ANSWER": same_answer("update", "get"),
            "UPD-ID": both(
                field_is("update", "metadata.id", answer_of("create", "metadata.id")),
                field_is("get", "metadata.id", answer_of("create", "metadata.id")),
            ),
            "UPD-SLUG": both(
                field_is("get", "metadata.slug", answer_of("create", "metadata.slug")),
                code("find", "OK"),
                code("other", "NOT_FOUND"),
            ),
            # The contract fixes spec_audit (UPD-AUDIT); status_audit may be kept or set anew.
            "UPD-STATUS": _default_kept,
            "UPD-AUDIT": _audit,
        },
        roles=("caller", "operator"),
    ),
    check("UPD-ORG", _other_org, _org_kept, roles=("caller", "operator")),
    check(
        "UPD-BY-SLUG",
        _by_slug,
        both(
            field_is("update", "metadata.id", answer_of("create", "metadata.id")),
            field_is("get", "spec.description", sent("update", "spec.description")),
        ),
    ),
    check(
        "UPD-UNKNOWN",
        _unknown,
        both(code("id", "NOT_FOUND"), code("slug", "NOT_FOUND"), accepted("twin")),
        also={"ATOM-UPD-UNKNOWN": both(code("get", "NOT_FOUND"), code("find", "NOT_FOUND"))},
        roles=("caller", "operator"),
    ),
    check(
        "UPD-NEITHER",
        _neither,
        both(code("refused", "INVALID_ARGUMENT"), accepted("twin")),
        roles=("caller", "operator"),
    ),
    check(
        "UPD-INVALID",
        _invalid,
        both(code("refused", "INVALID_ARGUMENT"), accepted("twin")),
        also={
            "ATOM-UPD-INVALID": same_answer("before", "after"),
            "ORD-UPD-INVALID-UNKNOWN": code("unknown", "INVALID_ARGUMENT"),
        },
    ),
    check(
        "UPD-AUTH",
        _refused,
        both(
            code("anonymous", "UNAUTHENTICATED"),
            code("outsider", "PERMISSION_DENIED"),
            code("member", "PERMISSION_DENIED"),
            accepted("admin"),
        ),
        also={
            "ATOM-UPD-AUTH": same_answer("before", "after"),
            "ORD-UPD-DENIED-UNKNOWN": code("hidden", "PERMISSION_DENIED"),
            "ORD-UPD-INVALID-ANONYMOUS": code("invalid", "INVALID_ARGUMENT"),
            "UPD-MESSAGE": _message,
        },
        roles=("operator", "org_admin", "org_member", "other_org_member", "nobody"),
    ),
    check(
        "UPD-DELETED",
        _after_delete,
        both(code("update", "NOT_FOUND"), code("get", "NOT_FOUND")),
        roles=("caller", "operator"),
    ),
)
