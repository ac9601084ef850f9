"""What every method owes its callers: sizes, junk, deadlines, unknown methods, health, reflection."""

from __future__ import annotations

import time
from typing import Any

from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2

from conformance.check import Check, check
from conformance.evidence import Evidence, Exchange, value_at
from conformance.judging import absent, accepted, answered, both, code, equal, problem
from conformance.methods import METHODS, SERVICE_NAMES, Proto
from conformance.reflection import LIST_SERVICES, reflect
from conformance.session import Session
from conformance.target_client import as_json
from conformance.verdict import Problem

MEBIBYTE = 1024 * 1024
NEAR_BYTES = 16 * 1024
"""So far below the limit is a request that it lets through: ten million bytes would be another limit."""
MANY, LONG = 100, 20_000
"""Broken rules in one request, and characters in one text: many times what a status may be long."""
LIMIT_BYTES = 10 * MEBIBYTE
JUNK: tuple[bytes, ...] = (b"\xff" * 64, b"\x0a\xff\xff\xff\xff\x7f", b"\x00", b'{"kind":"Agent"}', b"\x0a\x02\xff\xfe")
"""Bytes that are no message: bad tags, a length beyond the end, tag zero, JSON, text that isn't UTF-8."""
DEADLINES_MS: tuple[float, ...] = (0.1, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 3000)
"""The last one is in time on most servers: where states come out half, at least that one shows it."""
State = tuple[str, int, bool]
"""What is seen of a create: the code of the agent's get, how many instances of it there are, whether its status names
one."""


def _raw(session: Session, label: str, path: str, data: bytes, *, reply: Proto = None) -> Exchange:
    """Send bytes to a path as they are, and keep what came back."""
    client, began = session.client, time.monotonic()
    call: Any = client.channel.unary_unary(path, None, None)
    future = call.future(data, timeout=client.deadline_seconds, metadata=session.metadata(), wait_for_ready=True)
    error = future.exception()
    responses: tuple[Any, ...] = ()
    fault = ""
    if error is None and reply is not None:
        try:
            responses = (as_json(reply.FromString(future.result())),)
        except DecodeError:
            fault = f"the answer is no {reply.DESCRIPTOR.full_name}"
    exchange = Exchange(
        seq=client.next_seq(),
        check=session.check,
        label=label,
        step="rpc",
        role=session.context.caller,
        method=path,
        request={"bytes": data[:64].hex(), "length": len(data)},
        code=future.code().name,
        message=future.details() or "",
        responses=responses,
        fault=fault,
        lost=client.lost(future.code().name, future.details() or ""),
        at_ms=round((began - client.started) * 1000, 3),
        elapsed_ms=round((time.monotonic() - began) * 1000, 3),
    )
    session.record(exchange)
    client.judge_silence(exchange.code, meant=False)
    return exchange


def _size(session: Session) -> None:
    within = session.agent()
    within.spec.instructions = "i" * (LIMIT_BYTES - NEAR_BYTES)
    session.call("within", "agent.create", within)
    beyond = session.agent(resource_id=session.new_id())
    beyond.spec.instructions = "i" * (LIMIT_BYTES + 1)
    session.call("beyond", "agent.create", beyond)
    session.read("get", "agent", beyond.metadata.id)
    session.call("alive", "agent.create", session.agent())


def _junk(session: Session) -> None:
    for kind in ("agent.create", "agent.update", "agent.get"):
        for number, data in enumerate(JUNK):
            _raw(session, f"junk.{kind}.{number}", METHODS[kind].path, data)
    session.call("alive", "agent.create", session.agent())


def _all_refused(evidence: Evidence) -> list[Problem]:
    junk = evidence.under("junk.")
    return [wrong for row in junk for wrong in answered(row, "INTERNAL", "INVALID_ARGUMENT")] + accepted("alive")(
        evidence
    )


def _unknown(session: Session) -> None:
    path = METHODS["agent.create"].path
    _raw(session, "method", f"{path}Nothing", b"")
    _raw(session, "service", "/ai.stigmer.no.such.Service/create", b"")
    session.call("alive", "agent.create", session.agent())


def _deadlines(session: Session) -> None:
    """Creates whose deadline passes at different moments; afterwards each is there whole or not at all.

    Whole is what a create in time leaves behind on this server, nothing is what it shows of an agent that never was:
    what is wrong with either isn't the deadline's doing, and other requirements speak of it.
    """
    requests = [session.agent(resource_id=session.new_id()) for _ in DEADLINES_MS]
    method = METHODS["agent.create"]
    pending = [
        session.begin(f"late.{n}", method.name, request, deadline_seconds=ms / 1000)
        for n, (request, ms) in enumerate(zip(requests, DEADLINES_MS, strict=True))
    ]
    for call in pending:
        session.finish(call, method)
    # What the server may still be doing must be over before it is looked at.
    settled = session.need("settled", "agent.create", session.agent())
    whole = _look(session, "look.settled", settled.metadata.id)
    missing = session.new_id()
    session.note("missing", missing)
    nothing = _look(session, "look.missing", missing)
    # What takes a call its whole time may take as long behind a caller's back.
    until = time.monotonic() + session.client.deadline_seconds
    for number, request in enumerate(requests):
        while _look(session, f"look.{number}", request.metadata.id) not in {whole, nothing}:
            if time.monotonic() > until:
                break
            time.sleep(0.05)


def _look(session: Session, label: str, agent_id: str) -> State:
    """Read an agent and its instances: a state that is neither whole nor nothing may be work in flight."""
    by_agent = METHODS["instance.by_agent"].request(agent_id=agent_id)
    found = session.read(f"{label}.agent", "agent", agent_id)
    instances = session.call(f"{label}.instances", "instance.by_agent", by_agent)
    return _state(found.exchange, instances.exchange, agent_id)


def _state(agent: Exchange, instances: Exchange, agent_id: str) -> State:
    own = [row for row in instances.value("items", []) if value_at(row, "spec.agent_id") == agent_id]
    return agent.code, len(own), bool(agent.value("status.default_instance_id"))


def _whole_or_nothing(evidence: Evidence) -> list[Problem]:
    whole = _seen(evidence, "settled", evidence["settled"].value("metadata.id"))
    nothing = _seen(evidence, "missing", evidence.fact("missing"))
    found: list[Problem] = []
    for number in range(len(DEADLINES_MS)):
        state = _seen(evidence, str(number), value_at(evidence[f"late.{number}"].request, "metadata.id"))
        if state not in {whole, nothing}:
            wanted = f"{_told(whole)}, as after a create in time; or {_told(nothing)}, as of one that never was"
            at = evidence[f"look.{number}.instances"]
            found.append(problem("half of an agent whose create was late", at, expected=wanted, actual=_told(state)))
    return found


def _seen(evidence: Evidence, name: str, agent_id: str) -> State:
    return _state(evidence[f"look.{name}.agent"], evidence[f"look.{name}.instances"], agent_id)


def _told(state: State) -> str:
    code_seen, count, named = state
    return f"agent {code_seen} {'with' if named else 'without'} a default instance in its status, {count} instances"


def _health(session: Session) -> None:
    request = health_pb2.HealthCheckRequest()
    _raw(
        session,
        "health",
        "/grpc.health.v1.Health/Check",
        request.SerializeToString(),
        reply=health_pb2.HealthCheckResponse,
    )


def _serving(evidence: Evidence) -> list[Problem]:
    exchange = evidence["health"]
    return answered(exchange, "OK") or equal("health", exchange, "SERVING", exchange.value("status"))


def _reflect(session: Session) -> None:
    found = reflect(session.client, LIST_SERVICES)
    responses = () if found.response is None else (as_json(found.response),)
    lost = found.response is None and session.client.lost(found.status.name, found.details)
    session.record(
        Exchange(
            seq=session.client.next_seq(),
            check=session.check,
            label="reflect",
            step="rpc",
            role="anonymous",
            method=found.path,
            request=as_json(LIST_SERVICES),
            code=found.status.name,
            responses=responses,
            lost=lost,
        )
    )


def _services_named(evidence: Evidence) -> list[Problem]:
    exchange = evidence["reflect"]
    named = {value_at(row, "name") for row in exchange.value("list_services_response.service", [])}
    cloud = evidence.fact("profile") == "cloud"
    wanted = {name for name in SERVICE_NAMES if name.startswith("ai.stigmer.") and (cloud or ".iam." not in name)}
    missing = sorted(wanted - named)
    return answered(exchange, "OK") + equal("services that reflection doesn't name", exchange, [], missing)


def _long_refusals(session: Session) -> None:
    """Have something long refused with each code that a server has for it; what isn't refused is its near-miss twin."""
    for label, instructions in (("many", "short"), ("many.twin", "Answer as briefly as you can.")):
        request = session.agent(resource_id=session.new_id())
        for number in range(MANY):
            request.spec.sub_agents.add(name=f"sub-{number}", instructions=instructions)
        session.call(label, "agent.create", request, valid=label != "many")
    long = session.agent(resource_id=session.new_id())
    long.metadata.slug = f"{session.name()}-{'x' * LONG}"
    session.call("taken.twin", "agent.create", long)
    long.metadata.id = session.new_id()
    session.call("taken", "agent.create", long)
    session.call("missing", "agent.get", METHODS["agent.get"].request(value=f"agt-{'é' * LONG}"))
    session.find("unknown", "agent", f"{session.name()}-{'x' * LONG}", session.org)


def _reach_the_caller(evidence: Evidence) -> list[Problem]:
    """A status that is too long for a client comes out as RESOURCE_EXHAUSTED; which code is right, other checks ask."""
    found = [row for label in ("many.twin", "taken.twin") for row in answered(evidence[label], "OK")]
    lost = [label for label in ("many", "taken", "missing", "unknown") if evidence[label].code == "RESOURCE_EXHAUSTED"]
    return found + [problem(f"{label}: the status is too long for a client", evidence[label]) for label in lost]


CHECKS: tuple[Check, ...] = (
    check(
        "RPC-SIZE",
        _size,
        both(code("beyond", "RESOURCE_EXHAUSTED"), accepted("alive")),
        also={"RPC-SIZE-WITHIN": accepted("within"), "ATOM-RPC-SIZE": absent("get")},
    ),
    check("RPC-JUNK", _junk, _all_refused),
    check("RPC-STATUS-SIZE", _long_refusals, _reach_the_caller),
    check(
        "RPC-UNIMPL",
        _unknown,
        both(code("method", "UNIMPLEMENTED"), code("service", "UNIMPLEMENTED"), accepted("alive")),
    ),
    check("RPC-DEADLINE", _deadlines, _whole_or_nothing),
    check("RPC-HEALTH", _health, _serving, features=("health",)),
    check("RPC-REFLECT", _reflect, _services_named, features=("reflection",)),
)
