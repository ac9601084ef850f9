"""Step Publish: events come for what happened, once it is durable, and for nothing else."""

from __future__ import annotations

from conformance import samples
from conformance.check import Check, check
from conformance.evidence import Evidence, Exchange, Json
from conformance.judging import Judge, answered, both, choice, differences, equal, problem
from conformance.session import Session
from conformance.verdict import Problem
from conformance.watching import CHANGES, Watch, change_of, events_about

AGENT = "ai.stigmer.agentic.agent.v1"
INSTANCE = "ai.stigmer.agentic.agentinstance.v1"


def _create(session: Session) -> None:
    with Watch(session, "watch") as watch:
        request = samples.full_agent(session.name(), session.org)
        session.note("secret", request.spec.env_spec.data[samples.SECRET_NAME].value)
        made = session.need("create", "agent.create", request)
        session.note("agent", made.metadata.id)
        session.note("instance", session.default_instance(made))
        session.read("get", "agent", made.metadata.id)
        watch.catch_up()


def _life(session: Session) -> None:
    with Watch(session, "watch") as watch:
        made = session.created_agent("create")
        session.note("agent", made.metadata.id)
        changed = session.agent(name=made.metadata.name, resource_id=made.metadata.id)
        session.need("update", "agent.update", changed)
        session.delete("delete", "agent", made.metadata.id)
        watch.catch_up()


def _refused(session: Session) -> None:
    first = session.created_agent("first")
    with Watch(session, "watch") as watch:
        invalid = session.agent(resource_id=session.new_id())
        invalid.spec.instructions = "short"
        session.call("invalid", "agent.create", invalid, valid=False)
        nameless = session.agent(resource_id=session.new_id())
        nameless.metadata.name = ""
        session.call("nameless", "agent.create", nameless)
        taken = session.agent(name=first.metadata.name, resource_id=session.new_id())
        session.call("taken", "agent.create", taken)
        unknown = session.agent(resource_id=session.new_id())
        session.call("unknown", "agent.update", unknown)
        session.delete("missing", "agent", unknown.metadata.id)
        session.note("silent", [row.metadata.id for row in (invalid, taken, unknown)] + [first.metadata.id])
        session.note("nameless", nameless.metadata.id)
        # What comes after the refused ones proves that they had their chance to be announced.
        last = session.created_agent("last")
        session.note("last", last.metadata.id)
        watch.catch_up()


def _about(evidence: Evidence, fact: str, change: str = "created") -> tuple[Exchange, list[Json]]:
    """Return the events of a change. What a server calls it is its choice; the last word of the type is the change."""
    exchange = evidence["watch"]
    events = events_about(exchange, evidence.fact(fact))
    named = [event for event in events if change_of(event) == change]
    return exchange, named or [event for event in events if change_of(event) not in CHANGES]


def _exactly_one(fact: str) -> Judge:
    def judge(evidence: Evidence) -> list[Problem]:
        exchange, events = _about(evidence, fact)
        return equal(f"wrong number of created events of the {fact}", exchange, 1, len(events))

    return judge


def _one_called(fact: str, package: str) -> Judge:
    def called_so(evidence: Evidence) -> list[Problem]:
        exchange, events = _about(evidence, fact)
        wanted, types = f"{package}.created", {event.get("type", "") for event in events}
        return [
            problem(f"type of the {fact}'s event", exchange, expected=wanted, actual=found)
            for found in sorted(types - {wanted})
        ]

    return both(_exactly_one(fact), choice(called_so, "OK"))


def _cloud_event(evidence: Evidence) -> list[Problem]:
    exchange, events = _about(evidence, "agent")
    if not events:
        return [problem("no event", exchange)]
    event = events[0]
    found = equal("spec_version", exchange, "1.0", event.get("spec_version", ""))
    return found + [
        problem(f"the event has no {name}", exchange)
        for name in ("id", "source", "type", "time")
        if not event.get(name)
    ]


def _data(evidence: Evidence) -> list[Problem]:
    exchange, events = _about(evidence, "agent")
    if not events:
        return [problem("no event", exchange)]
    data = dict(events[0].get("data", {}))
    found = equal("type of data", exchange, f"{AGENT}.Agent", str(data.pop("@type", "")).rpartition("/")[2])
    return found + differences(evidence["get"].response, data, exchange)


def _no_secret(evidence: Evidence) -> list[Problem]:
    exchange, events = _about(evidence, "agent")
    if not events:
        return [problem("no event", exchange)]
    if evidence.fact("secret") in str(events):
        return [problem("the event shows the secret's value", exchange, expected=samples.REDACTED)]
    return []


def _in_order(evidence: Evidence) -> list[Problem]:
    exchange = evidence["watch"]
    words = [change_of(event) for event in events_about(exchange, evidence.fact("agent"))]
    wanted = ["created", "updated", "deleted"]
    wrong = answered(evidence["delete"], "OK")
    if CHANGES.isdisjoint(words):  # a server with words of its own: there must be three different ones
        return wrong + equal("events of one agent's life", exchange, len(wanted), len(set(words)))
    return wrong + equal("wrong events of one agent's life", exchange, wanted, words)


def _silent(evidence: Evidence) -> list[Problem]:
    exchange = evidence["watch"]
    if not events_about(exchange, evidence.fact("last")):
        return [problem("not even the accepted create was announced", exchange)]
    # Whether a name that makes no slug is refused is asked elsewhere (SLUG-EMPTY).
    nameless = [] if evidence["nameless"].ok else [evidence.fact("nameless")]
    return [
        problem("an event for a request that was refused", exchange, expected="none", actual=event.get("type"))
        for subject in [*evidence.fact("silent"), *nameless]
        for event in events_about(exchange, subject)
    ]


CHECKS: tuple[Check, ...] = (
    check(
        "PUB-AGENT",
        _create,
        _one_called("agent", AGENT),
        also={
            "PUB-INSTANCE": _one_called("instance", INSTANCE),
            "PUB-CLOUDEVENT": _cloud_event,
            "PUB-DATA": _data,
            "PUB-REDACTED": _no_secret,
            "PUB-DURABLE": both(lambda evidence: answered(evidence["get"], "OK"), _exactly_one("agent")),
        },
        features=("watch",),
    ),
    check("PUB-ORDER", _life, _in_order, features=("watch",)),
    check("PUB-SILENT", _refused, _silent, features=("watch",)),
)
