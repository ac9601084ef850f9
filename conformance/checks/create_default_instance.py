"""Step CreateDefaultInstance of create: every agent has one instance from the start."""

from __future__ import annotations

import re

from conformance import samples
from conformance.check import Check, check
from conformance.evidence import Evidence, Exchange, Json, value_at
from conformance.judging import (
    Judge,
    absent,
    accepted,
    answer_of,
    answered,
    both,
    equal,
    field_is,
    instances_shown,
    problem,
    sent,
)
from conformance.session import Session
from conformance.sweeps import no_trace, sweep
from conformance.verdict import Problem

DESCRIPTION = "Default instance (auto-created, no custom configuration)"
_ID = re.compile("ain-[0-9a-hjkmnp-tv-z]{26}")


def _create(session: Session) -> None:
    made = session.call("create", "agent.create", session.agent(slug=f"given-{session.name()}"))
    if made.ok:
        listed = session.instances("instances", made.message)
        items = listed.message.items if listed.ok else ()
        default = items[0].metadata.id if items else made.message.status.default_instance_id
        found = session.read("get", "instance", default) if default else None
        # What its slug must be is asked elsewhere (INST-SLUG); here it is found by the one that it has.
        slug = found.message.metadata.slug if found and found.ok else f"{made.message.metadata.slug}-default"
        session.find("find", "instance", slug)


def _platform(session: Session) -> None:
    made = session.call("create", "agent.create", session.agent(org=""), role="operator")
    if made.ok:
        session.instances("instances", made.message, role="operator")


def _same_name(session: Session) -> None:
    name = session.name()
    for number in ("first", "second"):
        made = session.call(number, "agent.create", session.agent(name=name, slug=f"{number}-{name}"))
        if made.ok:
            session.read(f"instance.{number}", "instance", session.default_instance(made.message))


def _blocked(session: Session) -> None:
    """Make the step fail in the middle of a create: the slug that the default instance would take is taken."""
    first = session.created_agent("first")
    slug = f"blocked-{session.name()}"
    blocker = samples.instance(session.name(), session.org, first.metadata.id, slug=f"{slug}-default")
    taken = session.need("blocker", "instance.create", blocker)
    request = session.agent(slug=slug, resource_id=session.new_id())
    refused = session.call("create", "agent.create", request)
    if not refused.ok:
        # The blocker holds the default instance's slug, so the sweep looks under a slug that nothing has.
        sweep(session, "sweep", "agent", session.agent(slug=session.name(), resource_id=request.metadata.id))
        session.find("slug", "agent", slug)
        session.delete("unblock", "instance", taken.metadata.id)
        session.call("again", "agent.create", request)


def _nothing_left(evidence: Evidence) -> list[Problem]:
    """A server that names the instance otherwise isn't hindered, and then the create must be whole."""
    created = evidence["create"]
    if created.ok:
        wrong = not created.value("status.default_instance_id")
        return [problem("created without a default instance", created)] if wrong else []
    found = answered(created, "ALREADY_EXISTS", "FAILED_PRECONDITION", "ABORTED", "INTERNAL")
    return found + no_trace()(evidence) + absent("slug")(evidence) + accepted("unblock", "again")(evidence)


def _exactly_one(evidence: Evidence) -> list[Problem]:
    exchange = evidence["instances"] if "instances" in evidence else evidence["create"]
    listed = exchange.value("items", [])
    if not listed and _shown(evidence):
        text = "getByAgent doesn't list the instance that the agent's status names and get finds"
        return [problem(text, exchange, expected=_shown(evidence)[0]["metadata"]["id"], actual="an empty list")]
    return answered(exchange, "OK") or equal("instances that the agent has", exchange, 1, len(listed))


def _shown(evidence: Evidence) -> list[Json]:
    agent_id = evidence["create"].value("metadata.id")
    return instances_shown(evidence, "instances", agent_id) if "instances" in evidence else []


def _shows(evidence: Evidence) -> Exchange:
    """Return the exchange that shows the instance."""
    return evidence["instances.named" if "instances.named" in evidence else "instances"]


def _instance_is(path: str, expected: object) -> Judge:
    """Judge: the agent's first instance has a value at a path; `expected` may be made of the evidence.

    That there is no other is asked elsewhere (INST-ONE).
    """

    def judge(evidence: Evidence) -> list[Problem]:
        if not _shown(evidence):
            return _exactly_one(evidence)
        exchange = _shows(evidence)
        wanted = expected(evidence) if callable(expected) else expected
        row = _shown(evidence)[0]
        current: object = row
        for part in path.split("."):
            current = current.get(part, "") if isinstance(current, dict) else ""
        return equal(f"default instance: {path} is wrong", exchange, wanted, current)

    return judge


def _name(evidence: Evidence) -> str:
    return f"{evidence['create'].value('metadata.name')}-default"


def _slug(evidence: Evidence) -> str:
    return f"{evidence['create'].value('metadata.slug')}-default"


def _well_formed(evidence: Evidence) -> list[Problem]:
    if not _shown(evidence):
        return _exactly_one(evidence)
    exchange = _shows(evidence)
    row = _shown(evidence)[0]
    made = value_at(row, "metadata.id")
    found = (
        [] if _ID.fullmatch(made) else [problem("wrong form of id", exchange, expected="ain- and ULID", actual=made)]
    )
    found += equal("api_version", exchange, samples.API_VERSION, row.get("api_version", ""))
    found += equal("kind", exchange, "AgentInstance", row.get("kind", ""))
    for audit in ("spec_audit", "status_audit"):
        info = row.get("status", {}).get("audit", {}).get(audit, {})
        found += equal(f"{audit}.event", exchange, "created", info.get("event", ""))
        if not info.get("created_at"):
            found.append(problem(f"{audit} has no created_at", exchange))
    return found


CHECKS: tuple[Check, ...] = (
    check(
        "INST-ONE",
        _create,
        both(accepted("create"), _exactly_one),
        also={
            "INST-NAME": _instance_is("metadata.name", _name),
            "INST-SLUG": _instance_is("metadata.slug", _slug),
            "INST-SCOPE": both(
                _instance_is("metadata.owner_scope", sent("create", "metadata.owner_scope")),
                _instance_is("metadata.org", sent("create", "metadata.org")),
            ),
            "INST-SPEC": both(
                _instance_is("spec.agent_id", answer_of("create", "metadata.id")),
                _instance_is("spec.description", DESCRIPTION),
                _instance_is("spec.environment_refs", ""),
            ),
            "INST-WHOLE": _well_formed,
            "INST-READ": both(
                accepted("get", "find"),
                field_is("get", "spec.agent_id", answer_of("create", "metadata.id")),
                field_is("find", "spec.agent_id", answer_of("create", "metadata.id")),
            ),
        },
    ),
    check(
        "INST-PLATFORM",
        _platform,
        both(
            accepted("create"),
            _instance_is("metadata.owner_scope", "platform"),
            _instance_is("metadata.org", ""),
        ),
        roles=("operator",),
    ),
    check("INST-SAME-NAME", _same_name, accepted("first", "second", "instance.first", "instance.second")),
    check("ATOM-INSTANCE", _blocked, _nothing_left),
)
