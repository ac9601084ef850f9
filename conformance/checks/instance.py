"""AgentInstance: the same steps as an agent but for the default instance; and the list of an agent's instances."""

from __future__ import annotations

import re

from conformance import samples
from conformance.check import Check, check
from conformance.evidence import Evidence, value_at
from conformance.judging import (
    absent,
    accepted,
    answer_of,
    answered,
    asked_if,
    both,
    choice,
    code,
    differences,
    equal,
    fact,
    field_is,
    problem,
    same_answer,
    sent,
    was_refused,
)
from conformance.methods import METHODS
from conformance.session import Session
from conformance.sweeps import no_trace, sweep
from conformance.verdict import Problem
from protos.ai.stigmer.agentic.agentinstance.v1.api_pb2 import AgentInstance

_ID = re.compile("ain-[0-9a-hjkmnp-tv-z]{26}")


def _request(session: Session, agent_id: str, **changes: str) -> AgentInstance:
    return samples.instance(changes.pop("name", session.name()), session.org, agent_id, **changes)


def _by_agent(
    session: Session, label: str, agent_id: str, num: int = 0, size: int = 0, *, role: str | None = None
) -> None:
    request = METHODS["instance.by_agent"].request(agent_id=agent_id)
    if num or size:
        request.page_info.num, request.page_info.size = num, size
    session.call(label, "instance.by_agent", request, role=role)


def _create(session: Session) -> None:
    agent = session.created_agent()
    session.note("agent", agent.metadata.id)
    unique = session.name()
    session.note("slug", f"an-instance-{unique}")
    made = session.call("create", "instance.create", _request(session, agent.metadata.id, name=f"An Instance {unique}"))
    if made.ok:
        session.read("get", "instance", made.message.metadata.id)
        session.find("find", "instance", made.message.metadata.slug)
    session.read("agent", "agent", agent.metadata.id)
    _by_agent(session, "instances", agent.metadata.id)


def _round_trip(evidence: Evidence) -> list[Problem]:
    created, read = evidence["create"], evidence["get"] if "get" in evidence else evidence["create"]
    failed = answered(created, "OK") + answered(read, "OK")
    if failed:
        return failed
    made = read.value("metadata.id")
    found = [] if _ID.fullmatch(made) else [problem("wrong form of id", read, expected="ain- and ULID", actual=made)]
    found += differences(created.request["spec"], read.value("spec", {}), read, "spec")
    for audit in ("spec_audit", "status_audit"):
        found += equal(f"{audit}.event", read, "created", read.value(f"status.audit.{audit}.event"))
        found += equal(
            f"{audit}.created_by", read, evidence.fact("caller"), read.value(f"status.audit.{audit}.created_by.id")
        )
    return found


def _agent_untouched(evidence: Evidence) -> list[Problem]:
    """An instance's create has no default instance of its own and doesn't touch its agent."""
    found = differences(evidence["setup.create"].response, evidence["agent"].response, evidence["agent"])
    return found + equal(
        "instances of the agent", evidence["instances"], 2, len(evidence["instances"].value("items", []))
    )


def _no_parent(session: Session) -> None:
    agent = session.created_agent()
    role = "operator" if session.cloud else None
    missing = session.new_id()
    request = _request(session, missing, resource_id=session.new_id("instance"))
    session.call("refused", "instance.create", request, role=role)
    sweep(session, "sweep", "instance", request, role=role)
    environment_refs = _request(session, missing)
    environment_refs.spec.environment_refs[0].ClearField("kind")
    session.call("invalid", "instance.create", environment_refs, role=role, valid=False)
    session.call("twin", "instance.create", _request(session, agent.metadata.id), role=role)


def _duplicates(session: Session) -> None:
    agent = session.created_agent()
    other = session.created_agent("setup.other")
    first = session.need("first", "instance.create", _request(session, agent.metadata.id))
    again = _request(session, other.metadata.id, name=first.metadata.name)
    session.call("slug", "instance.create", again)
    session.call("id", "instance.create", _request(session, agent.metadata.id, resource_id=first.metadata.id))
    default = session.read("setup.default", "instance", session.default_instance(agent))
    if default.ok:
        taken = _request(session, agent.metadata.id, slug=default.message.metadata.slug)
        session.call("default", "instance.create", taken)
    session.read("get", "instance", first.metadata.id)
    session.call("twin", "instance.create", _request(session, agent.metadata.id))


def _life(session: Session) -> None:
    agent = session.created_agent()
    made = session.need("create", "instance.create", _request(session, agent.metadata.id))
    changed = _request(session, agent.metadata.id, name=f"{made.metadata.name} renamed", resource_id=made.metadata.id)
    changed.spec.description = "Another description."
    del changed.spec.environment_refs[:]
    session.call("update", "instance.update", changed)
    session.read("get", "instance", made.metadata.id)
    changed.spec.description = "Applied."
    session.call("apply", "instance.apply", changed)
    session.call("new", "instance.apply", _request(session, agent.metadata.id))
    session.delete("delete", "instance", made.metadata.id)
    role = "operator" if session.cloud else None
    session.read("gone", "instance", made.metadata.id, role=role)
    session.find("gone.find", "instance", made.metadata.slug, role=role)
    session.delete("again", "instance", made.metadata.id, role=role)
    session.read("agent", "agent", agent.metadata.id)


def _updated(evidence: Evidence) -> list[Problem]:
    update, get, created = evidence["update"], evidence["get"], evidence["create"]
    failed = answered(update, "OK") + answered(get, "OK")
    if failed:
        return failed
    found = differences(update.request["spec"], get.value("spec", {}), get, "spec")
    for part in ("id", "slug", "org"):
        found += equal(part, get, created.value(f"metadata.{part}"), get.value(f"metadata.{part}"))
    found += equal("name", get, update.request["metadata"]["name"], get.value("metadata.name"))
    found += equal("event", get, "updated", get.value("status.audit.spec_audit.event"))
    created_at = "status.audit.spec_audit.created_at"
    return found + equal("created_at", get, created.value(created_at), get.value(created_at))


def _moved(session: Session) -> None:
    """Give two instances to another agent, by an update and by an apply; delete the agent that had them."""
    one, two = session.created_agent("setup.one"), session.created_agent("setup.two")
    for way in ("update", "apply"):
        made = session.need(f"setup.{way}", "instance.create", _request(session, one.metadata.id))
        request = _request(session, two.metadata.id, name=made.metadata.name, resource_id=made.metadata.id)
        session.call(way, f"instance.{way}", request)
    for label, agent in (("had", one), ("has", two)):
        _by_agent(session, label, agent.metadata.id)
    session.delete("delete", "agent", one.metadata.id)
    for way in ("update", "apply"):
        session.read(f"kept.{way}", "instance", session.evidence()[f"setup.{way}"].value("metadata.id"))


def _elsewhere(evidence: Evidence) -> list[Problem]:
    found: list[Problem] = []
    moved = [evidence[f"setup.{way}"].value("metadata.id") for way in ("update", "apply")]
    for label, agent, more in (("had", "one", []), ("has", "two", moved)):
        row = evidence[label]
        wanted = {evidence[f"setup.{agent}"].value("status.default_instance_id"), *more}
        found += answered(row, "OK") + equal(f"{label}: instances", row, wanted, set(_ids(evidence, label)))
        found += equal(f"{label}: total_count", row, len(wanted), row.value("total_count", 0))
    return found + accepted("update", "apply", "delete", "kept.update", "kept.apply")(evidence)


def _refused(session: Session) -> None:
    agent = session.created_agent()
    for role in ("anonymous", "other_org_member", "nobody"):
        request = _request(session, agent.metadata.id, resource_id=session.new_id("instance"))
        session.call(f"create.{role}", "instance.create", request, role=role)
        sweep(session, f"sweep.{role}", "instance", request, role=role)
    session.call("hidden", "instance.create", _request(session, session.new_id()), role="nobody")
    default = session.default_instance(agent)
    session.read("read.outsider", "instance", default, role="other_org_member")
    session.read("read.anonymous", "instance", default, role="anonymous")
    session.read("read.unknown", "instance", session.new_id("instance"), role="nobody")
    session.delete("delete.outsider", "instance", default, role="other_org_member")
    changed = _request(session, agent.metadata.id, resource_id=default)
    session.call("update.outsider", "instance.update", changed, role="other_org_member")
    session.read("read.member", "instance", default, role="org_member")
    session.call("create.admin", "instance.create", _request(session, agent.metadata.id), role="org_admin")


def _owner(session: Session) -> None:
    agent = session.created_agent(role="org_member")
    made = session.need("create", "instance.create", _request(session, agent.metadata.id), role="org_member")
    resource = ("agent_instance", made.metadata.id)
    session.holds("owner", ("identity_account", session.context.identity("org_member")), "owner", resource)
    session.holds("agent", ("agent", agent.metadata.id), "agent", resource)
    session.holds("org", ("organization", session.org), "organization", resource)
    session.holds("other", ("organization", session.other_org), "organization", resource)


def _ids(evidence: Evidence, label: str) -> list[str]:
    return [value_at(row, "metadata.id") for row in evidence[label].value("items", [])]


CHECKS: tuple[Check, ...] = (
    check(
        "INS-CREATE",
        _create,
        both(_round_trip, same_answer("create", "get"), same_answer("create", "find")),
        also={"INS-SLUG": field_is("create", "metadata.slug", fact("slug")), "INS-ALONE": _agent_untouched},
    ),
    check(
        "INS-PARENT",
        _no_parent,
        both(
            choice(code("refused", "NOT_FOUND"), "OK", "FAILED_PRECONDITION", "INVALID_ARGUMENT"),
            accepted("twin"),
        ),
        also={
            "ATOM-INS-PARENT": asked_if(
                was_refused("refused"), "the create was accepted, so nothing was refused", no_trace()
            ),
            "ORD-INS-INVALID-PARENT": code("invalid", "INVALID_ARGUMENT"),
        },
        roles=("caller", "operator"),
    ),
    check(
        "INS-DUPLICATE",
        _duplicates,
        both(
            code("slug", "ALREADY_EXISTS"),
            code("id", "ALREADY_EXISTS"),
            code("default", "ALREADY_EXISTS"),
            same_answer("first", "get"),
            accepted("twin"),
        ),
    ),
    check(
        "INS-UPDATE",
        _life,
        both(_updated, same_answer("update", "get")),
        also={
            "INS-APPLY": both(
                field_is("apply", "metadata.id", answer_of("create", "metadata.id")),
                field_is("apply", "spec.description", sent("apply", "spec.description")),
                accepted("new"),
            ),
            "INS-DELETE": both(
                field_is("delete", "metadata.id", answer_of("create", "metadata.id")),
                code("gone", "NOT_FOUND"),
                absent("gone.find"),
                code("again", "NOT_FOUND"),
                same_answer("setup.create", "agent"),
            ),
        },
        roles=("caller", "operator"),
    ),
    check(
        "INS-AUTH-CREATE",
        _refused,
        both(
            code("create.anonymous", "UNAUTHENTICATED"),
            code("create.other_org_member", "PERMISSION_DENIED"),
            code("create.nobody", "PERMISSION_DENIED"),
            accepted("create.admin"),
        ),
        also={
            "ATOM-INS-AUTH": both(*(no_trace(f"sweep.{role}") for role in ("anonymous", "other_org_member", "nobody"))),
            "ORD-INS-DENIED-PARENT": code("hidden", "PERMISSION_DENIED"),
            "INS-AUTH-OTHERS": both(
                code("read.outsider", "PERMISSION_DENIED"),
                code("read.anonymous", "UNAUTHENTICATED"),
                code("read.unknown", "PERMISSION_DENIED"),
                code("delete.outsider", "PERMISSION_DENIED"),
                code("update.outsider", "PERMISSION_DENIED"),
                accepted("read.member"),
            ),
        },
        roles=("caller", "org_admin", "org_member", "other_org_member", "nobody"),
    ),
    check(
        "INS-POLICIES",
        _owner,
        both(
            *(field_is(label, "is_authorized", True) for label in ("owner", "agent", "org")),  # noqa: FBT003
            field_is("other", "is_authorized", False),  # noqa: FBT003
        ),
        roles=("org_member",),
    ),
    check("BYA-MOVED", _moved, _elsewhere),
)
