"""Several replicas of one server: what one has done is so at every other, for the next call already.

What is to change is asked for before, at every replica: whoever remembers answers, absences or decisions of his own
remembers them then.
"""

from __future__ import annotations

from conformance import samples
from conformance.check import Check, check
from conformance.evidence import Evidence, Exchange, Json, value_at
from conformance.judging import answered, differences, equal, not_found, problem
from conformance.kinds import KINDS
from conformance.methods import METHODS, Proto, deletion
from conformance.replica_calls import Replicas
from conformance.requests import new_resource
from conformance.session import Session
from conformance.verdict import Problem

# ---- reads


def _lives(session: Session) -> None:
    replicas = Replicas.of(session)
    lives = [(kind, place) for kind in KINDS for place in replicas.places]
    session.note("lives", [f"{kind}.{place}" for kind, place in lives])
    for kind, place in lives:
        _live(replicas, kind, place)


def _live(replicas: Replicas, kind: str, place: int) -> None:
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
    replicas.at(place, f"{label}.delete", f"{kind}.delete", deletion(kind, request.metadata.id))
    _look(replicas, f"{label}.deleted", kind, request)


def _look(replicas: Replicas, label: str, kind: str, request: Proto) -> None:
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
    replicas = Replicas.of(session)
    for place in replicas.places:
        _list_around(replicas, place)


def _list_around(replicas: Replicas, place: int) -> None:
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
        replicas.at(place, f"{place}.delete.{kind}", f"{kind}.delete", deletion(kind, request.metadata.id), role)
    _list_all(replicas, f"{place}.deleted", org, agent.metadata.id, role)


def _list_all(replicas: Replicas, label: str, org: str, agent_id: str, role: str | None) -> None:
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
    replicas = Replicas.of(session)
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


CHECKS: tuple[Check, ...] = (
    check("REP-READ", _lives, _read_everywhere),
    check("REP-LIST", _listed, _listed_everywhere, roles=("caller", "operator")),
    check("REP-REVOKE", _revoked, _decided_everywhere, roles=("operator", "nobody")),
)
