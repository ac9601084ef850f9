"""Before the first check and after the last: the run's memberships, and the look for what was left behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

from conformance import samples
from conformance.credentials import ROLES, Credentials
from conformance.kinds import KINDS
from conformance.leftovers import Id, remove_leftovers
from conformance.line import insist
from conformance.methods import METHODS, Proto
from conformance.run_context import RunContext
from conformance.session import Session

_MEMBERSHIPS: tuple[tuple[str, str, str], ...] = (
    ("org_admin", "admin", "org"),
    ("org_member", "member", "org"),
    ("other_org_member", "member", "other_org"),
)
"""Role, relation, and which of the run's organizations it is in. Nobody is in none."""

PAGE, PAGES_MAX = 100, 100
"""Of the lists of what was left: a server whose pages never end is asked no more than so often."""


def found_context(session: Session, credentials: Credentials) -> RunContext:
    """Give the roles their memberships, unless they came with organizations of their own.

    A role that can't be set up is left out, with the reason, so that its checks are UNTESTABLE.
    """
    context = session.context
    if not context.cloud:
        return context
    absent = {
        role: f"no credentials for the role {role}: add [roles.{role}] to the credentials file"
        for role in ROLES
        if role not in context.roles
    }
    if not credentials.organization:
        absent |= _memberships(session)
    roles = {name: role for name, role in context.roles.items() if name not in absent}
    return replace(context, roles=roles, absent=absent)


def _memberships(session: Session) -> dict[str, str]:
    """Write the memberships; return the roles that have none, with the reason."""
    context, failed = session.context, dict[str, str]()
    for role, request in _requests(context):
        if "operator" not in context.roles:
            failed[role] = f"setting up the membership of {role} needs the operator's credentials"
            continue
        exchange = insist(partial(session.call, f"member.{role}", "policy.create", request, role="operator")).exchange
        # A server may keep the identities' memberships from before: what counts is that they hold.
        if exchange.code not in {"OK", "ALREADY_EXISTS"}:
            failed[role] = f"setting up the membership of {role}: {exchange.code} ({exchange.message})"
    return failed


def _requests(context: RunContext) -> list[tuple[str, Proto]]:
    orgs = {"org": context.org, "other_org": context.other_org}
    return [
        (role, samples.policy(("identity_account", context.roles[role].id), relation, ("organization", orgs[org])))
        for role, relation, org in _MEMBERSHIPS
        if role in context.roles
    ]


def leave_context(session: Session, made: Mapping[Id, str], refused: Mapping[Id, str]) -> list[str]:
    """Delete what the run left, take the memberships back, and say what stays.

    `made` and `refused` are as `remove_leftovers` takes them.
    """
    context = session.context
    listed = {one: f"a list of {org}" for org in context.own_orgs for one in _listed(session, org)}
    leaks = remove_leftovers(session, {**listed, **made}, refused)
    if context.cloud and "operator" in context.roles and context.org in context.own_orgs:
        for role, request in _requests(context):
            insist(partial(session.call, f"leave.{role}", "policy.delete", request, role="operator"))
    return leaks


def _listed(session: Session, org: str) -> Iterator[Id]:
    """Yield what lists show of an organization of the run, page by page."""
    if not session.offers("list"):
        return
    for kind, method in ((kind.short, kind.list_method) for kind in KINDS.values()):
        request = METHODS[method].request(org=org)
        request.page.size = PAGE
        for number in range(PAGES_MAX):
            answer = session.call(f"left.{kind}.{org}.{number}", method, request)
            for row in answer.message.items if answer.message is not None else ():
                yield kind, row.metadata.id
            request.page.page_token = answer.message.next_page_token if answer.message is not None else ""
            if not request.page.page_token:
                break
