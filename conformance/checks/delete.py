"""delete: what is gone, what goes with it, what stays."""

from __future__ import annotations

from conformance import samples
from conformance.check import Check, check
from conformance.evidence import Evidence, value_at
from conformance.judging import (
    absent,
    accepted,
    answered,
    both,
    choice,
    code,
    equal,
    field_is,
    not_found,
    one_instance,
    problem,
    same_answer,
)
from conformance.methods import METHODS
from conformance.session import Session
from conformance.sweeps import pages_of, read_list
from conformance.target_client import Call
from conformance.verdict import Problem
from protos.ai.stigmer.commons.apiresource.enum_pb2 import identity_account

MANY, SOME = 260, 2
"""So many instances more than the default one, of an ordinary and of a quick run: over 100, over 250, over 256."""


def _gone(session: Session) -> None:
    made = session.created_agent()
    other = session.created_agent("other")
    session.delete("delete", "agent", made.metadata.id)
    role = "operator" if session.cloud else None
    session.read("get", "agent", made.metadata.id, role=role)
    session.find("find", "agent", made.metadata.slug, role=role)
    if session.offers("list"):
        read_list(session, "list", "agent", session.org)
    session.delete("again", "agent", made.metadata.id, role=role)
    session.read("other.get", "agent", other.metadata.id)
    default = session.default_instance(other)
    session.read("other.instance", "instance", default)
    session.delete("other.instance.delete", "instance", default, role=role)
    session.delete("bare", "agent", other.metadata.id, role=role)
    session.read("bare.get", "agent", other.metadata.id, role=role)


def _judge_list(evidence: Evidence) -> list[Problem]:
    if "list" not in evidence:
        return []
    made, found = evidence["setup.create"].value("metadata.id"), list[Problem]()
    for exchange in pages_of(evidence, "list"):
        ids = [value_at(row, "metadata.id") for row in exchange.value("items", [])]
        listed = [problem("a deleted agent is listed", exchange, actual=made)] if made in ids else []
        found += listed or answered(exchange, "OK")
    return found


def _again_by_owner(session: Session) -> None:
    made = session.created_agent(role="org_member")
    session.delete("delete", "agent", made.metadata.id, role="org_member")
    session.delete("again", "agent", made.metadata.id, role="org_member")
    request = samples.environment(session.name(), "")
    request.metadata.owner_scope = identity_account
    own = session.need("own", "environment.create", request, role="org_member")
    session.delete("delete.own", "environment", own.metadata.id, role="org_member")
    session.delete("again.own", "environment", own.metadata.id, role="org_member")


def _unknown(session: Session) -> None:
    role = "operator" if session.cloud else None
    session.delete("refused", "agent", session.new_id(), role=role)
    made = session.created_agent(role=role)
    session.delete("twin", "agent", made.metadata.id, role=role)


def _recreated(session: Session) -> None:
    first = session.created_agent("first")
    session.delete("delete", "agent", first.metadata.id)
    second = session.call("second", "agent.create", session.agent(name=first.metadata.name))
    session.find("find", "agent", first.metadata.slug)
    if second.ok:
        session.instances("instances", second.message)


def _whole_again(evidence: Evidence) -> list[Problem]:
    second = evidence["second"]
    if not second.ok:
        return answered(second, "OK")
    found = one_instance(evidence, "instances", second.value("metadata.id"))
    named = second.value("status.default_instance_id")
    if not named or named == evidence["first"].value("status.default_instance_id"):
        found.append(problem("the second agent has no default instance of its own", second, actual=named))
    return found


def _with_instances(session: Session) -> None:
    made = session.created_agent()
    request = samples.instance(session.name(), session.org, made.metadata.id, resource_id=session.new_id("instance"))
    second = session.need("setup.instance", "instance.create", request)
    more = [
        samples.instance(session.name(), session.org, made.metadata.id, resource_id=session.new_id("instance"))
        for _ in range(session.size(MANY, quick=SOME))
    ]
    session.together(Call(f"more.{n}", "instance.create", request) for n, request in enumerate(more))
    role = "operator" if session.cloud else None
    seen = {"default": session.default_instance(made), "second": second.metadata.id}
    _read_by_each(session, "before", seen)
    session.delete("delete", "agent", made.metadata.id)
    _read_by_each(session, "after", seen)
    gets = [session.by_id("instance.get", request.metadata.id) for request in more]
    session.together(Call(f"left.{n}", "instance.get", request, role) for n, request in enumerate(gets))
    session.read("default", "instance", session.default_instance(made), role=role)
    session.read("second", "instance", second.metadata.id, role=role)
    session.find("slug", "instance", f"{made.metadata.slug}-default", role=role)
    by_agent = METHODS["instance.by_agent"].request(agent_id=made.metadata.id)
    session.call("by_agent", "instance.by_agent", by_agent, role=role)
    heir = session.created_agent("setup.heir").metadata.id
    request = samples.instance(session.name(), session.org, heir, slug=second.metadata.slug)
    session.call("slug.again", "instance.create", request)


def _read_by_each(session: Session, label: str, instances: dict[str, str]) -> None:
    """Read instances as the caller and as an operator: who has read one before reads it no more when it is gone."""
    for role in dict.fromkeys((None, "operator" if session.cloud else None)):
        for name, one in instances.items():
            session.read(f"{label}.{role or 'caller'}.{name}", "instance", one, role=role)


def _none_left(evidence: Evidence) -> list[Problem]:
    """Not one of many is left, however many a server takes at a time."""
    found = [wrong for row in evidence.under("more.") for wrong in answered(row, "OK")]
    return found + [wrong for row in evidence.under("left.") for wrong in answered(row, "NOT_FOUND")]


def _all_or_none(evidence: Evidence) -> list[Problem]:
    """Whether instances go is a choice; that some of those that are alike go and others stay is none."""
    rows = [evidence["second"], *evidence.under("left.")]
    left = [row for row in rows if row.ok]
    if not left:
        return [
            problem(f"{row.label}: what is gone is still answered", row, expected="NOT_FOUND", actual=row.code)
            for row in evidence.under("after.")
            if row.ok
        ]
    if len(left) == len(rows):
        return []
    return [
        problem(
            "some instances of a deleted agent are left", left[0], expected="none", actual=f"{len(left)} of {len(rows)}"
        )
    ]


def _slug_free(evidence: Evidence) -> list[Problem]:
    """The slug of an instance that went is free; of one that a server has kept it is taken."""
    return [] if evidence["second"].ok else answered(evidence["slug.again"], "OK")


def _no_instances(evidence: Evidence) -> list[Problem]:
    exchange = evidence["by_agent"]
    empty = exchange.ok and not exchange.value("items", []) and not exchange.value("total_count", 0)
    return [] if empty or not_found(exchange) else [problem("instances of a deleted agent", exchange, expected="none")]


_TRUE, _FALSE = True, False
_GRANTED_BEFORE = tuple(f"before.{name}" for name in ("agent", "instance", "set", "other"))
"""Whether what was granted to the agent, to its default instance, to a set of the agent, and to another one holds."""


def _policies(session: Session) -> None:
    made = session.created_agent(role="org_member")
    owner = ("identity_account", session.context.identity("org_member"))
    resource = ("agent", made.metadata.id)
    instance = ("agent_instance", session.default_instance(made))
    session.holds("before", owner, "owner", resource)
    room = ("organization", session.name())
    principals = {
        "agent": resource,
        "instance": instance,
        "set": (*resource, "owner"),
        "other": ("agent", session.name()),
    }
    for name, principal in principals.items():
        session.grant(f"setup.{name}", principal, "member", room)
        session.holds(f"before.{name}", principal, "member", room)
    viewer = ("identity_account", session.context.identity("nobody"))
    session.grant("setup.viewer", viewer, "can_view", resource)
    session.delete("delete", "agent", made.metadata.id, role="org_member")
    session.holds("viewer", viewer, "can_view", resource)
    session.holds("owner", owner, "owner", resource)
    session.holds("parent", ("organization", session.org), "organization", resource)
    session.holds("instance", ("agent", made.metadata.id), "agent", instance)
    for name, principal in principals.items():
        session.holds(f"after.{name}", principal, "member", room)


def _refused(session: Session) -> None:
    made = session.created_agent()
    session.read("before", "agent", made.metadata.id)
    session.delete("anonymous", "agent", made.metadata.id, role="anonymous")
    session.delete("outsider", "agent", made.metadata.id, role="other_org_member")
    session.delete("member", "agent", made.metadata.id, role="org_member")
    session.delete("hidden", "agent", session.new_id(), role="nobody")
    session.read("after", "agent", made.metadata.id)
    session.delete("admin", "agent", made.metadata.id, role="org_admin")


def _message(evidence: Evidence) -> list[Problem]:
    exchange = evidence["outsider"]
    return equal("wrong message", exchange, METHODS["agent.delete"].denied_message, exchange.message)


CHECKS: tuple[Check, ...] = (
    check(
        "DEL-GONE",
        _gone,
        both(
            accepted("delete", "bare"),
            code("get", "NOT_FOUND"),
            code("bare.get", "NOT_FOUND"),
            absent("find"),
            _judge_list,
        ),
        also={
            "DEL-ANSWER": same_answer("setup.create", "delete"),
            "DEL-AGAIN": code("again", "NOT_FOUND"),
            "DEL-OTHERS": both(same_answer("other", "other.get"), accepted("other.instance")),
        },
        roles=("caller", "operator"),
    ),
    check(
        "DEL-AGAIN-OWNER",
        _again_by_owner,
        both(
            accepted("delete", "delete.own"),
            *(choice(code(label, "PERMISSION_DENIED"), "NOT_FOUND") for label in ("again", "again.own")),
        ),
        roles=("org_member",),
    ),
    check("DEL-UNKNOWN", _unknown, both(code("refused", "NOT_FOUND"), accepted("twin")), roles=("caller", "operator")),
    check(
        "DEL-SLUG-FREE",
        _recreated,
        both(accepted("delete", "second"), same_answer("second", "find")),
        also={"DEL-RECREATE": _whole_again},
    ),
    check(
        "DEL-INSTANCES",
        _with_instances,
        both(
            accepted("delete"),
            _all_or_none,
            _slug_free,
            choice(
                both(
                    code("default", "NOT_FOUND"),
                    code("second", "NOT_FOUND"),
                    absent("slug"),
                    _no_instances,
                    _none_left,
                ),
                "OK",
            ),
        ),
        roles=("caller", "operator"),
    ),
    check(
        "DEL-POLICIES",
        _policies,
        both(
            *(field_is(label, "is_authorized", _TRUE) for label in ("before", *_GRANTED_BEFORE, "after.other")),
            *(
                choice(field_is(label, "is_authorized", _FALSE), "OK")
                for label in (
                    "owner",
                    "viewer",
                    "parent",
                    "instance",
                    "after.agent",
                    "after.instance",
                    "after.set",
                )
            ),
        ),
        roles=("caller", "org_member", "operator", "nobody"),
    ),
    check(
        "DEL-AUTH",
        _refused,
        both(
            code("anonymous", "UNAUTHENTICATED"),
            code("outsider", "PERMISSION_DENIED"),
            code("member", "PERMISSION_DENIED"),
            accepted("admin"),
        ),
        also={
            "ATOM-DEL-AUTH": same_answer("before", "after"),
            "DEL-HIDDEN": code("hidden", "PERMISSION_DENIED"),
            "DEL-MESSAGE": _message,
        },
        roles=("operator", "org_admin", "org_member", "other_org_member", "nobody"),
    ),
)
