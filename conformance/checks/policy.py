"""IamPolicy: what is granted holds, what is revoked doesn't, and who may do either."""

from __future__ import annotations

import re
from collections.abc import Sequence

from conformance import samples
from conformance.check import Check, check
from conformance.evidence import Evidence, NotAsked
from conformance.judging import accepted, answered, asked_if, both, code, equal, field_is, problem
from conformance.methods import METHODS
from conformance.session import Session
from conformance.target_client import Call
from conformance.verdict import Problem

_ID = re.compile("iamp-[0-9a-hjkmnp-tv-z]{26}")
_TRUE, _FALSE = True, False
MANY = 130
"""More than any page of the contract has."""


def _life(session: Session) -> None:
    principal = ("identity_account", session.name())
    resource = ("organization", session.name())
    request = samples.policy(principal, "member", resource)
    session.holds("before", principal, "member", resource)
    made = session.grant("create", principal, "member", resource)
    if made.ok:
        session.call("get", "policy.get", session.by_id("policy.get", made.message.metadata.id), role="operator")
    session.holds("after", principal, "member", resource)
    session.holds("other.principal", ("identity_account", f"{principal[1]}0"), "member", resource)
    session.holds("other.relation", principal, "admin", resource)
    session.holds("other.resource", principal, "member", ("organization", f"{resource[1]}0"))
    session.call("delete", "policy.delete", request, role="operator")
    session.holds("deleted", principal, "member", resource)
    session.call("unknown", "policy.get", session.by_id("policy.get", "iamp-missing"), role="operator")


def _whole(evidence: Evidence) -> list[Problem]:
    exchange = evidence["create"]
    if not exchange.ok:
        return answered(exchange, "OK")
    made = exchange.value("metadata.id")
    found = (
        [] if _ID.fullmatch(made) else [problem("wrong form of id", exchange, expected="iamp- and ULID", actual=made)]
    )
    found += equal("api_version", exchange, "iam.stigmer.ai/v1", exchange.value("api_version"))
    found += equal("kind", exchange, "IamPolicy", exchange.value("kind"))
    found += equal("spec", exchange, exchange.request, exchange.value("spec", {}))
    get = evidence["get"]
    return found + answered(get, "OK") + equal("get", get, exchange.value("spec", {}), get.value("spec", {}))


_RELATIONS = ("", "member", "lead")
"""Of principals: the thing itself, and two sets of it."""


def _sets(session: Session) -> None:
    """Grant the same to a thing and to sets of it, revoke one after the other; then the sets before the thing."""
    resource = ("organization", session.name())
    for order, relations in (("there", _RELATIONS), ("back", _RELATIONS[::-1])):
        name = session.name()
        principals = [("team", name, relation) for relation in relations]
        for held, principal in enumerate(principals):
            made = session.grant(f"{order}.grant.{held}", principal, "member", resource)
            if made.ok:
                request = session.by_id("policy.get", made.message.metadata.id)
                session.call(f"{order}.get.{held}", "policy.get", request, role="operator")
            _all_asked(session, f"{order}.granted.{held}", principals, resource)
        for gone, principal in enumerate(principals):
            request = samples.policy(principal, "member", resource)
            session.call(f"{order}.revoke.{gone}", "policy.delete", request, role="operator")
            _all_asked(session, f"{order}.revoked.{gone}", principals, resource)


def _all_asked(session: Session, label: str, principals: Sequence[tuple[str, ...]], resource: tuple[str, str]) -> None:
    for number, principal in enumerate(principals):
        session.holds(f"{label}.{number}", principal, "member", resource)


def _each_by_itself(evidence: Evidence) -> list[Problem]:
    found: list[Problem] = []
    for order in ("there", "back"):
        grants = evidence.under(f"{order}.grant.")
        for row in (*grants, *evidence.under(f"{order}.revoke.")):
            found += answered(row, "OK") or equal(f"{row.label}: spec", row, row.request, row.value("spec", {}))
        for granted, got in zip(grants, evidence.under(f"{order}.get."), strict=False):
            found += answered(got, "OK") or equal(f"{got.label}: spec", got, granted.request, got.value("spec", {}))
        for at in range(len(_RELATIONS)):
            found += _held(evidence, f"{order}.granted.{at}", [one <= at for one in range(len(_RELATIONS))])
            found += _held(evidence, f"{order}.revoked.{at}", [one > at for one in range(len(_RELATIONS))])
    return found


def _held(evidence: Evidence, label: str, wanted: list[bool]) -> list[Problem]:
    rows = evidence.under(f"{label}.")
    told = [row.value("is_authorized", default=False) for row in rows]
    return equal(f"{label}: whether each holds (relations of the principal: see the requests)", rows[-1], wanted, told)


def _membership(session: Session) -> None:
    """A membership lets in, and its end shuts out: policies are what authorizes, not a copy of them."""
    nobody = ("identity_account", session.context.identity("nobody"))
    # An organization of this check's own, so that nobody stays nobody for the others.
    org = session.own_org
    made = session.created_agent(role="operator", org=org)
    session.read("before", "agent", made.metadata.id, role="nobody")
    session.grant("grant", nobody, "member", ("organization", org))
    session.read("member", "agent", made.metadata.id, role="nobody")
    request = samples.policy(nobody, "member", ("organization", org))
    session.call("revoke", "policy.delete", request, role="operator")
    session.read("after", "agent", made.metadata.id, role="nobody")


def _set(session: Session) -> None:
    """A permission that a set of accounts holds: who joins it holds it, who leaves it doesn't, at once."""
    team, nobody = ("team", session.name()), ("identity_account", session.context.identity("nobody"))
    made = session.created_agent(role="operator", org=session.own_org)
    request = samples.policy(team, "can_view", ("agent", made.metadata.id))
    request.principal.relation = "member"
    session.forget_grant_later(request)
    session.call("set", "policy.create", request, role="operator")
    session.read("before", "agent", made.metadata.id, role="nobody")
    session.grant("join", nobody, "member", team)
    session.read("joined", "agent", made.metadata.id, role="nobody")
    session.call("leave", "policy.delete", samples.policy(nobody, "member", team), role="operator")
    session.read("after", "agent", made.metadata.id, role="nobody")


def _refused(session: Session) -> None:
    nobody = ("identity_account", session.context.identity("nobody"))
    platform = ("platform", "stigmer")
    for role in ("anonymous", "nobody", "org_member"):
        operator = samples.policy(nobody, "operator", platform)
        session.call(f"operator.{role}", "policy.create", operator, role=role)
        admin = samples.policy(nobody, "admin", ("organization", session.org))
        if role == "anonymous":  # a server that is wrong must not be left with a stranger for its operator
            session.forget_grant_later(operator)
            session.forget_grant_later(admin)
        session.call(f"admin.{role}", "policy.create", admin, role=role)
    session.holds("operator.after", nobody, "operator", platform)
    session.holds("admin.after", nobody, "admin", ("organization", session.org))
    link = samples.policy(("organization", session.org), "organization", ("agent", session.new_id()))
    session.call("link", "policy.createPlatformLink", link, role="org_member")
    cleanup = METHODS["policy.cleanupResourcePolicies"].request(kind="organization", id=session.org)
    session.call("cleanup", "policy.cleanupResourcePolicies", cleanup, role="org_member")
    member = ("identity_account", session.context.identity("org_member"))
    session.holds("kept", member, "member", ("organization", session.org))


def _check_anonymous(session: Session) -> None:
    made = session.created_agent(role="org_member")
    principal = ("identity_account", session.context.identity("org_member"))
    policy = samples.policy(principal, "owner", ("agent", made.metadata.id))
    request = METHODS["policy.check"].request(policy=policy)
    session.call("nobody", "policy.check", request, role="nobody")


def _context(session: Session) -> None:
    """What a question tells of counts for this question, and is stored for no other."""
    account, resource = ("identity_account", session.name()), ("organization", session.name())
    policy = samples.policy(account, "member", resource)
    other = samples.policy(account, "member", ("organization", session.name()))
    ask = METHODS["policy.check"].request
    session.call("told", "policy.check", ask(policy=policy, contextual_policies=[policy]), role="operator")
    session.call("told.other", "policy.check", ask(policy=policy, contextual_policies=[other]), role="operator")
    session.holds("untold", account, "member", resource)


def _ids(session: Session) -> None:
    probe = METHODS["policy.listAuthorizedResourceIds"]
    if session.call("served", probe.name, probe.request(), valid=None).exchange.code == "UNIMPLEMENTED":
        raise NotAsked(f"the target doesn't serve {probe.path}")
    mine = session.created_agent("setup.mine", role="org_member")
    other = session.created_agent("setup.other", role="operator")
    member = ("identity_account", session.context.identity("org_member"))
    resources = probe.request(resource_kind="agent", relation="owner")
    resources.principal.kind, resources.principal.id = member
    session.call("resources", probe.name, resources, role="org_member")
    method = METHODS["policy.listAuthorizedPrincipalIds"]
    principals = method.request(principal_kind="identity_account", relation="owner")
    principals.resource.kind, principals.resource.id = "agent", mine.metadata.id
    session.call("principals", method.name, principals, role="org_member")
    session.note("mine", mine.metadata.id)
    session.note("other", other.metadata.id)
    _many(session)
    session.note("member", member[1])


def _many(session: Session) -> None:
    """More than a page of anything has: so many resources of one principal, and so many principals of one resource."""
    count, account, organization = session.size(MANY, 3), session.name(), session.name()
    each = [f"{organization}-{number}" for number in range(count)]
    grants = [samples.policy(("identity_account", account), "member", ("organization", one)) for one in each]
    grants += [samples.policy(("identity_account", one), "admin", ("organization", organization)) for one in each]
    for grant in grants:
        session.forget_grant_later(grant)
    session.together(Call(f"many.{n}", "policy.create", grant, "operator") for n, grant in enumerate(grants))
    resources = METHODS["policy.listAuthorizedResourceIds"].request(resource_kind="organization", relation="member")
    resources.principal.kind, resources.principal.id = "identity_account", account
    session.call("all.resources", "policy.listAuthorizedResourceIds", resources, role="operator")
    principals = METHODS["policy.listAuthorizedPrincipalIds"].request(
        principal_kind="identity_account", relation="admin"
    )
    principals.resource.kind, principals.resource.id = "organization", organization
    session.call("all.principals", "policy.listAuthorizedPrincipalIds", principals, role="operator")
    session.note("each", each)


def _own_ids(evidence: Evidence) -> list[Problem]:
    each = evidence.fact("each")
    many = [wrong for row in evidence.under("many.") for wrong in answered(row, "OK")]
    for name in ("resources", "principals"):
        row = evidence[f"all.{name}"]
        ids = row.value(f"{name.removesuffix('s')}_ids", [])
        many += answered(row, "OK") or equal(f"{name} of many", row, sorted(each), sorted(ids))
    return many + _exactly_own(evidence)


def _exactly_own(evidence: Evidence) -> list[Problem]:
    resources, principals = evidence["resources"], evidence["principals"]
    failed = answered(resources, "OK") + answered(principals, "OK")
    ids = resources.value("resource_ids", [])
    found = {name: evidence.fact(name) in ids for name in ("mine", "other")}
    return (
        failed
        + equal("agents that the member owns", resources, {"mine": True, "other": False}, found)
        + equal("owners of the agent", principals, [evidence.fact("member")], principals.value("principal_ids", []))
    )


CHECKS: tuple[Check, ...] = (
    check(
        "IAM-CREATE",
        _life,
        _whole,
        also={
            "IAM-CHECK": both(
                field_is("before", "is_authorized", _FALSE),
                field_is("after", "is_authorized", _TRUE),
                *(field_is(f"other.{part}", "is_authorized", _FALSE) for part in ("principal", "relation", "resource")),
            ),
            "IAM-DELETE": both(accepted("delete"), field_is("deleted", "is_authorized", _FALSE)),
            "IAM-UNKNOWN": code("unknown", "NOT_FOUND"),
        },
        roles=("operator",),
    ),
    check("IAM-PRINCIPAL-RELATION", _sets, _each_by_itself, roles=("operator",)),
    check(
        "IAM-EFFECT",
        _membership,
        both(
            code("before", "PERMISSION_DENIED"),
            accepted("grant", "member", "revoke"),
            code("after", "PERMISSION_DENIED"),
        ),
        roles=("operator", "nobody"),
    ),
    check(
        "IAM-SET",
        _set,
        asked_if(
            lambda evidence: evidence["joined"].ok,
            "the target gives the permissions of a set to nobody",
            both(
                *(code(label, "PERMISSION_DENIED") for label in ("before", "after")), accepted("set", "join", "leave")
            ),
        ),
        roles=("operator", "nobody"),
    ),
    check(
        "IAM-AUTH",
        _refused,
        both(
            *(code(f"{what}.anonymous", "UNAUTHENTICATED") for what in ("operator", "admin")),
            *(
                code(f"{what}.{role}", "PERMISSION_DENIED")
                for what in ("operator", "admin")
                for role in ("nobody", "org_member")
            ),
            code("link", "PERMISSION_DENIED", "UNIMPLEMENTED"),
            code("cleanup", "PERMISSION_DENIED", "UNIMPLEMENTED"),
        ),
        also={
            "ATOM-IAM-AUTH": both(
                field_is("operator.after", "is_authorized", _FALSE),
                field_is("admin.after", "is_authorized", _FALSE),
                field_is("kept", "is_authorized", _TRUE),
            )
        },
        roles=("operator", "nobody", "org_member"),
        # Where these grants go through, they decide about every other check of the time.
        alone=True,
    ),
    check(
        "IAM-CONTEXT",
        _context,
        both(
            field_is("told", "is_authorized", _TRUE),
            *(field_is(label, "is_authorized", _FALSE) for label in ("told.other", "untold")),
        ),
        roles=("operator",),
    ),
    check("IAM-IDS", _ids, _own_ids, roles=("operator", "org_member")),
    check("IAM-ASK", _check_anonymous, field_is("nobody", "is_authorized", _TRUE), roles=("org_member", "nobody")),
)
