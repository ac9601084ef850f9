"""Several replicas of one server at once: watches at each of them, and writers that race through all of them."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from itertools import cycle

from conformance import samples
from conformance.check import Check, check
from conformance.evidence import Evidence, Exchange, Json
from conformance.judging import answered, differences, equal, problem
from conformance.methods import Proto, deletion
from conformance.racing import heats_of, race, racers
from conformance.replica_calls import Replicas
from conformance.session import Session
from conformance.target_client import Call
from conformance.verdict import Problem
from conformance.watching import Watch, change_of

AT_ONCE = 96
"""Agents that are made without ids, by all replicas at once."""
SOME = 4

# ---- events


def _watched(session: Session) -> None:
    """A watch at every replica, while an agent lives at each of them."""
    replicas = Replicas.of(session)
    subjects: list[str] = []
    with ExitStack() as stack:
        watches = [
            stack.enter_context(Watch(session, f"watch.{place}", channel=channel))
            for place, channel in enumerate(replicas.channels)
        ]
        for place in replicas.places:
            agent = session.agent(resource_id=session.new_id())
            subjects.append(agent.metadata.id)
            replicas.at(place, f"{place}.create", "agent.create", agent)
            agent.spec.description = f"changed at replica {place}"
            replicas.at(place, f"{place}.update", "agent.update", agent)
            replicas.at(place, f"{place}.delete", "agent.delete", deletion("agent", agent.metadata.id))
        session.note("subjects", subjects)
        last = session.need("last", "environment.create", samples.environment(session.name(), session.org))
        for watch in watches:
            watch.wait_for(last.metadata.id)


def _told_everywhere(evidence: Evidence) -> list[Problem]:
    subjects, places = evidence.fact("subjects"), range(evidence.fact("replicas"))
    changes = [evidence[f"{place}.{verb}"] for place in places for verb in ("create", "update", "delete")]
    if wrong := [one for row in changes for one in answered(row, "OK")]:
        return wrong
    wanted = [[subject, change] for subject in subjects for change in ("created", "updated", "deleted")]
    found: list[Problem] = []
    for place in places:
        watch = evidence[f"watch.{place}"]
        told = _told(watch, subjects)
        found += equal(f"watch.{place}: changes in their order", watch, wanted, [row[1:3] for row in told])
        first = _told(evidence["watch.0"], subjects)
        found += equal(f"watch.{place}: the same positions and events as watch.0", watch, first, told)
    return found


def _told(watch: Exchange, subjects: list[str]) -> list[list[Json]]:
    """Position, subject, change and id of each event about some resources, as often as it was told."""
    events = [(int(row.get("position", 0)), row["event"]) for row in watch.responses if "event" in row]
    return [
        [position, event.get("subject"), change_of(event), event.get("id")]
        for position, event in events
        if event.get("subject") in subjects
    ]


def _resumed(session: Session) -> None:
    """A watch at the first replica, and one at each that goes on behind the first event that it was told of."""
    replicas = Replicas.of(session)
    with Watch(session, "whole", channel=replicas.channels[0]) as whole:
        places = [place for _, place in zip(range(max(SOME, len(replicas.channels))), cycle(replicas.places))]
        agents = [session.agent(resource_id=session.new_id()) for _ in places]
        session.note("subjects", [agent.metadata.id for agent in agents])
        for number, (place, agent) in enumerate(zip(places, agents, strict=True)):
            replicas.at(place, f"create.{number}", "agent.create", agent)
        last = session.need("last", "environment.create", samples.environment(session.name(), session.org))
        whole.wait_for(last.metadata.id)
        after = whole.position_of(agents[0].metadata.id)
        session.note("after", after)
        for place, channel in enumerate(replicas.channels):
            with Watch(session, f"resumed.{place}", after=after, channel=channel) as resumed:
                resumed.wait_for(last.metadata.id)


def _same_from_there(evidence: Evidence) -> list[Problem]:
    subjects, after = evidence.fact("subjects"), evidence.fact("after")
    found = [one for row in evidence.under("create.") for one in answered(row, "OK")]
    wanted = [row for row in _told(evidence["whole"], subjects) if row[0] > after]
    for watch in evidence.under("resumed."):
        found += equal(f"{watch.label}: events after position {after}", watch, wanted, _told(watch, subjects))
    return found


# ---- races


def _created_at_once(session: Session) -> None:
    replicas = Replicas.of(session)
    names: list[str] = []

    def calls(number: int) -> list[Call]:
        names.append(session.name())
        requests = [session.agent(name=names[-1], resource_id=session.new_id()) for _ in range(racers(session))]
        return [Call(f"heat.{number}.{n}", "agent.create", request) for n, request in enumerate(requests)]

    race(session, calls)
    for number, name in enumerate(names):
        replicas.everywhere(f"find.{number}", "agent.by_reference", samples.reference(name, session.org))


def _same_winner(evidence: Evidence) -> list[Problem]:
    found: list[Problem] = []
    for number, rows in heats_of(evidence):
        wanted = {"OK": 1, "ALREADY_EXISTS": len(rows) - 1}
        found += equal(f"statuses of heat {number}", rows[0], wanted, dict(Counter(row.code for row in rows)))
        won = [row.value("metadata.id") for row in rows if row.ok]
        for row in evidence.under(f"find.{number}."):
            found += answered(row, "OK") or equal(
                f"{row.label}: who has the slug", row, won, [row.value("metadata.id")]
            )
    return found


def _updated_at_once(session: Session) -> None:
    replicas = Replicas.of(session)
    made = session.created_agent()

    def calls(number: int) -> list[Call]:
        if number:
            _read_after(replicas, number - 1, made)
        return [_update(session, made, f"heat.{number}.{n}") for n in range(racers(session))]

    heats = race(session, calls)
    _read_after(replicas, heats - 1, made)


def _read_after(replicas: Replicas, heat: int, made: Proto) -> None:
    replicas.everywhere(f"after.{heat}", "agent.get", replicas.session.by_id("agent.get", made.metadata.id))


def _update(session: Session, made: Proto, label: str) -> Call:
    request = session.agent(name=made.metadata.name, resource_id=made.metadata.id)
    request.spec.description = f"written by {label}"
    return Call(label, "agent.update", request)


def _same_state(evidence: Evidence) -> list[Problem]:
    found: list[Problem] = []
    for number, rows in heats_of(evidence):
        found += [wrong for row in rows for wrong in answered(row, "OK", "ABORTED")]
        reads = evidence.under(f"after.{number}.")
        written = [row.response for row in rows if row.ok]
        for row in reads:
            found += answered(row, "OK") or differences(reads[0].response, row.response, row)
        if written and reads[0].ok and reads[0].response not in written:
            found.append(problem(f"{reads[0].label}: no update of the heat has left this", reads[0]))
    return found


def _made_at_once(session: Session) -> None:
    replicas = Replicas.of(session)
    channels = cycle(replicas.channels)
    session.together(
        Call(f"create.{n}", "agent.create", session.agent(), channel=next(channels)) for n in range(AT_ONCE)
    )


def _ids_differ(evidence: Evidence) -> list[Problem]:
    rows = evidence.under("create.")
    found = [wrong for row in rows for wrong in answered(row, "OK")]
    for path in ("metadata.id", "status.default_instance_id"):
        counts = Counter(row.value(path) for row in rows if row.ok)
        found += [
            problem(f"{row.label}: {path} was given out before", row, actual=row.value(path))
            for row in rows
            if counts[row.value(path)] > 1
        ]
    return found


CHECKS: tuple[Check, ...] = (
    check("REP-WATCH", _watched, _told_everywhere, features=("watch",)),
    check("REP-RESUME", _resumed, _same_from_there, features=("watch",)),
    check("REP-RACE", _created_at_once, _same_winner),
    check("REP-UPDATE", _updated_at_once, _same_state),
    check("REP-IDS", _made_at_once, _ids_differ),
)
