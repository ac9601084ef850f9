"""Secrets are hidden from everybody, whoever made what holds them: from owner, admin, member and operator alike."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from operator import attrgetter

from conformance import samples
from conformance.check import Check, check
from conformance.evidence import Evidence
from conformance.judging import answered
from conformance.methods import Proto
from conformance.secrets_shown import DATA_OF_AGENT, DATA_OF_ENVIRONMENT, leaks
from conformance.session import Session
from conformance.sweeps import read_list
from conformance.verdict import Problem
from conformance.watching import Watch

READERS = ("operator", "org_admin", "org_member")
"""Who may view what is in an organization. Each but the admin makes something, and the others look at it."""
MAKERS = ("operator", "org_member")
_WHERE = {"agent": ("RED-READERS", DATA_OF_AGENT), "environment": ("ENV-READERS", DATA_OF_ENVIRONMENT)}


def _exercise(kind: str) -> Callable[[Session], None]:
    """Everybody reads what two have made; admin and operator change the member's, and the operator deletes both."""

    def exercise(session: Session) -> None:
        for role in READERS[1:]:
            account = ("identity_account", session.context.identity(role))
            session.grant(f"grant.{role}", account, role.removeprefix("org_"), ("organization", session.own_org))
        with Watch(session, "watch", role="operator") if session.offers("watch") else nullcontext() as watch:
            made = {role: _made(session, kind, role) for role in MAKERS}
            for owner, request in made.items():
                _read_by_all(session, kind, owner, request)
            for role in READERS[:2]:
                session.call(f"update.{role}", f"{kind}.update", made["org_member"], role=role)
                session.call(f"apply.{role}", f"{kind}.apply", made["org_member"], role=role)
            _read_by_all(session, kind, "changed", made["org_member"])
            for owner, request in made.items():
                session.delete(f"delete.{owner}", kind, request.metadata.id, role="operator")
            if watch is not None:
                watch.catch_up(org=session.own_org, maker="operator")

    return exercise


def _made(session: Session, kind: str, owner: str) -> Proto:
    """Make a resource with a secret; return the request with the id that it got. Raises SetupRefused."""
    make = samples.full_agent if kind == "agent" else samples.environment
    request: Proto = make(session.name(), session.own_org)
    values = attrgetter(_WHERE[kind][1])(request)
    session.note(f"secret.{owner}", values[samples.SECRET_NAME].value)
    request.metadata.id = session.need(f"made.{owner}", f"{kind}.create", request, role=owner).metadata.id
    return request


def _read_by_all(session: Session, kind: str, label: str, request: Proto) -> None:
    metadata = request.metadata
    for role in READERS:
        session.read(f"get.{label}.{role}", kind, metadata.id, role=role)
        session.find(f"find.{label}.{role}", kind, metadata.slug or metadata.name, metadata.org, role=role)
        if session.offers("list"):
            read_list(session, f"list.{label}.{role}", kind, metadata.org, role=role, size=1)


def _hidden(evidence: Evidence) -> list[Problem]:
    secrets = [evidence.fact(f"secret.{owner}") for owner in MAKERS]
    return [wrong for row in evidence.exchanges for wrong in answered(row, "OK") or leaks(row, secrets)]


CHECKS: tuple[Check, ...] = tuple(
    check(requirement, _exercise(kind), _hidden, roles=READERS) for kind, (requirement, _) in _WHERE.items()
)
