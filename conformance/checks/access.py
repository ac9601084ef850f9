"""Every method asks who calls, and lets through who may: one check per row of `conformance.access`."""

from __future__ import annotations

from collections.abc import Callable

from conformance.access import ACCESS, Access
from conformance.check import Check, check
from conformance.evidence import Evidence, NotAsked
from conformance.judging import answered, differences
from conformance.kinds import KINDS
from conformance.methods import METHODS
from conformance.requests import changed, made_things, new_resource, request_of
from conformance.session import Session
from conformance.target_client import Call, Metadata
from conformance.verdict import Problem
from conformance.watching import first_answer

_CHANGES = ("update", "apply", "delete")
_REFUSALS = ("PERMISSION_DENIED", "NOT_FOUND", "ALREADY_EXISTS")
"""An apply that looks in the organization that is named finds nothing there, and may not take the id."""


def wrong_credentials(session: Session) -> dict[str, Metadata]:
    """Return credentials that nobody holds, by what is wrong with them; most are near to a right one."""
    token = session.context.roles[session.context.caller].token
    tokens = {"unknown": f"unknown-{session.context.run_id}", "shorter": token[:-1], "longer": f"{token}0"}
    if token.swapcase() != token:
        tokens["other_case"] = token.swapcase()
    rows: dict[str, Metadata] = {name: (("authorization", f"Bearer {one}"),) for name, one in tokens.items()}
    return {"none": (), "empty": (("authorization", "Bearer "),), **rows}


def _exercise(row: Access) -> Callable[[Session], None]:
    def exercise(session: Session) -> None:
        kind = _kind_of(row)
        if row.optional:
            _must_be_served(session, row.method)
        things = made_things(session, kind, "operator" if row.may else None, "theirs")
        request = request_of(session, row.method, things)
        for name, metadata in wrong_credentials(session).items():
            _call(session, Call(f"wrong.{name}", row.method, request, "anonymous", metadata))
        for role in row.may_not:
            _call(session, Call(f"may_not.{role}", row.method, request, role))
        if _changes_a_resource(row):
            session.read("after", kind, things.resource.metadata.id, role="operator")
        for role in row.may or (session.context.caller,):
            caller = "org_member" if role == "owner" else role
            if role == "owner" or _changes_a_resource(row):
                things = made_things(session, kind, "org_member" if role == "owner" else "operator", role)
            _call(session, Call(f"may.{role}", row.method, request_of(session, row.method, things), caller))

    return exercise


def _must_be_served(session: Session, method: str) -> None:
    """Raises NotAsked where a method that a server may leave out is left out."""
    probe = session.call("served", method, METHODS[method].request(), valid=None)
    if probe.exchange.code == "UNIMPLEMENTED":
        raise NotAsked(f"the target doesn't serve {METHODS[method].path}")


def _kind_of(row: Access) -> str:
    kind, _, operation = row.method.partition(".")
    return operation.removesuffix("s") if kind == "list" else kind if kind in KINDS else "agent"


def _changes_a_resource(row: Access) -> bool:
    method = METHODS[row.method]
    return method.kind in KINDS and method.operation in _CHANGES


def _call(session: Session, call: Call) -> None:
    """Make a call; a stream is ended after its first answer."""
    if call.method == "event.watch":
        first_answer(session, call.label, call.role, call.metadata)
    else:
        session.call(call.label, call.method, call.request, role=call.role, metadata=call.metadata)


def _credentials_asked(evidence: Evidence) -> list[Problem]:
    wrong = [found for row in evidence.under("wrong.") for found in answered(row, "UNAUTHENTICATED")]
    return wrong + answered(evidence.under("may.")[0], "OK")


def _permission_asked(row: Access) -> Callable[[Evidence], list[Problem]]:
    # A reference that a caller may not follow tells him no more if it finds nothing.
    refusals = ("PERMISSION_DENIED", "NOT_FOUND") if row.method.endswith("by_reference") else ("PERMISSION_DENIED",)
    kind = _kind_of(row)

    def judge(evidence: Evidence) -> list[Problem]:
        found = [wrong for one in evidence.under("may_not.") for wrong in answered(one, *refusals)]
        found += [wrong for one in evidence.under("may.") for wrong in answered(one, "OK")]
        if "after" in evidence:
            before = evidence["setup.agent.theirs" if kind == "agent" else f"setup.{kind}.theirs"]
            found += answered(evidence["after"], "OK") or differences(
                before.response, evidence["after"].response, evidence["after"]
            )
        return found

    return judge


def _check(row: Access) -> Check:
    permission = {row.permission_id: _permission_asked(row)} if row.may else {}
    roles = ("caller", "operator", "org_admin", "org_member", "other_org_member", "nobody") if row.may else ("caller",)
    feature = {"list": ("list",), "event": ("watch",)}.get(row.method.partition(".")[0], ())
    return check(row.credentials_id, _exercise(row), _credentials_asked, also=permission, roles=roles, features=feature)


def _claimed(kind: str) -> Callable[[Session], None]:
    """A member of another organization asks for a change as if what he changes were of his own."""

    def exercise(session: Session) -> None:
        things = made_things(session, kind, "operator", "theirs")
        for operation in ("update", "apply"):
            request = changed(session, things)
            request.metadata.org = session.other_org
            session.call(f"claimed.{operation}", f"{kind}.{operation}", request, role="other_org_member")
        if kind == "instance":
            new = new_resource(session, kind, things.agent.metadata.id)
            new.metadata.org = session.other_org
            session.call("claimed.create", f"{kind}.create", new, role="other_org_member")
        session.read("after", kind, things.resource.metadata.id, role="operator")
        session.call("twin", f"{kind}.update", changed(session, things), role="operator")

    return exercise


def _judge_claimed(kind: str) -> Callable[[Evidence], list[Problem]]:
    def judge(evidence: Evidence) -> list[Problem]:
        before, after = evidence[f"setup.{kind}.theirs"], evidence["after"]
        found = [wrong for row in evidence.under("claimed.") for wrong in answered(row, *_REFUSALS)]
        return found + answered(evidence["twin"], "OK") + differences(before.response, after.response, after)

    return judge


def _claim_check(kind: str) -> Check:
    roles = ("operator", "other_org_member")
    return check(f"PERM-STORED-{kind.upper()}", _claimed(kind), _judge_claimed(kind), roles=roles)


CHECKS: tuple[Check, ...] = (*(_check(row) for row in ACCESS), *(_claim_check(kind) for kind in KINDS))
