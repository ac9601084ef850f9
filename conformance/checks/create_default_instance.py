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
from conformance.session import Session, SetupRefused
from conformance.sweeps import no_trace, sweep
from conformance.verdict import Problem
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agentinstance.v1.api_pb2 import AgentInstance

DESCRIPTION = "Default instance (auto-created, no custom configuration)"
_ID = re.compile("ain-[0-9a-hjkmnp-tv-z]{26}")


def _create(session: Session) -> None:
    name = f"  {session.name()}  Two WORDS, Cafe\u0301 "
    made = session.call("create", "agent.create", session.agent(name=name, slug=f"given-{session.name()}"))
    if made.ok:
        listed = session.instances("instances", made.message)
        items = listed.message.items if listed.ok else ()
        default = items[0].metadata.id if items else made.message.status.default_instance_id
        found = session.read("get", "instance", default) if default else None
        # What its slug must be is asked elsewhere (INST-SLUG); here it is found by the one that it has.
        slug = found.message.metadata.slug if found and found.ok else f"{made.message.metadata.slug}-default"
        session.find("find", "instance", slug)


def _platform(session: Session) -> None:
    """An agent of the platform that names an organization, which is not its instance's for that."""
    request = session.agent(org="")
    request.metadata.org = session.org
    made = session.call("create", "agent.create", request, role="operator")
    if made.ok:
        session.instances("instances", made.message, role="operator")


def _same_name(session: Session) -> None:
    name = session.name()
    for number in ("first", "second"):
        made = session.call(number, "agent.create", session.agent(name=name, slug=f"{number}-{name}"))
        if made.ok:
            session.read(f"instance.{number}", "instance", session.default_instance(made.message))


def _blocked(session: Session) -> None:
    """Make the step fail in the middle of a create: every slug that the default instance may take is taken.

    Raises:
        SetupRefused: the default instance was made all the same, so that nothing failed in the middle.
    """
    first = session.created_agent("first")
    request = session.agent(slug=f"blocked-{session.name()}", resource_id=session.new_id())
    slugs = _slugs_of_default(session, request)
    session.note("blocked", slugs)
    blockers = [
        session.need(f"blocker.{n}", "instance.create", _instance(session, first, slug)).metadata.id
        for n, slug in enumerate(slugs)
    ]
    answer = session.call("create", "agent.create", request)
    if answer.ok:
        _must_lack_instance(session, answer.message, slugs)
        return
    # The blockers hold the default instance's slugs, so the sweep looks under a slug that nothing has.
    sweep(session, "sweep", "agent", session.agent(slug=session.name(), resource_id=request.metadata.id))
    session.find("slug", "agent", request.metadata.slug)
    for number, one in enumerate(blockers):
        session.delete(f"unblock.{number}", "instance", one)
    session.call("again", "agent.create", request)


def _instance(session: Session, agent: Agent, slug: str) -> AgentInstance:
    return samples.instance(session.name(), session.org, agent.metadata.id, slug=slug)


def _slugs_of_default(session: Session, request: Agent) -> list[str]:
    """Return the slugs that the default instance of a new agent may take.

    They are made of the agent's slug, name or id; and as the server makes that of another agent.
    """
    probe = session.created_agent("probe", slug=f"probe-{session.name()}")
    found = session.read("probe.default", "instance", session.default_instance(probe))
    learned = found.message.metadata.slug if found.ok else ""
    for part in ("slug", "name", "id"):
        learned = learned.replace(getattr(probe.metadata, part), getattr(request.metadata, part))
    made = (f"{getattr(request.metadata, part)}-default" for part in ("slug", "name", "id"))
    return sorted({*made, learned} - {""})


def _must_lack_instance(session: Session, made: Agent, slugs: list[str]) -> None:
    """Raises SetupRefused where a created agent has the default instance that was to be hindered."""
    named = made.status.default_instance_id
    found = session.read("default", "instance", named) if named else None
    if found is not None and found.ok:
        slug = found.message.metadata.slug
        raise SetupRefused(
            f"precondition: the default instance was made, under the slug {slug}; taken were {', '.join(slugs)}"
        )


def _nothing_left(evidence: Evidence) -> list[Problem]:
    created = evidence["create"]
    if created.ok:
        return [problem("created without a default instance", created)]
    found = answered(created, "ALREADY_EXISTS", "FAILED_PRECONDITION", "ABORTED", "INTERNAL")
    found += [wrong for row in evidence.under("unblock.") for wrong in answered(row, "OK")]
    return found + no_trace()(evidence) + absent("slug")(evidence) + accepted("again")(evidence)


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
