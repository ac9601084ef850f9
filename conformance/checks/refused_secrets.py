"""A refusal shows no secret either: neither of what is stored nor of what was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import attrgetter

from conformance import samples
from conformance.check import Check, check
from conformance.evidence import Evidence
from conformance.judging import answered
from conformance.methods import Proto
from conformance.secrets_shown import DATA_OF_AGENT, DATA_OF_ENVIRONMENT, leaks
from conformance.session import Session
from conformance.target_client import Call
from conformance.verdict import Problem

_WHERE = {"agent": ("RED-REFUSED", DATA_OF_AGENT), "environment": ("ENV-REFUSED", DATA_OF_ENVIRONMENT)}


def _exercise(kind: str) -> Callable[[Session], None]:
    """Ask for creates, updates and applies with a secret, each of which something is wrong with."""

    def exercise(session: Session) -> None:
        request = _request(session, kind)
        made = session.need("made", f"{kind}.create", request, role="operator").metadata
        session.note("secrets", [_secret(kind, one) for one in (request, *_each_refused(session, kind, made))])

    return exercise


def _each_refused(session: Session, kind: str, made: Proto) -> Iterator[Proto]:
    for call in _calls(session, kind, made):
        session.call(call.label, call.method, call.request, role=call.role, valid=None)
        yield call.request


def _calls(session: Session, kind: str, made: Proto) -> Iterator[Call]:
    for way in ("create", "update", "apply"):
        for why, role in (("invalid", "operator"), ("anonymous", "anonymous"), ("denied", "other_org_member")):
            request = _request(session, kind)
            request.metadata.id = "" if way == "create" else made.id
            if why == "invalid":
                request.api_version = "v0"
            yield Call(f"{why}.{way}", f"{kind}.{way}", request, role)
    for why in ("slug", "id"):
        request = _request(session, kind)
        setattr(request.metadata, why, getattr(made, why))
        yield Call(f"{why}.create", f"{kind}.create", request, "operator")
    request = _request(session, kind)
    request.metadata.id = session.new_id(kind)
    yield Call("unknown.update", f"{kind}.update", request, "operator")


def _request(session: Session, kind: str) -> Proto:
    """Return a short request: a server that quotes it must not be let off for cutting it."""
    environment = samples.environment(session.name(), session.org)
    if kind == "environment":
        return environment
    agent = samples.agent(environment.metadata.name, session.org)
    agent.spec.env_spec.CopyFrom(environment.spec)
    return agent


def _secret(kind: str, request: Proto) -> str:
    return str(attrgetter(_WHERE[kind][1])(request)[samples.SECRET_NAME].value)


def _shows_none(evidence: Evidence) -> list[Problem]:
    """Whether each is refused, and how, is asked elsewhere."""
    secrets = evidence.fact("secrets")
    refused = [row for row in evidence.exchanges if not row.ok]
    return answered(evidence["made"], "OK") + [wrong for row in refused for wrong in leaks(row, secrets)]


CHECKS: tuple[Check, ...] = tuple(
    check(requirement, _exercise(kind), _shows_none, roles=("operator", "other_org_member"))
    for kind, (requirement, _) in _WHERE.items()
)
