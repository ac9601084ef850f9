"""`parity policy` and `parity auth can-i`: who may do what, on servers of the cloud profile."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated

import typer

from protos.ai.stigmer.iam.iampolicy.v1.spec_pb2 import IamPolicySpec
from reference_server.client import policies
from reference_server.client.failures import BadInput
from reference_server.client.json_text import write_json
from reference_server.client.kinds import KINDS, kind_called
from reference_server.client.plain import to_plain
from reference_server.client.policies import Ref
from reference_server.client.session import Session, account_of, connected
from reference_server.client.table import printable
from reference_server.client.verbs import Org

IDENTITY = "identity_account"
VERBS = {
    "get": "can_view",
    "list": "can_view",
    "watch": "can_view",
    "describe": "can_view",
    "update": "can_edit",
    "edit": "can_edit",
    "apply": "can_edit",
    "delete": "can_delete",
    "grant": "can_grant_access",
}
"""What commands are called, and the permission that each takes. Source: the method options of the wire contract."""
_PRINCIPAL = re.compile(r"(?:(?P<kind>[a-z_]+)/)?(?P<id>[^/#]+)(?:#(?P<relation>[a-z_]+))?")

Principal = Annotated[str, typer.Argument(metavar="ACCOUNT", help="Who: an account, or KIND/ID#RELATION for a set.")]
Relation = Annotated[str, typer.Argument(metavar="RELATION", help="For example owner, member or can_view.")]
Resource = Annotated[str, typer.Argument(metavar="KIND/SLUG_OR_ID", help="What: agent/SLUG, organization/ID, ...")]
As = Annotated[str, typer.Option("--as", metavar="ACCOUNT", help="Whose permission; else that of the context.")]


def _grant(session: Session, principal: Principal, relation: Relation, resource: Resource, org: Org = "") -> None:
    """Give somebody a relation to something; it holds for the next call."""
    spec = _spec(session, principal, relation, resource, org)
    typer.echo(f"{policies.grant(session.server, spec).metadata.id} granted")


def _revoke(session: Session, principal: Principal, relation: Relation, resource: Resource, org: Org = "") -> None:
    """Take a relation away again."""
    spec = _spec(session, principal, relation, resource, org)
    typer.echo(f"{policies.revoke(session.server, spec).metadata.id} revoked")


def _get(session: Session, policy_id: Annotated[str, typer.Argument(metavar="ID", help="The policy's id.")]) -> None:
    """Show one policy by its id, as JSON."""
    typer.echo(write_json(to_plain(policies.policy(session.server, policy_id))), nl=False)


def _who(session: Session, relation: Relation, resource: Resource, org: Org = "") -> None:
    """Name the accounts that hold a relation or permission on something, one a line."""
    for account in policies.authorized_principals(session.server, _ref(session, resource, org), relation, IDENTITY):
        typer.echo(printable(account))


def _what(
    session: Session,
    relation: Relation,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="agent, instance, environment, ...")],
    account: As = "",
) -> None:
    """Name the ids of a kind on which an account holds a relation or permission, one a line."""
    principal = Ref(kind=IDENTITY, id=account_of(session, account))
    for found in policies.authorized_ids(session.server, principal, relation, _stored(kind)):
        typer.echo(printable(found))


def _can_i(
    session: Session,
    verb: Annotated[str, typer.Argument(metavar="VERB", help=f"{', '.join(VERBS)}, create, or a permission.")],
    resource: Resource,
    account: As = "",
    org: Org = "",
) -> None:
    """Say yes or no; ends with 0 for yes, with 1 for no. To create an agent is asked of the organization."""
    kind = resource.partition("/")[0]
    permission = VERBS.get(verb, verb)
    if verb == "create":
        if kind != "organization":
            raise BadInput("who may create is asked of an organization", hint="Write: create organization/ID.")
        permission = "can_create_agent"
    principal = Ref(kind=IDENTITY, id=account_of(session, account))
    spec = IamPolicySpec(principal=principal, relation=permission, resource=_ref(session, resource, org))
    allowed = policies.is_authorized(session.server, spec)
    typer.echo("yes" if allowed else "no")
    if not allowed:
        raise typer.Exit(1)


def _spec(session: Session, principal: str, relation: str, resource: str, org: str) -> IamPolicySpec:
    found = _PRINCIPAL.fullmatch(principal)
    if found is None:
        raise BadInput(f"{principal!r} is nobody", hint="Write ACCOUNT, KIND/ID or KIND/ID#RELATION.")
    who = Ref(kind=_stored(found["kind"] or IDENTITY), id=found["id"], relation=found["relation"] or "")
    return IamPolicySpec(principal=who, relation=relation, resource=_ref(session, resource, org))


def _ref(session: Session, text: str, org: str) -> Ref:
    """Return what a policy calls a resource. A slug is looked up; ids, and kinds without slugs, are taken as given."""
    word, slash, name = text.partition("/")
    if not slash or not word or not name:
        raise BadInput(f"{text!r} names no resource", hint="Write KIND/SLUG_OR_ID, for example agent/my-agent.")
    if word not in {row.word for row in KINDS}:
        return Ref(kind=word, id=name)
    kind, name = kind_called(text)
    is_id = name.startswith(f"{kind.resource.id_prefix}-")
    return Ref(kind=kind.resource.name, id=name if is_id else session.of(kind).find(name, org).metadata.id)


def _stored(word: str) -> str:
    """Return what policies call a kind that commands call `word`."""
    return next((row.resource.name for row in KINDS if row.word == word), word)


policy = typer.Typer(no_args_is_help=True, add_completion=False, help="Grant, revoke and look up who may do what.")
_COMMANDS: dict[str, Callable[..., None]] = {
    "grant": _grant,
    "revoke": _revoke,
    "get": _get,
    "who": _who,
    "what": _what,
}
for name, command in _COMMANDS.items():
    policy.command(name)(connected(command, prints=False))

auth = typer.Typer(no_args_is_help=True, add_completion=False, help="Ask what an account may do.")


@auth.callback()
def _auth() -> None:
    """Ask what an account may do."""


auth.command("can-i")(connected(_can_i, prints=False))
