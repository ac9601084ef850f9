"""IamPolicy: what is granted holds, what is revoked doesn't, and who may do either."""

from __future__ import annotations

import re
from collections.abc import Sequence

from conformance import samples
from conformance.check import Check, check
from conformance.evidence import Evidence
from conformance.judging import accepted, answered, asked_if, both, code, equal, field_is, problem
from conformance.methods import METHODS
from conformance.session import Session
from conformance.verdict import Problem
from protos.ai.stigmer.iam.iampolicy.v1.spec_pb2 import IamPolicySpec

_ID = re.compile("iamp-[0-9a-hjkmnp-tv-z]{26}")
_TRUE, _FALSE = True, False
_OTHERS = ("principal", "relation", "resource", "itself")

_APART = ("out", "apart", "ring", "elsewhere", "otherwise")
"""Where what is told of a set doesn't let its member in."""


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
    session.holds("other.itself", resource, "member", resource)
    session.call("delete", "policy.delete", request, role="operator")
    session.holds("deleted", principal, "member", resource)
    if made.ok:
        session.call("gone", "policy.get", session.by_id("policy.get", made.message.metadata.id), role="operator")
    session.call("again", "policy.delete", request, role="operator")
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


def _is_gone(evidence: Evidence) -> list[Problem]:
    return [wrong for row in evidence.under("gone") for wrong in answered(row, "NOT_FOUND")]


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
    _written_as_sets(session, resource)


def _written_as_sets(session: Session, resource: tuple[str, str]) -> None:
    """An id that looks like a set's (`x#member`) is an id; nor is a set the thing that has such an id."""
    account = ("identity_account", session.name())
    for label, granted, asked in (("id", "team#", "team"), ("set", "team", "team#")):
        name = session.name()
        forms = {"team": ("team", name, "member"), "team#": ("team", f"{name}#member")}
        session.grant(f"written.{label}.grant", forms[granted], "member", resource)
        session.holds(f"written.{label}.asked", forms[asked], "member", resource)
        if label == "id":
            session.grant("written.id.join", account, "member", ("team", name))
            session.holds("written.id.asked.account", account, "member", resource)


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
    for row in (*evidence.under("written.id.asked"), *evidence.under("written.set.asked")):
        told = row.value("is_authorized", default=False)
        found += equal(f"{row.label}: an id that is written like a set is one", row, expected=False, actual=told)
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
    session.call("leave", "policy.delete", request, role="nobody")
    view = samples.policy(nobody, "can_view", ("agent", made.metadata.id))
    session.grant("grant.view", nobody, "can_view", ("agent", made.metadata.id))
    session.call("leave.view", "policy.delete", view, role="nobody")
    session.call("revoke.view", "policy.delete", view, role="operator")
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
    _told_sets(session, nobody, ("agent", made.metadata.id))


def _told_sets(session: Session, account: tuple[str, str], resource: tuple[str, str]) -> None:
    """Sets that only a question tells of: two that are in each other have nobody in them."""
    team, other = ("team", session.name(), "member"), ("team", session.name(), "member")
    viewed = samples.policy(team, "can_view", resource)
    joined = samples.policy(account, "member", team[:2])
    ring = [samples.policy(team, "member", other[:2]), samples.policy(other, "member", team[:2])]
    elsewhere = [samples.policy(team, "can_view", ("agent", session.name())), joined]
    otherwise = [samples.policy(team, "can_execute", resource), joined]
    contexts = {"in": [viewed, joined], "out": [viewed], "apart": [joined], "ring": [viewed, *ring]}
    for label, context in {**contexts, "elsewhere": elsewhere, "otherwise": otherwise}.items():
        _ask(session, f"told.{label}", samples.policy(account, "can_view", resource), context)


def _ask(session: Session, label: str, policy: IamPolicySpec, context: Sequence[IamPolicySpec] = ()) -> None:
    request = METHODS["policy.check"].request(policy=policy, contextual_policies=context)
    session.call(label, "policy.check", request, role="operator")


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
    _ask(session, "told", policy, [policy])
    _ask(session, "told.other", policy, [other])
    session.holds("untold", account, "member", resource)
    agent = ("agent", session.created_agent(role="operator", org=session.own_org).metadata.id)
    view = samples.policy(account, "can_view", agent)
    member = samples.policy(account, "member", ("organization", session.own_org))
    link = samples.policy(resource, "organization", agent)
    for label, context in (("member", [member]), ("link", [link, policy])):
        _ask(session, f"told.{label}", view, context)
    # An organization that has the permission itself, or is linked otherwise, gives its members nothing.
    unlinked = [policy, *(samples.policy(resource, relation, agent) for relation in ("can_view", "owner", "parent"))]
    for label, context in (("stranger", [other]), ("half", [link]), ("unlinked", unlinked), ("untold", [])):
        _ask(session, f"told.{label}", view, context)


CHECKS: tuple[Check, ...] = (
    check(
        "IAM-CREATE",
        _life,
        _whole,
        also={
            "IAM-CHECK": both(
                field_is("before", "is_authorized", _FALSE),
                field_is("after", "is_authorized", _TRUE),
                *(field_is(f"other.{part}", "is_authorized", _FALSE) for part in _OTHERS),
            ),
            "IAM-DELETE": both(
                accepted("delete"),
                field_is("deleted", "is_authorized", _FALSE),
                code("again", "NOT_FOUND"),
                _is_gone,
            ),
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
        also={
            "IAM-LEAVE": both(
                accepted("grant", "grant.view", "revoke.view", "revoke"),
                code("leave", "PERMISSION_DENIED"),
                code("leave.view", "PERMISSION_DENIED"),
            )
        },
        roles=("operator", "nobody"),
    ),
    check(
        "IAM-SET",
        _set,
        asked_if(
            lambda evidence: evidence["joined"].code != "PERMISSION_DENIED",
            "the target gives the permissions of a set to nobody",
            both(
                *(code(label, "PERMISSION_DENIED") for label in ("before", "after")),
                accepted("set", "join", "joined", "leave"),
                field_is("told.in", "is_authorized", _TRUE),
                *(field_is(f"told.{label}", "is_authorized", _FALSE) for label in _APART),
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
            *(field_is(label, "is_authorized", _TRUE) for label in ("told", "told.member", "told.link")),
            *(field_is(label, "is_authorized", _FALSE) for label in ("told.other", "untold")),
            *(
                field_is(f"told.{label}", "is_authorized", _FALSE)
                for label in ("stranger", "half", "unlinked", "untold")
            ),
        ),
        roles=("operator",),
    ),
    check("IAM-ASK", _check_anonymous, field_is("nobody", "is_authorized", _TRUE), roles=("org_member", "nobody")),
)
