"""Several replicas of one server: what one has done is so at every other, for the next call already.

What is to change is asked for before, at every replica: whoever remembers answers, absences or decisions of his own
remembers them then.
"""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import cycle
from typing import Self

import grpc

from conformance import samples
from conformance.check import Check, check
from conformance.evidence import Evidence, Exchange, Json, NotAsked, value_at
from conformance.judging import answered, differences, equal, not_found, problem
from conformance.kinds import KINDS
from conformance.methods import METHODS, Proto
from conformance.racing import heats_of, race, racers
from conformance.replicas import channels_of
from conformance.requests import new_resource
from conformance.session import Session
from conformance.target_client import Call, Response
from conformance.verdict import Problem
from conformance.watching import Watch, change_of

ONE_ADDRESS = "the target is one address; name its replicas with commas between, as in grpc://a:1,grpc://b:1"
AT_ONCE = 96
"""Agents that are made without ids, by all replicas at once."""
SOME = 4


@dataclass(frozen=True)
class _Replicas:
    """The replicas of the target, by their places in its text."""

    session: Session
    channels: tuple[grpc.Channel, ...]

    @classmethod
    def of(cls, session: Session) -> Self:
        """Raises NotAsked where the target is one address."""
        channels = channels_of(session.client.channel)
        if not channels:
            raise NotAsked(ONE_ADDRESS)
        session.note("replicas", len(channels))
        return cls(session, channels)

    @property
    def places(self) -> range:
        """The numbers of the replicas."""
        return range(len(self.channels))

    def at(self, place: int, label: str, method: str, request: Proto, role: str | None = None) -> Response:
        """Make one call at one replica."""
        (answer,) = self.session.together([Call(label, method, request, role, channel=self.channels[place])])
        return answer

    def everywhere(self, label: str, method: str, request: Proto, role: str | None = None) -> None:
        """Make one call at every replica, as `LABEL.PLACE`."""
        self.session.together(
            Call(f"{label}.{place}", method, request, role, channel=channel)
            for place, channel in enumerate(self.channels)
        )


# ---- reads


def _lives(session: Session) -> None:
    replicas = _Replicas.of(session)
    lives = [(kind, place) for kind in KINDS for place in replicas.places]
    session.note("lives", [f"{kind}.{place}" for kind, place in lives])
    for kind, place in lives:
        _live(replicas, kind, place)


def _live(replicas: _Replicas, kind: str, place: int) -> None:
    """Create, change and delete a resource at one replica; look for it at every one before and after each."""
    session, label = replicas.session, f"{kind}.{place}"
    parent = session.created_agent(f"{label}.parent").metadata.id if kind == "instance" else ""
    request = new_resource(session, kind, parent)
    request.metadata.id = session.new_id(kind)
    _look(replicas, f"{label}.before", kind, request)
    replicas.at(place, f"{label}.create", f"{kind}.create", request)
    _look(replicas, f"{label}.created", kind, request)
    request.spec.description = f"changed at replica {place}"
    replicas.at(place, f"{label}.update", f"{kind}.update", request)
    _look(replicas, f"{label}.updated", kind, request)
    replicas.at(place, f"{label}.delete", f"{kind}.delete", _deletion(kind, request.metadata.id))
    _look(replicas, f"{label}.deleted", kind, request)


def _deletion(kind: str, resource_id: str) -> Proto:
    return METHODS[f"{kind}.delete"].request(**{KINDS[kind].delete_field: resource_id})


def _look(replicas: _Replicas, label: str, kind: str, request: Proto) -> None:
    by_id = replicas.session.by_id(f"{kind}.get", request.metadata.id)
    replicas.everywhere(f"{label}.get", f"{kind}.get", by_id)
    by_slug = samples.reference(request.metadata.name, replicas.session.org)
    replicas.everywhere(f"{label}.find", f"{kind}.by_reference", by_slug)


def _read_everywhere(evidence: Evidence) -> list[Problem]:
    found: list[Problem] = []
    for life in evidence.fact("lives"):
        for change, after in (("create", "created"), ("update", "updated")):
            answer = evidence[f"{life}.{change}"]
            found += answered(answer, "OK")
            for row in evidence.under(f"{life}.{after}.") if answer.ok else ():
                found += answered(row, "OK") or differences(answer.response, row.response, row)
        gone = evidence[f"{life}.delete"]
        found += answered(gone, "OK")
        for row in evidence.under(f"{life}.deleted.") if gone.ok else ():
            if not not_found(row):
                found.append(
                    problem(f"{row.label}: still there after its delete", row, expected="NOT_FOUND", actual=row.code)
                )
    return found


# ---- lists


def _listed(session: Session) -> None:
    replicas = _Replicas.of(session)
    for place in replicas.places:
        _list_around(replicas, place)


def _list_around(replicas: _Replicas, place: int) -> None:
    """Create, change and delete an agent and an environment at one replica; list them at every one all the while."""
    session, role = replicas.session, "operator" if replicas.session.cloud else None
    org = f"{session.own_org}{place}"
    agent = session.agent(org=org, resource_id=session.new_id())
    environment = samples.environment(session.name(), org, resource_id=session.new_id("environment"))
    made: dict[str, Proto] = {"agent": agent, "environment": environment}
    session.note(f"made.{place}", {kind: one.metadata.id for kind, one in made.items()})
    _list_all(replicas, f"{place}.before", org, agent.metadata.id, role)
    for verb, after in (("create", "created"), ("update", "updated")):
        for kind, request in made.items():
            request.spec.description = f"{after} at replica {place}"
            replicas.at(place, f"{place}.{verb}.{kind}", f"{kind}.{verb}", request, role)
        _list_all(replicas, f"{place}.{after}", org, agent.metadata.id, role)
    for kind, request in made.items():
        replicas.at(place, f"{place}.delete.{kind}", f"{kind}.delete", _deletion(kind, request.metadata.id), role)
    _list_all(replicas, f"{place}.deleted", org, agent.metadata.id, role)


def _list_all(replicas: _Replicas, label: str, org: str, agent_id: str, role: str | None) -> None:
    by_agent = METHODS["instance.by_agent"].request(agent_id=agent_id)
    replicas.everywhere(f"{label}.by_agent", "instance.by_agent", by_agent, role)
    for kind in KINDS.values() if replicas.session.offers("list") else ():
        method = kind.list_method
        replicas.everywhere(f"{label}.{kind.short}", method, METHODS[method].request(org=org), role)


def _listed_everywhere(evidence: Evidence) -> list[Problem]:
    found: list[Problem] = []
    for place in range(evidence.fact("replicas")):
        made = evidence.fact(f"made.{place}")
        changes = [row for verb in ("create", "update", "delete") for row in evidence.under(f"{place}.{verb}.")]
        wrong = [one for row in changes for one in answered(row, "OK")]
        found += wrong or _shown_at(evidence, place, made)
    return found


def _shown_at(evidence: Evidence, place: int, made: Json) -> list[Problem]:
    """What was created, changed and deleted at one replica is in the lists of all, or no more."""
    found: list[Problem] = []
    for after in ("created", "updated"):
        for listing in ("by_agent", "instance"):
            for row in evidence.under(f"{place}.{after}.{listing}."):
                found += answered(row, "OK") or equal(f"{row.label}: instances", row, 1, len(row.value("items", [])))
        for row in evidence.under(f"{place}.{after}.by_agent."):
            found += equal(f"{row.label}: total_count", row, 1, row.value("total_count", 0))
        for kind, resource_id in made.items():
            wanted = [[resource_id, f"{after} at replica {place}"]]
            for row in evidence.under(f"{place}.{after}.{kind}."):
                found += answered(row, "OK") or equal(f"{row.label}: shown", row, wanted, _rows(row))
    for kind in made:
        for row in evidence.under(f"{place}.deleted.{kind}."):
            found += answered(row, "OK") or equal(f"{row.label}: shown", row, [], _rows(row))
    return found


def _rows(listed: Exchange) -> list[list[Json]]:
    return [[value_at(row, "metadata.id"), value_at(row, "spec.description")] for row in listed.value("items", [])]


# ---- permissions

_GRANTS = (("before", ""), ("granted", "policy.create"), ("revoked", "policy.delete"), ("again", "policy.create"))
"""What is done at one replica, and under which name every one is asked afterwards."""


def _revoked(session: Session) -> None:
    replicas = _Replicas.of(session)
    nobody = ("identity_account", session.context.identity("nobody"))
    for place in replicas.places:
        org = f"{session.own_org}{place}"
        agent = session.agent(org=org, resource_id=session.new_id())
        replicas.at(place, f"{place}.made", "agent.create", agent, "operator")
        policy = samples.policy(nobody, "member", ("organization", org))
        session.forget_grant_later(policy)
        for after, method in _GRANTS:
            if method:
                replicas.at(place, f"{place}.{after}", method, policy, "operator")
            by_id = session.by_id("agent.get", agent.metadata.id)
            replicas.everywhere(f"{place}.{after}.get", "agent.get", by_id, "nobody")
            question = METHODS["policy.check"].request(policy=policy)
            replicas.everywhere(f"{place}.{after}.check", "policy.check", question, "operator")


def _decided_everywhere(evidence: Evidence) -> list[Problem]:
    found: list[Problem] = []
    for place in range(evidence.fact("replicas")):
        done = [f"{place}.made", *(f"{place}.{after}" for after, method in _GRANTS if method)]
        found += [one for label in done for one in answered(evidence[label], "OK")]
        for after, method in _GRANTS:
            holds = method == "policy.create"
            for row in evidence.under(f"{place}.{after}.get."):
                found += answered(row, "OK" if holds else "PERMISSION_DENIED")
            for row in evidence.under(f"{place}.{after}.check."):
                told = row.value("is_authorized", default=False)
                found += answered(row, "OK") or equal(f"{row.label}: the policy holds", row, holds, told)
    return found


# ---- events


def _watched(session: Session) -> None:
    """A watch at every replica, while an agent lives at each of them."""
    replicas = _Replicas.of(session)
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
            replicas.at(place, f"{place}.delete", "agent.delete", _deletion("agent", agent.metadata.id))
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
    replicas = _Replicas.of(session)
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
    replicas = _Replicas.of(session)
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
    replicas = _Replicas.of(session)
    made = session.created_agent()

    def calls(number: int) -> list[Call]:
        if number:
            _read_after(replicas, number - 1, made)
        return [_update(session, made, f"heat.{number}.{n}") for n in range(racers(session))]

    heats = race(session, calls)
    _read_after(replicas, heats - 1, made)


def _read_after(replicas: _Replicas, heat: int, made: Proto) -> None:
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
    replicas = _Replicas.of(session)
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
    check("REP-READ", _lives, _read_everywhere),
    check("REP-LIST", _listed, _listed_everywhere, roles=("caller", "operator")),
    check("REP-REVOKE", _revoked, _decided_everywhere, roles=("operator", "nobody")),
    check("REP-WATCH", _watched, _told_everywhere, features=("watch",)),
    check("REP-RESUME", _resumed, _same_from_there, features=("watch",)),
    check("REP-RACE", _created_at_once, _same_winner),
    check("REP-UPDATE", _updated_at_once, _same_state),
    check("REP-IDS", _made_at_once, _ids_differ),
)
