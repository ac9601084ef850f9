"""What must be in a server, and what must not be, whoever wrote it: the memory of an upgrade's trial."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import grpc

from conformance import samples
from conformance.evidence import Json, value_at
from conformance.judging import differences
from conformance.methods import METHODS
from conformance.session import Session, SetupRefused
from conformance.sweeps import pages_of, read_list
from conformance.target_client import as_json

Id = tuple[str, str]
"""A kind's short name, and a resource's id."""
NAMED_MAX = 5
"""So many resources of one sort of problem are named."""


@dataclass
class Ledger:
    """What must be there, as its writer showed it, and what was deleted; and how far the event channel was read."""

    kept: dict[Id, Json] = field(default_factory=dict)
    gone: set[Id] = field(default_factory=set)
    position: int = 0
    events: set[str] = field(default_factory=set)
    nothing_kept: bool = False
    """Whether the last look found nothing at all of what must be there."""

    def load(self, session: Session, count: int) -> None:
        """Write agents with instances and an environment; keep what reads show. Raises SetupRefused."""
        made = [self._create(session, n) for n in range(count)]
        environment = session.need(
            "environment", "environment.create", samples.environment(session.name(), session.org)
        )
        for agent_id in made[::3]:
            self._update(session, agent_id)
        for agent_id in made[1::4]:
            self._delete(session, agent_id)
        self.kept["environment", environment.metadata.id] = {}
        self._write_down(session)
        self._read_events(session)

    def change(self, session: Session, count: int) -> None:
        """Write more, and change and delete some of what the other build wrote. Raises SetupRefused."""
        older = [one for kind, one in self.kept if kind == "agent"]
        self._update(session, older[0])
        self._delete(session, older[1])
        self.load(session, count)

    def _create(self, session: Session, number: int) -> str:
        request = samples.full_agent(session.name(), session.org)
        agent = session.need(f"create.{number}", "agent.create", request)
        found: str = agent.metadata.id
        instance = session.need(
            f"instance.{number}", "instance.create", samples.instance(session.name(), session.org, found)
        )
        self.kept["agent", found] = {}
        for one in (agent.status.default_instance_id, instance.metadata.id):
            # All that is known of them until they are written down: whose they are.
            self.kept["instance", one] = {"spec": {"agent_id": found}}
        return found

    def _update(self, session: Session, agent_id: str) -> None:
        answer = session.need(f"before.{agent_id}", "agent.get", session.by_id("agent.get", agent_id))
        answer.spec.description = f"Changed by {session.name()}."
        session.need(f"update.{agent_id}", "agent.update", answer)

    def _delete(self, session: Session, agent_id: str) -> None:
        answer = session.delete(f"delete.{agent_id}", "agent", agent_id)
        if not answer.ok:
            raise SetupRefused(f"deleting {agent_id} answered {answer.exchange.code}: {answer.exchange.message}")
        for one in (("agent", agent_id), *self._instances_of(agent_id)):
            self.gone.add(one)
            del self.kept[one]

    def _instances_of(self, agent_id: str) -> list[Id]:
        rows = self.kept.items()
        return [one for one, row in rows if one[0] == "instance" and value_at(row, "spec.agent_id") == agent_id]

    def _write_down(self, session: Session) -> None:
        for one in self.kept:
            answer = session.read(f"down.{one[1]}", *one)
            if not answer.ok:
                raise SetupRefused(f"{one[0]} {one[1]} was written and get answers {answer.exchange.code}")
            self.kept[one] = answer.exchange.response

    # looking

    def look(self, session: Session) -> tuple[str, ...]:
        """Return what is wrong with what is there now. It is told once: from then on it counts as it was found."""
        before, changed = dict(self.kept), list[str]()
        for (kind, one), row in before.items():
            answer = session.read(f"look.{one}", kind, one)
            if not answer.ok:
                del self.kept[kind, one]
            elif wrong := differences(row, answer.exchange.response, answer.exchange):
                self.kept[kind, one] = answer.exchange.response
                changed.append(f"{kind} {one}, {wrong[0].text}: {wrong[0].expected} became {wrong[0].actual}")
        back = [one for one in sorted(self.gone) if session.read(f"back.{one[1]}", *one).ok]
        self.gone -= set(back)
        self.nothing_kept = not self.kept
        if self.nothing_kept:
            return ("all of it is lost",)
        return (
            *_told("lost", [f"{kind} {one}" for kind, one in before if (kind, one) not in self.kept]),
            *_told("changed", changed),
            *_told("deleted before, and there again", [f"{kind} {one}" for kind, one in back]),
            *self._instances(session),
            *self._list(session),
            *self._slugs(session),
            *self._events_go_on(session),
        )

    def _instances(self, session: Session) -> Iterator[str]:
        """Each agent has the instances it had."""
        wrong = []
        for kind, agent_id in self.kept:
            if kind == "agent":
                request = METHODS["instance.by_agent"].request(agent_id=agent_id)
                answer = session.call(f"instances.{agent_id}", "instance.by_agent", request)
                found = {value_at(row, "metadata.id") for row in answer.exchange.value("items", [])}
                wanted = {one for _, one in self._instances_of(agent_id)}
                wrong += [f"{agent_id}: {sorted(found ^ wanted)}"] if found != wanted else []
        yield from _told("other instances are listed of agents", wrong)

    def _list(self, session: Session) -> Iterator[str]:
        """The list shows the agents in the order in which they were made."""
        if not session.offers("list"):
            return
        label = f"list.{session.attempt}"
        read_list(session, label, "agent", session.org)
        rows = [row for one in pages_of(session.evidence(), label) for row in one.value("items", [])]
        found, wanted = (
            [value_at(row, "metadata.id") for row in rows],
            [one for kind, one in self.kept if kind == "agent"],
        )
        if found != wanted:
            order = "in another order" if sorted(found) == sorted(wanted) else f"{len(found)} instead of {len(wanted)}"
            yield f"the list of agents is wrong: {order}"

    def _slugs(self, session: Session) -> Iterator[str]:
        """A slug is found and taken."""
        agents = [row for (kind, _), row in self.kept.items() if kind == "agent"]
        slugs = [value_at(row, "metadata.slug") for row in agents]
        if not slugs:
            return
        unfound = [slug for slug in slugs if not session.find(f"slug.{slug}", "agent", slug).ok]
        yield from _told("not found by slug", unfound)
        taken = session.call("taken", "agent.create", session.agent(name=slugs[0]))
        if taken.exchange.code != "ALREADY_EXISTS":
            yield f"a create with the taken slug {slugs[0]} answered {taken.exchange.code} instead of ALREADY_EXISTS"
        if taken.ok:
            session.delete("taken.delete", "agent", taken.message.metadata.id)

    # events

    def _events_go_on(self, session: Session) -> Iterator[str]:
        if not session.offers("watch"):
            return
        before, seen = self.position, set(self.events)
        found = self._read_events(session)
        old = [f"{row['event']['type']} of {row['event']['subject']}" for row in found if row["event"]["id"] in seen]
        yield from _told("events came again after the position that was seen", old)
        if not found:
            yield "no event came any more, not even of a new change"
        if late := [row for row in found if int(row["position"]) <= before]:
            yield f"{len(late)} events have positions that were given before"

    def _read_events(self, session: Session) -> list[Json]:
        """Make a change, read events after the last position up to its own, and note how far that is."""
        if not session.offers("watch"):
            return []
        change = session.need("last", "environment.create", samples.environment(session.name(), session.org))
        self.kept["environment", change.metadata.id] = as_json(change)
        found = list(_events_until(session, self.position, change.metadata.id))
        self.position = max([self.position, *(int(row["position"]) for row in found)])
        self.events |= {row["event"]["id"] for row in found}
        return found


def _events_until(session: Session, position: int, subject: str) -> Iterator[Json]:
    """Yield events after a position until one about a subject came, at most the time that events may take."""
    method = METHODS["event.watch"]
    call: Any = session.client.channel.unary_stream(method.path, None, None)
    request = method.request(after_position=position).SerializeToString()
    seconds = session.context.event_seconds + session.client.deadline_seconds
    until = time.monotonic() + seconds
    stream = call(request, timeout=seconds, metadata=session.metadata(), wait_for_ready=True)
    try:
        for data in stream:
            row = as_json(method.response.FromString(data))
            if "event" in row:
                yield row
            if value_at(row, "event.subject") == subject or time.monotonic() > until:
                return
    except grpc.RpcError:
        return
    finally:
        stream.cancel()


def _told(what: str, rows: list[str]) -> Iterator[str]:
    """Yield one sentence for many rows."""
    if rows:
        more = f" and {len(rows) - NAMED_MAX} more" if len(rows) > NAMED_MAX else ""
        yield f"{what}: {'; '.join(rows[:NAMED_MAX])}{more}"
