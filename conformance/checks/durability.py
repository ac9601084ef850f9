"""Durability: what was acknowledged is there after SIGKILL and restart, whole. Only for targets the suite started."""

from __future__ import annotations

from conformance import samples
from conformance.check import Check, check
from conformance.evidence import Evidence, value_at
from conformance.judging import answered, equal, not_found, problem
from conformance.methods import METHODS
from conformance.session import Session, SetupRefused
from conformance.target import StillAlive, TargetUnreachable
from conformance.target_client import TargetLost
from conformance.verdict import Problem

ACKNOWLEDGED = 12
IN_FLIGHT = 24


def _killed(session: Session) -> None:
    """Acknowledged creates, an update and a delete, then a kill while more creates are on their way."""
    made = [
        session.need(f"made.{n}", "agent.create", samples.full_agent(session.name(), session.org))
        for n in range(session.size(ACKNOWLEDGED))
    ]
    updated, deleted = made[0], made[1]
    change = session.agent(name=updated.metadata.name, resource_id=updated.metadata.id)
    change.spec.description = "Changed before the kill."
    session.need("update", "agent.update", change)
    session.delete("delete", "agent", deleted.metadata.id)
    session.note("made", [row.metadata.id for row in made[2:]])
    flying = [session.agent(resource_id=session.new_id()) for _ in range(session.size(IN_FLIGHT))]
    calls = [session.begin(f"flying.{n}", "agent.create", request) for n, request in enumerate(flying)]
    session.finish(calls[0], METHODS["agent.create"])
    try:
        session.running.restart()
    except StillAlive as error:
        raise SetupRefused(str(error)) from error
    except TargetUnreachable as error:
        raise TargetLost(f"after SIGKILL: {error}") from error
    for call in calls[1:]:
        session.finish(call, METHODS["agent.create"])
    _look_again(session, [row.metadata.id for row in made], [row.metadata.id for row in flying])


def _look_again(session: Session, made: list[str], flying: list[str]) -> None:
    role = "operator" if session.cloud else None
    session.read("updated", "agent", made[0], role=role)
    session.read("deleted", "agent", made[1], role=role)
    for name, ids in (("kept", made[2:]), ("flown", flying)):
        for number, one in enumerate(ids):
            session.read(f"{name}.{number}", "agent", one, role=role)
            by_agent = METHODS["instance.by_agent"].request(agent_id=one)
            session.call(f"{name}.instances.{number}", "instance.by_agent", by_agent, role=role)


def _acknowledged_kept(evidence: Evidence) -> list[Problem]:
    found: list[Problem] = []
    before = {row.value("metadata.id"): row for row in evidence.under("made.")}
    for number, one in enumerate(evidence.fact("made")):
        after = evidence[f"kept.{number}"]
        found += answered(after, "OK")
        if after.ok:
            found += equal("an acknowledged agent changed", after, before[one].response, after.response)
    for number, row in enumerate(evidence.under("flying.")):
        if row.ok:
            found += answered(evidence[f"flown.{number}"], "OK")
    updated = evidence["updated"]
    found += answered(updated, "OK") + equal(
        "an acknowledged update is lost", updated, "Changed before the kill.", updated.value("spec.description")
    )
    return found + (answered(evidence["deleted"], "NOT_FOUND") if evidence["delete"].ok else [])


def _nothing_half(evidence: Evidence) -> list[Problem]:
    found: list[Problem] = []
    for name in ("kept", "flown"):
        agents = [row for row in evidence.under(f"{name}.") if ".instances." not in row.label]
        for agent in agents:
            instances = evidence[f"{name}.instances.{agent.label.rpartition('.')[2]}"]
            items = instances.value("items", [])
            named, ids = agent.value("status.default_instance_id"), [value_at(row, "metadata.id") for row in items]
            if agent.ok and not named:
                text = "half of an agent after the kill: it names no default instance"
                found.append(problem(text, agent, expected="a default instance", actual=f"instances: {ids or 'none'}"))
            elif agent.ok:
                text = "half of an agent after the kill: its instances aren't the one that it names"
                found += equal(text, instances, [named], ids)
            elif not not_found(agent) or items:
                found.append(problem("half of an agent after the kill", instances, expected="nothing"))
    return found


CHECKS: tuple[Check, ...] = (
    check(
        "DUR-KILL",
        _killed,
        _acknowledged_kept,
        also={"DUR-WHOLE": _nothing_half},
        roles=("caller", "operator"),
        features=("restartable",),
        alone=True,
    ),
)
