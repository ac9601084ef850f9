"""The lists of authorized ids: what a principal may reach, and who may reach a resource."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from conformance import samples
from conformance.check import Check, check
from conformance.evidence import Evidence, NotAsked
from conformance.judging import answered, equal
from conformance.methods import METHODS
from conformance.session import Session
from conformance.target_client import Call
from conformance.verdict import Problem
from protos.ai.stigmer.iam.iampolicy.v1.spec_pb2 import IamPolicySpec

MANY = 130
"""More than any page of the contract has."""


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
    _by_permission(session)
    _many(session)
    session.note("member", member[1])


def _by_permission(session: Session) -> None:
    """A member may view what is in the organization, as may one of whom only the question says so; others may not."""
    org = ("organization", session.own_org)
    agent = session.created_agent("setup.viewed", role="operator", org=session.own_org).metadata.id
    accounts = {name: session.name() for name in ("member", "told", "stranger")}
    session.grant("viewing", ("identity_account", accounts["member"]), "member", org)
    # Of another kind, under an account's id: it may view, the account may not.
    session.grant("viewing.team", ("team", accounts["stranger"]), "can_view", ("agent", agent))
    told = [samples.policy(("identity_account", accounts["told"]), "member", org)]
    operator = session.context.identity("operator")
    for label, context in (("untold", []), ("told", told)):
        _view_ids(session, label, agent, {**accounts, "operator": operator}, context)
    _of_nothing_stored(session, operator)
    _in_a_ring(session)
    session.note("viewed", agent)
    session.note("accounts", {**accounts, "operator": operator})


def _of_nothing_stored(session: Session, operator: str) -> None:
    """The question tells that an operator owns an agent which isn't there: he may reach what is there, and that."""
    owned = samples.policy(("identity_account", operator), "owner", ("agent", session.new_id()))
    method = METHODS["policy.listAuthorizedResourceIds"]
    request = method.request(resource_kind="agent", relation="owner", contextual_policies=[owned])
    request.principal.kind, request.principal.id = "identity_account", operator
    session.call("owned", method.name, request, role="operator")
    session.note("owned", owned.resource.id)


def _in_a_ring(session: Session) -> None:
    """Two teams whose members are each other's, and an account in one of them: who follows them comes to an end."""
    account, team, other = ("identity_account", session.name()), ("team", session.name()), ("team", session.name())
    ring = [(account, team), ((*team, "member"), other), ((*other, "member"), team)]
    context = [samples.policy(member, "member", of) for member, of in ring]
    resources = METHODS["policy.listAuthorizedResourceIds"]
    request = resources.request(resource_kind="team", relation="member", contextual_policies=context)
    request.principal.kind, request.principal.id = account
    session.call("ring.resources", resources.name, request, role="operator")
    principals = METHODS["policy.listAuthorizedPrincipalIds"]
    asked = principals.request(principal_kind="identity_account", relation="member", contextual_policies=context)
    asked.resource.kind, asked.resource.id = team
    session.call("ring.principals", principals.name, asked, role="operator")
    session.note("ring", {"resource_ids": team[1], "principal_ids": account[1]})


def _view_ids(
    session: Session, label: str, agent: str, accounts: Mapping[str, str], context: Sequence[IamPolicySpec]
) -> None:
    """Ask what each account may view, and which accounts may view the agent."""
    resources = METHODS["policy.listAuthorizedResourceIds"]
    for name, account in accounts.items():
        request = resources.request(resource_kind="agent", relation="can_view", contextual_policies=context)
        request.principal.kind, request.principal.id = "identity_account", account
        session.call(f"view.{label}.{name}", resources.name, request, role="operator")
    principals = METHODS["policy.listAuthorizedPrincipalIds"]
    request = principals.request(principal_kind="identity_account", relation="can_view", contextual_policies=context)
    request.resource.kind, request.resource.id = "agent", agent
    session.call(f"viewers.{label}", principals.name, request, role="operator")


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
    return many + _exactly_own(evidence) + _viewers(evidence) + _owned(evidence) + _ended(evidence)


def _ended(evidence: Evidence) -> list[Problem]:
    found: list[Problem] = []
    for row, (field, wanted) in zip(evidence.under("ring."), evidence.fact("ring").items(), strict=True):
        found += answered(row, "OK") or equal(f"{row.label}: how often", row, 1, row.value(field, []).count(wanted))
    return found


def _owned(evidence: Evidence) -> list[Problem]:
    row, wanted = evidence["owned"], evidence.fact("owned")
    return answered(row, "OK") + equal("the agent that is owned", row, True, wanted in row.value("resource_ids", []))  # noqa: FBT003 - a value to compare with


def _viewers(evidence: Evidence) -> list[Problem]:
    """Operators may view more than this agent, and more may view it than these; of these accounts it is exact."""
    found, agent, accounts = list[Problem](), evidence.fact("viewed"), evidence.fact("accounts")
    for label, viewing in (("untold", {"member", "operator"}), ("told", {"member", "told", "operator"})):
        for name in accounts:
            row = evidence[f"view.{label}.{name}"]
            ids = row.value("resource_ids", [])
            if (
                name == "operator" and evidence.fact("mine") in ids
            ):  # that agent is of another organization, and another's
                ids = [one for one in ids if one == agent]
            wanted = [agent] if name in viewing else []
            found += answered(row, "OK") or equal(f"{row.label}: agents that may be viewed", row, wanted, ids)
        row = evidence[f"viewers.{label}"]
        told = {name for name, account in accounts.items() if account in row.value("principal_ids", [])}
        found += answered(row, "OK") or equal(f"{row.label}: who may view", row, sorted(viewing), sorted(told))
    return found


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


CHECKS: tuple[Check, ...] = (check("IAM-IDS", _ids, _own_ids, roles=("operator", "org_member")),)
