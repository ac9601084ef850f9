"""Step Persist of create: what was sent is what is kept."""

from __future__ import annotations

import base64

from conformance import samples
from conformance.check import Check, check
from conformance.evidence import Evidence, Json, value_at
from conformance.judging import accepted, answered, both, differences, problem, same_answer
from conformance.session import Session
from conformance.verdict import Problem
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent

TEXTS: dict[str, str] = {
    "controls": "tab\tline\nreturn\r nul\x00 escape\x1b delete\x7f",
    "composed": "é and e\u0301 stay two things",
    "directions": "left \u202eright\u202c mark\u200f",
    "astral": "🤖👩‍🚀𝔸𠜎",
    "quotes": "' \" ` \\ %s {0} ${x} <a> & -- ; '); DROP",
    "noncharacters": "\ufffe\uffff\ufeff",
    "blank": "   ",
}
"""Texts that storage layers are known to change: escapes, normal forms, quoting, case, trimming."""
UNKNOWN_FIELD = b"\xba\x3e\x07unknown"
"""Field 999 (length-delimited) with seven bytes: what a newer client may send."""


def _full(session: Session) -> None:
    request = samples.full_agent(session.name(), session.org)
    made = session.call("create", "agent.create", request)
    if made.ok:
        session.read("get", "agent", made.message.metadata.id)


def _small(session: Session) -> None:
    made = session.call("create", "agent.create", session.agent())
    if made.ok:
        session.read("get", "agent", made.message.metadata.id)


def _texts(session: Session) -> None:
    request = session.agent()
    request.spec.description = "".join(TEXTS.values())
    request.metadata.annotations.update(TEXTS)
    request.metadata.tags.extend(TEXTS.values())
    made = session.call("create", "agent.create", request)
    if made.ok:
        session.read("get", "agent", made.message.metadata.id)


def _edges(session: Session) -> None:
    made = session.call("create", "agent.create", samples.edge_agent(session.name(), session.org))
    if made.ok:
        session.read("get", "agent", made.message.metadata.id)
    small = session.created_agent("setup.small")
    request = samples.edge_agent(small.metadata.name, session.org)
    request.metadata.id = small.metadata.id
    session.call("update", "agent.update", request)
    session.read("update.get", "agent", small.metadata.id)
    many = session.call("many", "agent.create", samples.many_agent(session.name(), session.org))
    if many.ok:
        session.read("many.get", "agent", many.message.metadata.id)
    references = samples.many_references(session.name(), session.org, small.metadata.id)
    instance = session.call("instance", "instance.create", references)
    if instance.ok:
        session.read("instance.get", "instance", instance.message.metadata.id)
    edged = samples.edge_environment(session.name(), session.org)
    environment = session.call("environment", "environment.create", edged)
    if environment.ok:
        session.read("environment.get", "environment", environment.message.metadata.id)


_EDGES = {"create": "get", "update": "update.get"} | {
    label: f"{label}.get" for label in ("many", "instance", "environment")
}
"""What was sent, and what showed it."""


def _edges_kept(evidence: Evidence) -> list[Problem]:
    return [wrong for sent, shown in _EDGES.items() for wrong in _kept(evidence, sent, shown)]


def _round_trip(evidence: Evidence) -> list[Problem]:
    return _kept(evidence, "create", "get" if "get" in evidence else "create")


def _kept(evidence: Evidence, sent: str, shown: str) -> list[Problem]:
    """All that the client sent, but for the parts that the server makes, comes back from a get."""
    if shown not in evidence:
        return answered(evidence[sent], "OK")
    created, read = evidence[sent], evidence[shown]
    failed = answered(created, "OK") + answered(read, "OK")
    if failed:
        return failed
    found = differences(_comparable(created.request, evidence), _comparable(read.response, evidence), read)
    wanted, actual = (value_at(document, "metadata", {}) for document in (created.request, read.response))
    for part in ("name", "org", "owner_scope", "labels", "annotations", "tags", "version"):
        found += differences(wanted.get(part, ""), actual.get(part, ""), read, f"metadata.{part}")
    return found


def _comparable(resource: dict[str, object], evidence: Evidence) -> dict[str, object]:
    """The parts of a resource that no step changes; in the cloud profile secrets are hidden."""
    parts = {name: resource.get(name) for name in ("api_version", "kind", "spec")}
    if evidence.fact("profile") == "oss":
        return parts
    spec = {**resource["spec"]} if isinstance(resource["spec"], dict) else {}
    plain = {"env_spec": _plain(value_at(spec, "env_spec.data", {})), "data": _plain(spec.get("data", {}))}
    return {**parts, "spec": spec | plain}


def _plain(values: Json) -> Json:
    return {name: value for name, value in values.items() if not value.get("is_secret")}


def _unknown(session: Session) -> None:
    request = session.agent()
    request.spec.MergeFromString(UNKNOWN_FIELD)
    made = session.call("create", "agent.create", request, keep_wire=True)
    if made.ok:
        method = "agent.get"
        request_get = session.by_id(method, made.message.metadata.id)
        session.call("get", method, request_get, keep_wire=True)


def _unknown_kept(evidence: Evidence) -> list[Problem]:
    failed = accepted("create")(evidence) or accepted("get")(evidence)
    if failed:
        return failed
    exchange = evidence["get"]
    spec = Agent.FromString(base64.b64decode(exchange.wire)).spec.SerializeToString()
    if UNKNOWN_FIELD in spec:
        return []
    return [problem("the unknown field of the spec is gone", exchange, expected="field 999 kept", actual="not there")]


CHECKS: tuple[Check, ...] = (
    check("PERSIST-GET", _small, accepted("create", "get")),
    check("PERSIST-ALL", _full, _round_trip),
    check("PERSIST-TEXT", _texts, both(_round_trip, same_answer("create", "get"))),
    check("PERSIST-EDGES", _edges, both(_edges_kept, same_answer("create", "get"))),
    check("RPC-UNKNOWN", _unknown, _unknown_kept),
)
