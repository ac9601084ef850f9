"""apply: the create or the update that a request turns into, the same however often."""

from __future__ import annotations

from conformance import samples
from conformance.check import Check, check
from conformance.evidence import Evidence, Json, NotAsked
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


def _taken_id(session: Session) -> None:
    """Apply something of another slug under an id that is taken."""
    made = session.created_agent("create")
    other = session.agent(slug=f"other-{session.name()}", resource_id=made.metadata.id)
    other.spec.description = "Of another slug."
    session.call("apply", "agent.apply", other)
    session.read("get", "agent", made.metadata.id)
    session.find("find", "agent", made.metadata.slug)
    session.find("other", "agent", other.metadata.slug)
    session.instances("instances", made)


_KEPT = (
    "metadata.id",
    "metadata.slug",
    "metadata.org",
    "status.default_instance_id",
    "status.audit.spec_audit.created_at",
    "status.audit.spec_audit.created_by.id",
)
"""What tells an update from another resource under the same id."""


def _namesake(session: Session) -> None:
    """Apply something new under the name that another one was given, which is no slug of anybody's."""
    made = session.created_agent("create")
    renamed = session.agent(name=session.name(), resource_id=made.metadata.id)
    session.call("rename", "agent.update", renamed)
    session.call("apply", "agent.apply", session.agent(name=renamed.metadata.name))
    session.read("get", "agent", made.metadata.id)
    session.call("taken", "agent.create", session.agent(name=made.metadata.name))


def _made_anew(evidence: Evidence) -> list[Problem]:
    made, applied, get = evidence["create"], evidence["apply"], evidence["get"]
    found = answered(evidence["rename"], "OK") + answered(applied, "OK") + answered(get, "OK")
    if applied.ok and applied.value("metadata.id") == made.value("metadata.id"):
        found.append(
            problem("it overwrote what has its name", applied, expected="a new agent", actual="the renamed one")
        )
    found += differences(evidence["rename"].response, get.response, get)
    return found + answered(evidence["taken"], "ALREADY_EXISTS")


def _replaced_nothing(evidence: Evidence) -> list[Problem]:
    made, applied, get = evidence["create"], evidence["apply"], evidence["get"]
    found = answered(applied, "OK", "ALREADY_EXISTS", "FAILED_PRECONDITION", "INVALID_ARGUMENT") + answered(get, "OK")
    if not applied.ok:
        return found + differences(made.response, get.response, get)
    for path in _KEPT:
        found += equal(f"{path} isn't kept", get, made.value(path), get.value(path))
    found += answered(evidence["find"], "OK") + absent("other")(evidence)
    return found + one_instance(evidence, "instances", made.value("metadata.id"))


def _half(session: Session) -> None:
    """Take its default instance from an agent and apply it again. Raises NotAsked where a server doesn't let it go."""
    made = session.created_agent("create")
    default = session.default_instance(made)
    session.read("first", "instance", default)
    if not session.delete("halve", "instance", default).ok:
        raise NotAsked("the target doesn't let go of a default instance, so that it has no half agents")
    applied = session.call("apply", "agent.apply", session.agent(name=made.metadata.name))
    if applied.ok:
        healed = session.read("get", "agent", made.metadata.id)
        named = healed.message.status.default_instance_id if healed.ok else ""
        session.read("default", "instance", named or default)
        if session.cloud:
            session.holds("link", ("agent", made.metadata.id), "agent", ("agent_instance", named or default))
    _taken_slug(session)


def _taken_slug(session: Session) -> None:
    """The default instance is gone, and another instance of the same agent has its slug."""
    made = session.created_agent("taken.create")
    default = session.need(
        "taken.default", "instance.get", session.by_id("instance.get", session.default_instance(made))
    )
    session.delete("taken.halve", "instance", default.metadata.id)
    other = samples.instance(default.metadata.name, session.org, made.metadata.id, slug=default.metadata.slug)
    session.call("taken.other", "instance.create", other)
    applied = session.call("taken.apply", "agent.apply", session.agent(name=made.metadata.name))
    if applied.ok:
        session.read("taken.named", "instance", applied.message.status.default_instance_id or default.metadata.id)


def _healed_or_refused(evidence: Evidence) -> list[Problem]:
    applied = evidence["apply"]
    if not applied.ok:
        return answered(applied, "FAILED_PRECONDITION")
    get, default = evidence["get"], evidence["default"]
    found = answered(get, "OK")
    belongs = default.ok and default.value("spec.agent_id") == get.value("metadata.id")
    if not belongs:
        found.append(problem("answered OK, and the agent has no default instance", applied, expected="an instance"))
    return found


def _answered_as_read(evidence: Evidence) -> list[Problem]:
    """Healed or not, the answer tells what is stored."""
    applied = evidence["apply"]
    if not applied.ok:
        return []
    get = evidence["get"]
    return answered(get, "OK") + equal("status", get, applied.value("status"), get.value("status"))


def _healed_with_what_there_is(evidence: Evidence) -> list[Problem]:
    """Where something has the slug of a default instance, a server may refuse to make one for that reason too."""
    applied = evidence["taken.apply"]
    if not applied.ok:
        return answered(applied, "FAILED_PRECONDITION", "ALREADY_EXISTS")
    named = evidence["taken.named"]
    if named.ok and named.value("spec.agent_id") == applied.value("metadata.id"):
        return []
    return [problem("answered OK, and names no instance of the agent", applied, expected="an instance")]


def _was_healed(evidence: Evidence) -> bool:
    """Whether the agent has a default instance again; that it should is asked by APL-HALF."""
    return evidence["apply"].ok and evidence["default"].ok


def _like_the_first(evidence: Evidence) -> list[Problem]:
    """All but id and times is as the create made it."""
    first, healed = evidence["first"], evidence["default"]
    found = answered(first, "OK") or differences(_without_own(first.response), _without_own(healed.response), healed)
    if evidence.fact("profile") == "cloud":
        found += field_is("link", "is_authorized", True)(evidence)  # noqa: FBT003 - a value to compare with
    return found


def _without_own(instance: Json) -> Json:
    """An instance without what no two have in common."""
    metadata = {name: value for name, value in instance["metadata"].items() if name != "id"}
    audit = {
        half: {name: value for name, value in row.items() if name not in {"created_at", "updated_at"}}
        for half, row in instance["status"]["audit"].items()
    }
    return {**instance, "metadata": metadata, "status": {**instance["status"], "audit": audit}}


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
    check("APL-ID-TAKEN", _taken_id, _replaced_nothing),
    check("APL-NAME", _namesake, _made_anew),
    check(
        "APL-HALF",
        _half,
        both(_answered_as_read, choice(both(_healed_or_refused, _healed_with_what_there_is), "OK")),
        also={"APL-HEALED": asked_if(_was_healed, "an apply heals no agent here", _like_the_first)},
    ),
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
