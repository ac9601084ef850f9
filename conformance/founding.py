"""Before the first check and after the last: the run's memberships, and the look for what was left behind."""

from __future__ import annotations

from dataclasses import replace

from conformance import samples
from conformance.credentials import ROLES, Credentials
from conformance.methods import METHODS, Proto
from conformance.session import Session
from conformance.world import World

_MEMBERSHIPS: tuple[tuple[str, str, str], ...] = (
    ("org_admin", "admin", "org"),
    ("org_member", "member", "org"),
    ("other_org_member", "member", "other_org"),
)
"""Role, relation, and which of the run's organizations it is in. Nobody is in none."""
_LISTS = {"agent": "list.agents", "instance": "list.instances", "environment": "list.environments"}


def found_world(session: Session, credentials: Credentials) -> World:
    """Give the roles their memberships, unless they came with organizations of their own.

    A role that can't be set up is left out, with the reason, so that its checks are UNTESTABLE.
    """
    world = session.world
    if not world.cloud:
        return world
    absent = {
        role: f"no credentials for the role {role}: add [roles.{role}] to the credentials file"
        for role in ROLES
        if role not in world.roles
    }
    if not credentials.organization:
        absent |= _memberships(session)
    roles = {name: role for name, role in world.roles.items() if name not in absent}
    return replace(world, roles=roles, absent=absent)


def _memberships(session: Session) -> dict[str, str]:
    """Write the memberships; return the roles that have none, with the reason."""
    world, failed = session.world, dict[str, str]()
    for role, request in _requests(world):
        if "operator" not in world.roles:
            failed[role] = f"setting up the membership of {role} needs the operator's credentials"
            continue
        exchange = session.call(f"member.{role}", "policy.create", request, role="operator").exchange
        # A server may keep the identities' memberships from before: what counts is that they hold.
        if exchange.code not in {"OK", "ALREADY_EXISTS"}:
            failed[role] = f"setting up the membership of {role}: {exchange.code} ({exchange.message})"
    return failed


def _requests(world: World) -> list[tuple[str, Proto]]:
    orgs = {"org": world.org, "other_org": world.other_org}
    return [
        (role, samples.policy(("identity_account", world.roles[role].id), relation, ("organization", orgs[org])))
        for role, relation, org in _MEMBERSHIPS
        if role in world.roles
    ]


def leave_world(session: Session) -> list[str]:
    """Take the memberships back and look for resources that the run left in its organizations."""
    world = session.world
    leaks = [row for org in (world.org, world.other_org) for row in _left_in(session, org)]
    if world.cloud and "operator" in world.roles and world.org.startswith(f"conform-{world.run_id}"):
        for role, request in _requests(world):
            session.call(f"leave.{role}", "policy.delete", request, role="operator")
    return leaks


def _left_in(session: Session, org: str) -> list[str]:
    world = session.world
    if not world.features.get("list", False) or not org.startswith(f"conform-{world.run_id}"):
        return []
    found: list[str] = []
    for kind, method in _LISTS.items():
        request = METHODS[method].request(org=org)
        answer = session.call(f"left.{kind}.{org}", method, request)
        rows = answer.message.items if answer.message is not None else ()
        found += [f"{kind} {row.metadata.id} in {org}" for row in rows]
    return found
