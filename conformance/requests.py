"""A valid request of every method, about things that the suite made: the one table of what is sent where."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from conformance import samples
from conformance.kinds import KINDS
from conformance.methods import METHODS, Proto, deletion
from conformance.session import Session


@dataclass(frozen=True)
class Things:
    """What a call is about: a resource of the kind in question, and the agent beside it."""

    agent: Proto
    resource: Proto
    kind: str


def made_things(session: Session, kind: str, owner: str | None, label: str, agent: Proto = None) -> Things:
    """Make a resource of a kind as `owner`, and the agent beside it where none is given. Raises SetupRefused."""
    if kind == "agent" or agent is None:
        agent = session.created_agent(f"setup.agent.{label}", role=owner)
    if kind == "agent":
        return Things(agent, agent, kind)
    request = new_resource(session, kind, agent.metadata.id)
    return Things(agent, session.need(f"setup.{kind}.{label}", f"{kind}.create", request, role=owner), kind)


def new_resource(session: Session, kind: str, agent_id: str) -> Proto:
    """Return a valid create of a kind, with a name of its own; an instance is one of the agent's."""
    if kind == "agent":
        return session.agent()
    if kind == "instance":
        return samples.instance(session.name(), session.org, agent_id)
    return samples.environment(session.name(), session.org)


def changed(session: Session, things: Things) -> Proto:
    """Return an update of the things' resource, by its id."""
    request = new_resource(session, things.kind, things.agent.metadata.id)
    request.metadata.id, request.metadata.name = things.resource.metadata.id, things.resource.metadata.name
    request.spec.description = f"changed by {session.name()}"
    return request


def _grant(session: Session, things: Things) -> Proto:
    request = samples.policy(("identity_account", session.name()), "owner", ("agent", things.agent.metadata.id))
    session.forget_grant_later(request)
    return request


def _granted(session: Session, things: Things) -> Proto:
    request = _grant(session, things)
    session.need("setup.grant", "policy.create", request, role="operator")
    return request


def _granted_id(session: Session, things: Things) -> Proto:
    request = _grant(session, things)
    made = session.need("setup.grant", "policy.create", request, role="operator")
    return session.by_id("policy.get", made.metadata.id)


def _bootstrapped(session: Session, things: Things) -> Proto:
    del things
    request = samples.policy(("platform", "stigmer"), "platform", ("organization", session.name()))
    session.forget_grant_later(request)
    return request


def _cleaned(session: Session, things: Things) -> Proto:
    del things
    return METHODS["policy.cleanupResourcePolicies"].request(kind="organization", id=session.name())


def _asked(session: Session, things: Things) -> Proto:
    account = ("identity_account", session.context.identity("org_member"))
    policy = samples.policy(account, "owner", ("agent", things.agent.metadata.id))
    return METHODS["policy.check"].request(policy=policy)


def _resource_ids(session: Session, things: Things) -> Proto:
    del things
    request = METHODS["policy.listAuthorizedResourceIds"].request(resource_kind="agent", relation="owner")
    request.principal.kind, request.principal.id = "identity_account", session.context.identity("org_member")
    return request


def _principal_ids(session: Session, things: Things) -> Proto:
    del session
    method = METHODS["policy.listAuthorizedPrincipalIds"]
    request = method.request(principal_kind="identity_account", relation="owner")
    request.resource.kind, request.resource.id = "agent", things.agent.metadata.id
    return request


def _page(method: str) -> Callable[[Session, Things], Proto]:
    return lambda session, _: METHODS[method].request(org=session.org)


_MAKERS: Mapping[str, Callable[[Session, Things], Proto]] = {
    "create": lambda session, things: new_resource(session, things.kind, things.agent.metadata.id),
    "update": changed,
    "apply": changed,
    "delete": lambda _, things: deletion(things.kind, things.resource.metadata.id),
    "get": lambda _, things: METHODS[f"{things.kind}.get"].request(value=things.resource.metadata.id),
    "by_reference": lambda session, things: samples.reference(things.resource.metadata.slug, session.org),
    "by_agent": lambda _, things: METHODS["instance.by_agent"].request(agent_id=things.agent.metadata.id),
    **{kind.list_method: _page(kind.list_method) for kind in KINDS.values()},
    "policy.create": _grant,
    "policy.delete": _granted,
    "policy.get": _granted_id,
    "policy.createPlatformLink": _bootstrapped,
    "policy.bootstrapPolicy": _bootstrapped,
    "policy.cleanupResourcePolicies": _cleaned,
    "policy.check": _asked,
    "policy.listAuthorizedResourceIds": _resource_ids,
    "policy.listAuthorizedPrincipalIds": _principal_ids,
    "event.watch": lambda *_: METHODS["event.watch"].request(from_now=True),
}
"""Requests by method, or by operation where all kinds have it."""


def request_of(session: Session, method: str, things: Things) -> Proto:
    """Return a valid request of a method about these things."""
    return (_MAKERS.get(method) or _MAKERS[METHODS[method].operation])(session, things)
