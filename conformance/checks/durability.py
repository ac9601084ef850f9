"""Durability: what was acknowledged is there after SIGKILL and restart, whole. Only for targets the suite started."""

from __future__ import annotations

from conformance import samples
from conformance.check import Check, check
from conformance.checks import after_restart
from conformance.evidence import Evidence, NotAsked, value_at
from conformance.judging import answered, differences, equal, not_found, problem
from conformance.kinds import KINDS
from conformance.methods import METHODS
from conformance.requests import new_resource
from conformance.session import Session, SetupRefused
from conformance.sweeps import LIST_PAGE, page
from conformance.target import StillAlive, TargetUnreachable
from conformance.target_client import TargetLost
from conformance.verdict import Problem
from conformance.watching import Watch, events_about, first_answer
from protos.ai.stigmer.agentic.environment.v1.api_pb2 import Environment

ACKNOWLEDGED = 12
IN_FLIGHT = 24

_GRANTS = ("granted", "revoked", "cleaned")
"""What becomes of three policies before the kill."""
ORDERED = 5
"""Resources of each kind whose order is looked at."""


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
    _other_kinds(session)
    order = _in_order(session)
    fresh, aged = (after_restart.make(session, when) for when in (after_restart.FRESH, after_restart.AGED))
    after_restart.use(session, after_restart.FRESH, fresh)
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
    if session.cloud and session.offers("watch"):
        with Watch(session, "from_now", role="operator") as watch:
            watch.catch_up(maker="operator")
    _look_again(session, [row.metadata.id for row in made], [row.metadata.id for row in flying])
    after_restart.use(session, after_restart.AGED, aged)
    _look_at_kinds(session)
    _read_order(session, "after", order)


def _in_order(session: Session) -> str:
    """Make some of each kind with ids that sort otherwise, change the first, list them; return the instances' agent."""
    parent = session.created_agent("ordered.parent", org=session.own_org, role=_role(session)).metadata.id
    for kind in KINDS:
        requests = [new_resource(session, kind, parent) for _ in range(ORDERED)]
        ids = sorted((session.new_id(kind) for _ in requests), key=lambda one: one[::-1])
        for number, request in enumerate(requests):
            request.metadata.id, request.metadata.org = ids[number], session.own_org
            session.need(f"ordered.{kind}.{number}", f"{kind}.create", request, role=_role(session))
        session.need(f"ordered.{kind}.change", f"{kind}.update", requests[0], role=_role(session))
    _read_order(session, "before", parent)
    return parent


def _read_order(session: Session, label: str, parent: str) -> None:
    by_agent = METHODS["instance.by_agent"].request(agent_id=parent)
    session.call(f"{label}.by_agent", "instance.by_agent", by_agent, role=_role(session))
    for kind in KINDS if session.offers("list") else ():
        request = page(session.own_org, LIST_PAGE, kind=kind)
        session.call(f"{label}.{kind}", KINDS[kind].list_method, request, role=_role(session))


def _role(session: Session) -> str | None:
    return "operator" if session.cloud else None


def _order_kept(evidence: Evidence) -> list[Problem]:
    """Lists have the order of creation before the kill and after it."""
    found: list[Problem] = []
    for row in (*evidence.under("before."), *evidence.under("after.")):
        kind = row.label.partition(".")[2].replace("by_agent", "instance")
        made = [evidence[f"ordered.{kind}.{number}"].value("metadata.id") for number in range(ORDERED)]
        listed = [value_at(one, "metadata.id") for one in row.value("items", [])]
        found += answered(row, "OK") + equal(f"order {row.label}", row, made, [one for one in listed if one in made])
    return found


def _other_kinds(session: Session) -> None:
    """An instance, two environments of which one goes, two policies of which one is revoked, and their events."""
    if session.cloud and session.offers("watch"):
        first_answer(session, "bookmark", "operator")
    parent = session.created_agent("parent")
    instance = samples.instance(session.name(), session.org, parent.metadata.id)
    session.need("kind.instance", "instance.create", instance)
    environment = session.need("kind.environment", "environment.create", _environment(session))
    changed = _environment(session)
    changed.metadata.id, changed.spec.description = environment.metadata.id, "Changed before the kill."
    session.need("kind.environment", "environment.update", changed)
    gone = session.need("gone.create", "environment.create", _environment(session))
    session.delete("gone.delete", "environment", gone.metadata.id)
    if session.cloud:
        for label in _GRANTS:
            principal, resource = ("identity_account", session.name()), ("organization", session.name())
            session.note(label, [principal[1], resource[1]])
            session.grant(label, principal, "member", resource)
            if label == "revoked":
                request = samples.policy(principal, "member", resource)
                session.call("revoke", "policy.delete", request, role="operator")
            if label == "cleaned":
                request = METHODS["policy.cleanupResourcePolicies"].request(kind=resource[0], id=resource[1])
                session.call("clean", "policy.cleanupResourcePolicies", request, role="operator")
                session.holds("cleaned.before", principal, "member", resource)
        _grant_to_a_set(session)


def _grant_to_a_set(session: Session) -> None:
    """Grant something to all members of an organization, and make somebody one."""
    account, group, resource = session.name(), session.name(), session.name()
    session.note("set", [account, resource])
    session.grant("set.member", ("identity_account", account), "member", ("organization", group))
    session.grant("set", ("organization", group, "member"), "member", ("organization", resource))
    session.holds("set.before", ("identity_account", account), "member", ("organization", resource))


def _environment(session: Session) -> Environment:
    return samples.environment(session.name(), session.org)


def _look_at_kinds(session: Session) -> None:
    """After the restart: read what was made, ask what was granted, and resume the watch from before it all."""
    role = "operator" if session.cloud else None
    before = session.evidence()
    for kind in ("instance", "environment"):
        session.read(f"again.{kind}", kind, before[f"kind.{kind}"].value("metadata.id"), role=role)
    session.read("again.gone", "environment", before["gone.create"].value("metadata.id"), role=role)
    for label in (*_GRANTS, "set") if session.cloud else ():
        principal, resource = before.fact(label)
        session.holds(f"held.{label}", ("identity_account", principal), "member", ("organization", resource))
    if "bookmark" in before and before["bookmark"].ok:
        position = int(before["bookmark"].value("position", 0))
        with Watch(session, after_restart.RESUMED, role="operator", after=position) as watch:
            watch.catch_up(maker="operator")


def _kinds_kept(evidence: Evidence) -> list[Problem]:
    found = answered(evidence["again.gone"], "NOT_FOUND")
    for kind in ("instance", "environment"):
        before, after = evidence[f"kind.{kind}"], evidence[f"again.{kind}"]
        found += answered(after, "OK") or differences(before.response, after.response, after)
    return found


def _policies_kept(evidence: Evidence) -> list[Problem]:
    labels = [label for label in _GRANTS if label != "cleaned" or evidence["clean"].code != "UNIMPLEMENTED"]
    if evidence["set.before"].value("is_authorized", default=False):
        labels.append("set")
    rows = [evidence[f"held.{label}"] for label in labels]
    told = [row.value("is_authorized", default=False) for row in rows]
    failed = [wrong for row in rows for wrong in answered(row, "OK")]
    wanted = [label in {"granted", "set"} for label in labels]
    return failed + equal("what was granted holds, what was revoked or cleaned up doesn't", rows[0], wanted, told)


def _events_kept(evidence: Evidence) -> list[Problem]:
    if after_restart.RESUMED not in evidence:
        raise NotAsked("the target doesn't offer watch")
    watch = evidence[after_restart.RESUMED]
    wanted = {"kind.instance": 1, "kind.environment": 2, "gone.create": 2}
    told = {label: len(events_about(watch, evidence[label].value("metadata.id"))) for label in wanted}
    found = answered(watch, "OK") + equal("events from before the restart", watch, wanted, told)
    anew = evidence["from_now"]
    old = [made.label for made in evidence.under("made.") if events_about(anew, made.value("metadata.id"))]
    return found + equal("what a watch from now on tells of before the restart", anew, [], old)


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
        also={
            "DUR-WHOLE": _nothing_half,
            "DUR-KINDS": _kinds_kept,
            "DUR-ORDER": _order_kept,
            "DUR-POLICIES": _policies_kept,
            "DUR-EVENTS": _events_kept,
            **after_restart.JUDGES,
        },
        roles=("caller", "operator"),
        features=("restartable",),
        alone=True,
    ),
)
