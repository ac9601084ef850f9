"""Races: creates, applies, updates, deletes and revocations at once, each decided over many heats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import cycle

from conformance import samples
from conformance.check import Check, check
from conformance.evidence import Evidence, Exchange, Json, value_at
from conformance.judging import answered, asked_if, differences, equal, nanoseconds, not_found, problem
from conformance.methods import METHODS, Proto, deletion
from conformance.racing import (
    HEATS_QUICK,
    HEATS_QUICK_AGAIN,
    deleted_once,
    deletes_beside,
    heats_of,
    is_deleted,
    race,
    racers,
    statuses_beside_delete,
    two_deletes,
)
from conformance.requests import new_resource
from conformance.session import Session
from conformance.target_client import Call
from conformance.verdict import Problem
from protos.ai.stigmer.commons.apiresource.enum_pb2 import identity_account

_SAID = (
    "metadata.name",
    *(f"metadata.{name}.writer" for name in ("labels", "annotations")),
    "metadata.tags",
    *(f"spec.{name}" for name in ("description", "instructions")),
)
"""Where an update says who wrote it."""
OTHERS = 2
"""Creates that are under way beside a heat."""
STREAM, STREAM_QUICK, STREAM_AT_A_TIME = 200, 40, 8
"""Updates that aren't released together: each comes while those before it are at different points of their way."""
_OWNERS = ("org_member", "org_admin", "other_org_member", "nobody")
"""Who makes what is his own, in turns."""


def _one_slug(kind: str) -> Callable[[Session], None]:
    """Create at once what has one slug and ids of its own."""

    def exercise(session: Session) -> None:
        ids: dict[str, str] = {}
        names: list[str] = []
        agent_id = session.created_agent("parent").metadata.id if kind == "instance" else ""

        def calls(number: int) -> list[Call]:
            names.append(session.name())
            requests = [_named(session, kind, names[-1], agent_id) for _ in range(racers(session))]
            ids.update({f"{number}.{n}": request.metadata.id for n, request in enumerate(requests)})
            return [Call(f"heat.{number}.{n}", f"{kind}.create", request) for n, request in enumerate(requests)]

        heats = race(session, calls, heats_quick=HEATS_QUICK if kind == "agent" else HEATS_QUICK_AGAIN)
        get, find = f"{kind}.get", f"{kind}.by_reference"
        session.together(Call(f"get.{n}", get, session.by_id(get, one)) for n, one in ids.items())
        session.together(Call(f"find.{n}", find, samples.reference(names[n], session.org)) for n in range(heats))

    return exercise


def _named(session: Session, kind: str, name: str, agent_id: str) -> Proto:
    request = new_resource(session, kind, agent_id)
    request.metadata.name, request.metadata.id = name, session.new_id(kind)
    return request


def _one_winner(evidence: Evidence) -> list[Problem]:
    found: list[Problem] = []
    for number, rows in heats_of(evidence):
        codes = Counter(row.code for row in rows)
        wanted = {"OK": 1, "ALREADY_EXISTS": len(rows) - 1}
        found += equal(f"statuses of heat {number}", rows[0], wanted, dict(codes))
        visible = [row.label for row in evidence.under(f"get.{number}.") if row.ok]
        found += equal(f"readable racers of heat {number}", rows[0], 1, len(visible))
        found += answered(evidence[f"find.{number}"], "OK")
    return found


def _one_id(kind: str) -> Callable[[Session], None]:
    """Create at once what has one id and nothing else in common: neither slug nor, of environments, caller.

    Others of the kind are created meanwhile: a server may judge what waits for a commit otherwise than what doesn't.
    """

    def exercise(session: Session) -> None:
        ids: list[str] = []
        roles = [one for one in _OWNERS if one in session.context.roles] if kind == "environment" else []

        def calls(number: int) -> list[Call]:
            ids.append(session.new_id(kind))
            requests = [_with_id(session, kind, ids[-1], own=bool(roles)) for _ in range(racers(session))]
            callers = cycle(roles or [None])
            return [
                Call(f"heat.{number}.{n}", f"{kind}.create", request, role)
                for n, (request, role) in enumerate(zip(requests, callers, strict=False))
            ]

        def beside(number: int) -> list[Call]:
            others = [_with_id(session, kind, session.new_id(kind), own=False) for _ in range(OTHERS)]
            return [Call(f"beside.{number}.{n}", f"{kind}.create", request) for n, request in enumerate(others)]

        race(session, calls, beside)
        role, get = "operator" if session.cloud else None, f"{kind}.get"
        session.together(Call(f"get.{n}", get, session.by_id(get, one), role) for n, one in enumerate(ids))
        for number, one in enumerate(ids if kind == "agent" else ()):
            _instances(session, f"instances.{number}", one)

    return exercise


def _with_id(session: Session, kind: str, resource_id: str, *, own: bool) -> Proto:
    """Return a create with this id; of an account's own where that is wanted."""
    request = new_resource(session, kind, "")
    request.metadata.id = resource_id
    if own:
        request.metadata.org, request.metadata.owner_scope = "", identity_account
    return request


def _first_stays(evidence: Evidence) -> list[Problem]:
    """One create is answered, the others are refused, and what the one was answered is what is there."""
    found: list[Problem] = []
    for number, rows in heats_of(evidence):
        wanted = {"OK": 1, "ALREADY_EXISTS": len(rows) - 1}
        found += equal(f"statuses of heat {number}", rows[0], wanted, dict(Counter(row.code for row in rows)))
        get = evidence[f"get.{number}"]
        first = next((row.response for row in rows if row.ok), {})
        found += answered(get, "OK") or differences(first, get.response, get)
        if f"instances.{number}" in evidence:
            instances = evidence[f"instances.{number}"]
            found += equal(f"instances after heat {number}", instances, 1, len(instances.value("items", [])))
    return found


def _applies(session: Session) -> None:
    def calls(number: int) -> list[Call]:
        name = session.name()
        return [Call(f"heat.{number}.{n}", "agent.apply", session.agent(name=name)) for n in range(racers(session))]

    race(session, calls)
    for number, rows in heats_of(session.evidence()):
        made = next((row.value("metadata.id") for row in rows if row.ok), "agt-missing")
        _instances(session, f"instances.{number}", made)


def _instances(session: Session, label: str, agent_id: str) -> None:
    request = METHODS["instance.by_agent"].request(agent_id=agent_id)
    session.call(label, "instance.by_agent", request, role="operator" if session.cloud else None)


def _one_resource(evidence: Evidence) -> list[Problem]:
    found: list[Problem] = []
    for number, rows in heats_of(evidence):
        # A server may tell a racer to come again; it must not make a second agent.
        found += [wrong for row in rows for wrong in answered(row, "OK", "ABORTED", "ALREADY_EXISTS")]
        ids = {row.value("metadata.id") for row in rows if row.ok}
        found += equal(f"agents that heat {number} made", rows[0], 1, len(ids))
        instances = evidence[f"instances.{number}"]
        found += equal(f"instances after heat {number}", instances, 1, len(instances.value("items", [])))
    return found


def _updates(session: Session) -> None:
    made = session.created_agent()

    def calls(number: int) -> list[Call]:
        return [_update(session, made, f"heat.{number}.{n}") for n in range(racers(session))]

    def read_after(number: int) -> Sequence[Call]:
        if number:
            session.read(f"get.{number - 1}", "agent", made.metadata.id)
        return calls(number)

    heats = race(session, read_after)
    session.read(f"get.{heats - 1}", "agent", made.metadata.id)
    stream = [_update(session, made, f"stream.{n}") for n in range(session.size(STREAM, STREAM_QUICK))]
    session.together(stream, at_a_time=STREAM_AT_A_TIME)
    session.read("get.stream", "agent", made.metadata.id)


def _update(session: Session, made: Proto, label: str) -> Call:
    """An update that says wherever it can who wrote it."""
    writer = f"writer {label}"
    request = session.agent(name=f"{made.metadata.name} of {writer}", resource_id=made.metadata.id)
    request.metadata.labels["writer"] = request.metadata.annotations["writer"] = writer
    request.metadata.tags.append(writer)
    request.spec.description = request.spec.instructions = writer
    return Call(label, "agent.update", request)


def _in_some_order(evidence: Evidence) -> list[Problem]:
    """Each answer is its own request's; what stays is the whole of the last that was answered."""
    found: list[Problem] = []
    for number, rows in (*heats_of(evidence), ("stream", evidence.under("stream."))):
        get, through = evidence[f"get.{number}"], [row for row in rows if row.ok]
        found += [wrong for row in rows for wrong in answered(row, "OK", "ABORTED")] + answered(get, "OK")
        if not through:
            found.append(problem(f"no update of heat {number} got through", rows[0]))
            continue
        for row in through:
            found += equal(f"{row.label}: another's answer", row, _writers(row.request), _writers(row.response))
        last = max(through, key=_updated_at)
        same = [row for row in through if _updated_at(row) == _updated_at(last)]
        if get.response not in [row.response for row in same]:
            found += differences(last.response, get.response, get)
    return found


def _writers(document: Json) -> list[str]:
    return [value_at(document, path) for path in _SAID]


def _updated_at(row: Exchange) -> int:
    return nanoseconds(row.value("status.audit.spec_audit.updated_at"))


def _beside_children(session: Session) -> None:
    """Update an agent while instances of it are made, which mustn't undo that."""
    made = session.created_agent()

    def calls(number: int) -> list[Call]:
        if number:
            session.read(f"get.{number - 1}", "agent", made.metadata.id)
        first, *others = [_new_instance(session, made, f"heat.{number}.{n}") for n in range(racers(session) - 1)]
        return [first, _update(session, made, f"heat.{number}.update"), *others]

    heats = race(session, calls, heats_quick=HEATS_QUICK_AGAIN)
    session.read(f"get.{heats - 1}", "agent", made.metadata.id)


def _update_stays(evidence: Evidence) -> list[Problem]:
    found: list[Problem] = []
    for number, rows in heats_of(evidence):
        found += [wrong for row in rows for wrong in answered(row, "OK", "ABORTED")]
        update, get = evidence[f"heat.{number}.update"], evidence[f"get.{number}"]
        found += answered(get, "OK") + (differences(update.response, get.response, get) if update.ok else [])
    return found


def _against_delete(session: Session, other: Callable[[Session, Proto, str], Call], kind: str) -> None:
    """Delete an agent twice while something is done that needs it, then look whether anything came back."""
    agents: list[str] = []
    role = "operator" if session.cloud else None

    def calls(number: int) -> list[Call]:
        made = session.created_agent(f"setup.{number}", role=role)
        agents.append(made.metadata.id)
        rivals = [other(session, made, f"heat.{number}.{n}") for n in range(racers(session) - 1)]
        return deletes_beside(two_deletes(number, "agent.delete", deletion("agent", made.metadata.id), role), rivals)

    race(session, calls, senders=racers(session) + 1)
    for number, rows in heats_of(session.evidence()):
        session.read(f"get.{number}", "agent", agents[number], role=role)
        _instances(session, f"instances.{number}", agents[number])
        for row in rows if kind == "instance" else ():
            if row.ok and row.step != "agent.delete":
                session.read(f"left.{number}.{row.label}", kind, row.value("metadata.id"), role=role)


def _against_its_agent(session: Session) -> None:
    """Make instances while their agent is deleted; before, one whose agent is deleted while nobody else is about."""
    role = "operator" if session.cloud else None
    calm = session.created_agent("setup.calm", role=role)
    made = session.need("setup.instance", "instance.create", _new_instance(session, calm, "").request, role=role)
    session.delete("calm.delete", "agent", calm.metadata.id, role=role)
    session.read("calm", "instance", made.metadata.id, role=role)
    _against_delete(session, _new_instance, "instance")


def _new_instance(session: Session, made: Proto, label: str) -> Call:
    return Call(label, "instance.create", samples.instance(session.name(), session.org, made.metadata.id))


def _stays_deleted(evidence: Evidence) -> list[Problem]:
    found: list[Problem] = []
    for number, rows in heats_of(evidence):
        found += statuses_beside_delete(rows)
        if not is_deleted(rows):
            continue
        for row in (evidence[f"get.{number}"], *evidence.under(f"left.{number}.")):
            if not not_found(row):
                found.append(
                    problem("came back after its agent was deleted", row, expected="NOT_FOUND", actual=row.code)
                )
        instances = evidence[f"instances.{number}"]
        left = len(instances.value("items", []))
        found += equal(f"instances of the agent that heat {number} deleted", instances, 0, left)
    return found


def _revocations(session: Session) -> None:
    """Revoke a membership twice while it is used: who asks after that is refused, whatever was decided meanwhile."""
    nobody = ("identity_account", session.context.identity("nobody"))
    org = session.own_org
    made = session.created_agent(role="operator", org=org)
    request = samples.policy(nobody, "member", ("organization", org))
    session.forget_grant_later(request)
    get = session.by_id("agent.get", made.metadata.id)

    def calls(number: int) -> list[Call]:
        if number:
            session.read(f"after.{number - 1}", "agent", made.metadata.id, role="nobody")
        session.call(f"grant.{number}", "policy.create", request, role="operator")
        session.read(f"before.{number}", "agent", made.metadata.id, role="nobody")
        readers = [Call(f"heat.{number}.{n}", "agent.get", get, "nobody") for n in range(racers(session) - 1)]
        return deletes_beside(two_deletes(number, "policy.delete", request, "operator"), readers)

    heats = race(session, calls, senders=racers(session) + 1)
    session.read(f"after.{heats - 1}", "agent", made.metadata.id, role="nobody")


def _shut_out(evidence: Evidence) -> list[Problem]:
    found: list[Problem] = []
    for number, rows in heats_of(evidence):
        for label in (f"grant.{number}", f"before.{number}"):
            found += answered(evidence[label], "OK")
        for row in rows:
            late = ("NOT_FOUND",) if row.step == "policy.delete" and is_deleted(rows) else ()
            found += answered(row, "OK", *(late if row.step == "policy.delete" else ("PERMISSION_DENIED",)))
        found += answered(evidence[f"after.{number}"], "PERMISSION_DENIED")
    return found


CHECKS: tuple[Check, ...] = (
    check("ORD-RACE", _one_slug("agent"), _one_winner),
    *(check(f"RACE-SLUG-{kind.upper()}", _one_slug(kind), _one_winner) for kind in ("instance", "environment")),
    *(
        check(f"RACE-ID-{kind.upper()}", _one_id(kind), _first_stays, roles=("caller", "operator"))
        for kind in ("agent", "environment")
    ),
    check("APL-RACE", _applies, _one_resource, roles=("caller", "operator")),
    check("UPD-RACE", _updates, _in_some_order),
    check("RACE-CHILDREN", _beside_children, _update_stays),
    check(
        "UPD-RACE-DELETE",
        lambda session: _against_delete(session, _update, "agent"),
        _stays_deleted,
        also={"RACE-DELETES-AGENT": deleted_once},
        roles=("caller", "operator"),
    ),
    check(
        "RACE-PARENT",
        _against_its_agent,
        asked_if(
            lambda evidence: not evidence["calm"].ok,
            "the target keeps an agent's instances when it goes, which is a choice: DEL-INSTANCES tells of it",
            _stays_deleted,
        ),
        roles=("caller", "operator"),
    ),
    check(
        "RACE-REVOKE",
        _revocations,
        _shut_out,
        also={"RACE-DELETES-POLICY": deleted_once},
        roles=("operator", "nobody"),
    ),
)
