"""Step CheckDuplicate of create: what is taken, what isn't, and that the first resource is left alone."""

from __future__ import annotations

from conformance import samples
from conformance.check import Check, check
from conformance.judging import accepted, both, code, same_answer
from conformance.session import Session
from conformance.sweeps import no_trace, sweep
from protos.ai.stigmer.commons.apiresource.enum_pb2 import identity_account


def _slug(session: Session) -> None:
    first = session.created_agent("first")
    session.read("before", "agent", first.metadata.id)
    second = session.agent(name=first.metadata.name, resource_id=session.new_id())
    second.spec.instructions = "Something else than the first one."
    session.call("refused", "agent.create", second)
    session.read("after", "agent", first.metadata.id)
    # Slug and default instance are the first one's, so the sweep looks for the second id only.
    trace = session.agent(resource_id=second.metadata.id)
    sweep(session, "sweep", "agent", trace)
    session.call("twin", "agent.create", session.agent())


def _derived(session: Session) -> None:
    first = session.created_agent("first")
    session.call("refused", "agent.create", session.agent(name=f" {first.metadata.name.upper()}! "))
    session.call("given", "agent.create", session.agent(slug=first.metadata.slug))
    session.call("twin", "agent.create", session.agent(name=f"{first.metadata.name} 2"))


def _id(session: Session) -> None:
    first = session.created_agent("first")
    session.read("before", "agent", first.metadata.id)
    request = session.agent(resource_id=first.metadata.id)
    session.call("refused", "agent.create", request)
    session.read("after", "agent", first.metadata.id)
    # The slug of what was refused is as free as before.
    session.call("slug", "agent.create", session.agent(name=request.metadata.name))
    session.call("twin", "agent.create", session.agent(resource_id=session.new_id()))


def _again(session: Session) -> None:
    first = session.created_agent("first")
    request = session.agent(name=first.metadata.name, resource_id=session.new_id())
    session.call("refused", "agent.create", request)
    session.delete("delete", "agent", first.metadata.id)
    session.call("again", "agent.create", request)


def _two_orgs(session: Session) -> None:
    name = session.name()
    session.call("first", "agent.create", session.agent(name=name), role="operator")
    session.call("second", "agent.create", session.agent(name=name, org=session.other_org), role="operator")
    session.find("find.first", "agent", name, session.org, role="operator")
    session.find("find.second", "agent", name, session.other_org, role="operator")


def _two_scopes(session: Session) -> None:
    name = session.name()
    session.call("first", "agent.create", session.agent(name=name), role="operator")
    session.call("second", "agent.create", session.agent(name=name, org=""), role="operator")


def _no_organizations(session: Session) -> None:
    """Ask for a slug again with an organization, which counts for nothing where the scope isn't that of one."""
    name = session.name()
    for label, org in (("first", ""), ("again", session.org), ("other", session.other_org)):
        agent = session.agent(name=name, org="")
        agent.metadata.org = org
        session.call(f"platform.{label}", "agent.create", agent, role="operator")
        own = samples.environment(name, org)
        own.metadata.owner_scope = identity_account
        session.call(f"own.{label}", "environment.create", own, role="org_admin")
    session.call("own.account", "environment.create", own, role="org_member")


def _whole_kind(session: Session) -> None:
    name = session.name()
    session.call("first", "agent.create", session.agent(name=name))
    session.call("refused", "agent.create", session.agent(name=name, org=session.other_org))


def _other_kind(session: Session) -> None:
    first = session.created_agent("first")
    session.call("environment", "environment.create", samples.environment(first.metadata.name, session.org))
    session.call("instance", "instance.create", samples.instance(first.metadata.name, session.org, first.metadata.id))


CHECKS: tuple[Check, ...] = (
    check(
        "DUP-SLUG",
        _slug,
        both(code("refused", "ALREADY_EXISTS"), accepted("twin")),
        also={"DUP-SLUG-UNCHANGED": same_answer("before", "after"), "ATOM-DUP-SLUG": no_trace()},
    ),
    check(
        "DUP-DERIVED",
        _derived,
        both(code("refused", "ALREADY_EXISTS"), code("given", "ALREADY_EXISTS"), accepted("twin")),
    ),
    check(
        "DUP-ID",
        _id,
        both(code("refused", "ALREADY_EXISTS"), accepted("slug", "twin")),
        also={"DUP-ID-UNCHANGED": same_answer("before", "after")},
    ),
    check("DUP-AGAIN", _again, both(code("refused", "ALREADY_EXISTS"), accepted("delete", "again"))),
    check(
        "DUP-ORG",
        _two_orgs,
        both(
            accepted("first", "second"),
            same_answer("second", "find.second", "metadata.id"),
            same_answer("first", "find.first", "metadata.id"),
        ),
        roles=("operator",),
    ),
    check("DUP-SCOPE", _two_scopes, accepted("first", "second"), roles=("operator",)),
    check(
        "DUP-SCOPE-ORG",
        _no_organizations,
        both(
            accepted("platform.first", "own.first"),
            *(
                code(f"{scope}.{label}", "ALREADY_EXISTS")
                for scope in ("platform", "own")
                for label in ("again", "other")
            ),
            code("own.account", "ALREADY_EXISTS"),
        ),
        roles=("operator", "org_admin", "org_member"),
    ),
    check("DUP-KIND", _whole_kind, both(accepted("first"), code("refused", "ALREADY_EXISTS"))),
    check("DUP-OTHER-KIND", _other_kind, accepted("environment", "instance")),
)
