"""Every method asks who calls, and lets through who may: one requirement or two per row of `conformance.access`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from conformance.access import ACCESS, CREATORS_NOT, Access
from conformance.check import Check, check
from conformance.evidence import Evidence, Exchange, NotAsked
from conformance.judging import Judge, PartJudge, answered, differences, equal
from conformance.kinds import KINDS
from conformance.methods import METHODS, Proto, deletion
from conformance.requests import Things, changed, made_things, new_resource, request_of
from conformance.samples import policy
from conformance.session import Session
from conformance.target_client import Call, Metadata
from conformance.verdict import Problem
from conformance.watching import first_answer
from protos.ai.stigmer.commons.apiresource.enum_pb2 import identity_account

_CHANGES = ("update", "apply", "delete")
_NEW = ".new"
_REFUSALS = ("PERMISSION_DENIED", "NOT_FOUND", "ALREADY_EXISTS")
"""An apply that looks in the organization that is named finds nothing there, and may not take the id."""


def wrong_credentials(session: Session) -> dict[str, Metadata]:
    """Return credentials that nobody holds, by what is wrong with them; most are near to a right one."""
    token = session.context.roles[session.context.caller].token
    tokens = {"unknown": f"unknown-{session.context.run_id}", "shorter": token[:-1], "longer": f"{token}0"}
    tokens |= {"padded": f"{token}==", "quoted": f'"{token}"'}
    tokens |= {"with_comma": f"{token},{token}", "with_blank": f"{token} {token}", "with_semicolon": f"{token};"}
    if token.swapcase() != token:
        tokens["other_case"] = token.swapcase()
    tokens["other_end"] = token[:-1] + ("0" if token[-1] != "0" else "1")
    rows: dict[str, Metadata] = {name: (("authorization", f"Bearer {one}"),) for name, one in tokens.items()}
    return {"none": (), "empty": (("authorization", "Bearer "),), **rows}


def _wrong_for(session: Session, number: int) -> dict[str, Metadata]:
    """Return what a method is asked with: all of them, or in a quick run none and two others for each method."""
    none, *others = wrong_credentials(session).items()
    taken = [others[at % len(others)] for at in (2 * number, 2 * number + 1)] if session.context.scale < 1 else others
    return dict([none, *taken])


def _exercise(kind: str, rows: Sequence[Access]) -> Callable[[Session], None]:
    """Ask for every method of a kind: those who may not before those who may, and for the delete last."""

    def exercise(session: Session) -> None:
        session.note("caller_role", session.context.caller)
        things = _made(session, kind)
        for number, row in enumerate(rows):
            if row.optional and _is_unserved(session, row.method):
                continue
            request = request_of(session, row.method, things["theirs"])
            for name, metadata in _wrong_for(session, number).items():
                _call(session, Call(f"{row.method}.wrong.{name}", row.method, request, "anonymous", metadata))
            for call in _calls_of_others(session, row, request, things["theirs"]):
                _call(session, call)
            if row.may == ("operator",):
                about_his = _about(row.method, things["owner"].agent.metadata.id)
                _call(session, Call(f"{row.method}.may_not.holder", row.method, about_his, "org_member"))
            if _changes_a_resource(row):
                session.read(f"{row.method}.after", kind, things["theirs"].resource.metadata.id, role="operator")
            for role in row.may or (session.context.caller,):
                mine = things[role if role in things else "theirs"]
                caller = "org_member" if role == "owner" else role
                _call(
                    session, Call(f"{row.method}.may.{role}", row.method, request_of(session, row.method, mine), caller)
                )
            if _changes_a_resource(row) and not row.method.endswith("delete"):
                session.read(f"{row.method}.then", kind, things["theirs"].resource.metadata.id, role="operator")

    return exercise


def _calls_of_others(session: Session, row: Access, request: Proto, things: Things) -> Iterator[Call]:
    """Who may not call a method does, also with a delete that is forced, and with an apply that creates."""
    for role in row.may_not:
        yield Call(f"{row.method}.may_not.{role}", row.method, request, role)
    if row.method == "environment.delete":
        forced = deletion(things.kind, things.resource.metadata.id)
        forced.force = True
        for role in row.may_not:
            yield Call(f"{row.method}.may_not.{role}.forced", row.method, forced, role)
    if row.method.endswith(".apply"):
        for role in CREATORS_NOT:
            new = new_resource(session, things.kind, things.agent.metadata.id)
            yield Call(f"{row.method}.may_not.{role}{_NEW}", row.method, new, role)


def _made(session: Session, kind: str) -> dict[str, Things]:
    """Make what the calls are about: the operator's, one for the admin to delete, and one that a member owns."""
    made = kind if kind in KINDS else "agent"
    things = {"theirs": made_things(session, made, "operator", "theirs")}
    agent = things["theirs"].agent
    if kind in KINDS:
        things["org_admin"] = made_things(session, made, "operator", "org_admin", agent)
    if kind in {*KINDS, "policy"}:
        things["owner"] = made_things(session, made, "org_member", "owner", agent)
    if kind == "policy":
        # What makes an operator of the platform makes none on anything else.
        account, his = session.context.identity("org_member"), things["owner"].agent.metadata.id
        session.grant("setup.holder", ("identity_account", account), "operator", ("agent", his))
    return things


def _about(method: str, agent_id: str) -> Proto:
    """Return a request of a method that is the operator's alone, about an agent."""
    if method.endswith("cleanupResourcePolicies"):
        return METHODS[method].request(kind="agent", id=agent_id)
    return policy(("platform", "stigmer"), "platform", ("agent", agent_id))


def _is_unserved(session: Session, method: str) -> bool:
    """Whether a method that a server may leave out is left out."""
    probe = session.call(f"{method}.served", method, METHODS[method].request(), valid=None)
    return probe.exchange.code == "UNIMPLEMENTED"


def _changes_a_resource(row: Access) -> bool:
    method = METHODS[row.method]
    return method.kind in KINDS and method.operation in _CHANGES


def _call(session: Session, call: Call) -> None:
    """Make a call; a stream is ended after its first answer."""
    if call.method == "event.watch":
        first_answer(session, call.label, call.role, call.metadata)
    else:
        session.call(call.label, call.method, call.request, role=call.role, metadata=call.metadata)


def _of(method: str, part: str, evidence: Evidence) -> tuple[Exchange, ...]:
    """Return the calls of a method. Raises NotAsked where a method that a server may leave out is left out."""
    served = f"{method}.served"
    if served in evidence and evidence[served].code == "UNIMPLEMENTED":
        raise NotAsked(f"the target doesn't serve {METHODS[method].path}")
    return evidence.under(f"{method}.{part}.")


def _credentials_asked(row: Access) -> Judge:
    def judge(evidence: Evidence) -> list[Problem]:
        wrong = [found for one in _of(row.method, "wrong", evidence) for found in answered(one, "UNAUTHENTICATED")]
        return wrong + answered(evidence[f"{row.method}.may.{(*row.may, evidence.fact('caller_role'))[0]}"], "OK")

    return judge


def _permission_asked(row: Access) -> Judge:
    # A reference that a caller may not follow tells him no more if it finds nothing.
    refusals = ("PERMISSION_DENIED", "NOT_FOUND") if row.method.endswith("by_reference") else ("PERMISSION_DENIED",)

    def judge(evidence: Evidence) -> list[Problem]:
        found = [wrong for one in _of(row.method, "may_not", evidence) for wrong in answered(one, *refusals)]
        found += [wrong for one in _of(row.method, "may", evidence) for wrong in answered(one, "OK")]
        if f"{row.method}.after" in evidence:
            before, after = _before(row, evidence), evidence[f"{row.method}.after"]
            found += answered(after, "OK") or differences(before.response, after.response, after)
        return found

    return judge


def _in_its_words(rows: Sequence[Access]) -> Judge:
    """Every refusal says what the option of its method says, an apply's that of the create or update that it is."""

    def judge(evidence: Evidence) -> list[Problem]:
        found: list[Problem] = []
        for row in rows:
            for refused in evidence.under(f"{row.method}.may_not."):
                became = ".create" if refused.label.endswith(_NEW) else ".update"
                wanted = METHODS[row.method.replace(".apply", became)].denied_message
                if wanted and refused.code == "PERMISSION_DENIED":
                    found += equal(f"{row.method}: the message of the refusal", refused, wanted, refused.message)
        return found

    return judge


def _before(row: Access, evidence: Evidence) -> Exchange:
    """Return the last look at the resource before those who may not change it tried to."""
    kind = METHODS[row.method].kind
    earlier = [label for label in (f"{kind}.update.then", f"{kind}.apply.then") if label in evidence]
    earlier = [label for label in earlier if evidence[label].seq < evidence[f"{row.method}.after"].seq]
    return evidence[earlier[-1] if earlier else f"setup.{kind}.theirs"]


def _part(row: Access, judge: Judge) -> Judge:
    kind = METHODS[row.method].kind
    return PartJudge((f"{row.method}.", "setup.", f"{kind}.update.then", f"{kind}.apply.then"), judge)


def _checks() -> Iterator[Check]:
    """Yield a check for each kind, policies and events, and one for the lists."""
    by_kind: dict[str, list[Access]] = {}
    for row in ACCESS:
        by_kind.setdefault(METHODS[row.method].kind, []).append(row)
    everybody = ("caller", "operator", "org_admin", "org_member", "other_org_member", "nobody")
    for kind, rows in by_kind.items():
        ordered = sorted(rows, key=lambda row: row.method.endswith(".delete"))
        judges: dict[str, Judge] = {row.credentials_id: _part(row, _credentials_asked(row)) for row in ordered}
        judges |= {row.permission_id: _part(row, _permission_asked(row)) for row in ordered if row.may}
        if kind in (*KINDS, "policy"):
            judges[f"MESSAGE-{kind.upper()}"] = _in_its_words(ordered)
        first = next(iter(judges))
        feature = {"list": ("list",), "event": ("watch",)}.get(kind, ())
        yield check(first, _exercise(kind, ordered), judges.pop(first), also=judges, roles=everybody, features=feature)


Claim = Callable[[Proto, Proto], None]
"""Makes a request about somebody else's thing say what is true of the caller's own, the second argument."""


def _claims_organization(request: Proto, mine: Proto) -> None:
    request.metadata.org = mine.metadata.org


def _claims_slug(request: Proto, mine: Proto) -> None:
    _claims_organization(request, mine)
    request.metadata.name, request.metadata.slug = mine.metadata.name, mine.metadata.slug


def _claims_making(request: Proto, mine: Proto) -> None:
    request.status.audit.CopyFrom(mine.status.audit)


def _claims_agent(request: Proto, mine: Proto) -> None:
    request.spec.agent_id = mine.spec.agent_id


def _claims_account(request: Proto, mine: Proto) -> None:
    del mine
    request.metadata.org, request.metadata.owner_scope = "", identity_account


def _claims_all(request: Proto, mine: Proto) -> None:
    for claim in (_claims_organization, _claims_making, _claims_agent):
        claim(request, mine)


_CLAIMS: Mapping[str, Claim] = {
    "": _claims_organization,
    "by_slug.": _claims_slug,
    "made.": _claims_making,
}
_CLAIMS_OF: Mapping[str, Mapping[str, Claim]] = {
    "agent": _CLAIMS,
    "instance": {**_CLAIMS, "agent.": _claims_agent, "account.": _claims_account, "all.": _claims_all},
    "environment": {**_CLAIMS, "account.": _claims_account},
}
"""By kind, the fields of a request that somebody might believe, each alone; of instances all together, too."""


def _claimed(kind: str) -> Callable[[Session], None]:
    """The admin of another organization asks for a change as if what he changes were his own."""

    def exercise(session: Session) -> None:
        things, role, own = made_things(session, kind, "operator", "theirs"), "nobody", session.own_org
        session.grant("grant", ("identity_account", session.context.identity(role)), "admin", ("organization", own))
        mine = _owned(session, kind, own, role)
        session.together(_claiming(session, things, mine, role))
        session.read("after", kind, things.resource.metadata.id, role="operator")
        session.call("twin", f"{kind}.update", changed(session, things), role="operator")

    return exercise


def _claiming(session: Session, things: Things, mine: Proto, role: str) -> Iterator[Call]:
    """Ask for an update and an apply with each claim, and for an instance of an agent that isn't the caller's."""
    for name, claim in _CLAIMS_OF[things.kind].items():
        for operation in ("update", "apply"):
            request = changed(session, things)
            claim(request, mine)
            yield Call(f"claimed.{name}{operation}", f"{things.kind}.{operation}", request, role)
    for name, claim in (("", _claims_organization), ("account.", _claims_account)):
        if things.kind == "instance":
            new = new_resource(session, things.kind, things.agent.metadata.id)
            claim(new, mine)
            yield Call(f"claimed.{name}create", "instance.create", new, role)


def _owned(session: Session, kind: str, org: str, role: str) -> Proto:
    """Make a resource of the role's own, in an organization."""
    agent = session.created_agent("agent.mine", role=role, org=org) if kind == "instance" else None
    request = new_resource(session, kind, agent.metadata.id if agent is not None else "")
    request.metadata.org = org
    return session.need("mine", f"{kind}.create", request, role=role)


def _judge_claimed(kind: str) -> Callable[[Evidence], list[Problem]]:
    def judge(evidence: Evidence) -> list[Problem]:
        before, after = evidence[f"setup.{kind}.theirs"], evidence["after"]
        found = [wrong for row in evidence.under("claimed.") for wrong in answered(row, *_REFUSALS)]
        return found + answered(evidence["twin"], "OK") + differences(before.response, after.response, after)

    return judge


def _claim_check(kind: str) -> Check:
    roles = ("operator", "nobody")
    return check(f"PERM-STORED-{kind.upper()}", _claimed(kind), _judge_claimed(kind), roles=roles)


CHECKS: tuple[Check, ...] = (*_checks(), *(_claim_check(kind) for kind in KINDS))
