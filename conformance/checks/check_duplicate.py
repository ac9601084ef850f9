"""Step CheckDuplicate of create: what is taken, what isn't, and that the first resource is left alone."""

from __future__ import annotations

from collections import Counter

from conformance import samples
from conformance.check import Check, check
from conformance.evidence import Evidence
from conformance.judging import accepted, both, code, problem, same_answer
from conformance.session import Session
from conformance.sweeps import no_trace, sweep
from conformance.verdict import Problem

RACERS = 16


def _slug(session: Session) -> None:
    first = session.created_agent("first")
    session.read("before", "agent", first.metadata.id)
    second = session.agent(name=first.metadata.name, resource_id=session.new_id())
    second.spec.instructions = "Something else than the first one."
    session.call("refused", "agent.create", second)
    session.read("after", "agent", first.metadata.id)
    # Slug and default instance are the first one's, so the sweep looks for the second id only.
    trace = session.agent(resource_id=second.metadata.id)
    sweep(session, "sweep", "agent", trace)
    session.call("twin", "agent.create", session.agent())


def _derived(session: Session) -> None:
    first = session.created_agent("first")
    session.call("refused", "agent.create", session.agent(name=f" {first.metadata.name.upper()}! "))
    session.call("given", "agent.create", session.agent(slug=first.metadata.slug))
    session.call("twin", "agent.create", session.agent(name=f"{first.metadata.name} 2"))


def _id(session: Session) -> None:
    first = session.created_agent("first")
    session.read("before", "agent", first.metadata.id)
    session.call("refused", "agent.create", session.agent(resource_id=first.metadata.id))
    session.read("after", "agent", first.metadata.id)
    session.call("twin", "agent.create", session.agent(resource_id=session.new_id()))


def _again(session: Session) -> None:
    first = session.created_agent("first")
    request = session.agent(name=first.metadata.name, resource_id=session.new_id())
    session.call("refused", "agent.create", request)
    session.delete("delete", "agent", first.metadata.id)
    session.call("again", "agent.create", request)


def _two_orgs(session: Session) -> None:
    name = session.name()
    session.call("first", "agent.create", session.agent(name=name), role="operator")
    session.call("second", "agent.create", session.agent(name=name, org=session.other_org), role="operator")
    session.find("find.first", "agent", name, session.org, role="operator")
    session.find("find.second", "agent", name, session.other_org, role="operator")


def _two_scopes(session: Session) -> None:
    name = session.name()
    session.call("first", "agent.create", session.agent(name=name), role="operator")
    session.call("second", "agent.create", session.agent(name=name, org=""), role="operator")


def _whole_kind(session: Session) -> None:
    name = session.name()
    session.call("first", "agent.create", session.agent(name=name))
    session.call("refused", "agent.create", session.agent(name=name, org=session.other_org))


def _other_kind(session: Session) -> None:
    first = session.created_agent("first")
    session.call("environment", "environment.create", samples.environment(first.metadata.name, session.org))
    session.call("instance", "instance.create", samples.instance(first.metadata.name, session.org, first.metadata.id))


def _race(session: Session) -> None:
    count = session.size(RACERS)
    name = session.name()
    requests = [session.agent(name=name, resource_id=session.new_id()) for _ in range(count)]
    session.note("racers", count)
    answers = session.call_together("race", "agent.create", requests)
    for number, request in enumerate(requests):
        session.read(f"get.{number}", "agent", request.metadata.id)
    winner = next((answer.message for answer in answers if answer.ok), None)
    if winner is not None:
        session.find("find", "agent", name)


def _judge_race(evidence: Evidence) -> list[Problem]:
    racers = evidence.under("race.")
    codes = Counter(exchange.code for exchange in racers)
    wanted = {"OK": 1, "ALREADY_EXISTS": evidence.fact("racers") - 1}
    found: list[Problem] = []
    if codes != wanted:
        found.append(problem("wrong statuses of the racers", racers[0], expected=wanted, actual=dict(codes)))
    visible = Counter(exchange.ok for exchange in evidence.under("get."))
    if visible[True] != 1:
        found.append(problem("not exactly one of the racers can be read", racers[0], expected=1, actual=visible[True]))
    return found


CHECKS: tuple[Check, ...] = (
    check(
        "DUP-SLUG",
        _slug,
        both(code("refused", "ALREADY_EXISTS"), accepted("twin")),
        also={"DUP-SLUG-UNCHANGED": same_answer("before", "after"), "ATOM-DUP-SLUG": no_trace()},
    ),
    check(
        "DUP-DERIVED",
        _derived,
        both(code("refused", "ALREADY_EXISTS"), code("given", "ALREADY_EXISTS"), accepted("twin")),
    ),
    check(
        "DUP-ID",
        _id,
        both(code("refused", "ALREADY_EXISTS"), accepted("twin")),
        also={"DUP-ID-UNCHANGED": same_answer("before", "after")},
    ),
    check("DUP-AGAIN", _again, both(code("refused", "ALREADY_EXISTS"), accepted("delete", "again"))),
    check(
        "DUP-ORG",
        _two_orgs,
        both(
            accepted("first", "second"),
            same_answer("second", "find.second", "metadata.id"),
            same_answer("first", "find.first", "metadata.id"),
        ),
        roles=("operator",),
    ),
    check("DUP-SCOPE", _two_scopes, accepted("first", "second"), roles=("operator",)),
    check("DUP-KIND", _whole_kind, both(accepted("first"), code("refused", "ALREADY_EXISTS"))),
    check("DUP-OTHER-KIND", _other_kind, accepted("environment", "instance")),
    check("ORD-RACE", _race, _judge_race),
)
