"""The commands that every kind has, to read and to remove: get, apply, delete.

The first parameter of each function is the session; `connected` makes commands of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Annotated, Any

import grpc
import typer

from reference_server.client import applying
from reference_server.client.completion import slugs
from reference_server.client.failures import BadInput, Changed, ClientError, Refused, raise_all
from reference_server.client.files import Found, resources_in
from reference_server.client.kinds import Kind, name_of
from reference_server.client.labels import selector
from reference_server.client.resources import Resources
from reference_server.client.session import Session
from reference_server.client.watching import watch

Existing = Annotated[str, typer.Argument(metavar="SLUG_OR_ID", help="Which one.", autocompletion=slugs)]
Several = Annotated[list[str], typer.Argument(metavar="SLUG_OR_ID...", help="Which ones.", autocompletion=slugs)]
MaybeSeveral = Annotated[
    list[str] | None, typer.Argument(metavar="[SLUG_OR_ID...]", help="Which ones.", autocompletion=slugs)
]
Org = Annotated[str, typer.Option("--org", envvar="PARITY_ORG", help="The organization that it belongs to.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Show so many at most.")]
Labels = Annotated[str, typer.Option("--selector", "-l", help="Only with these labels: a=b, a!=b, a, !a, a in (b,c).")]
Files = Annotated[
    list[str] | None,
    typer.Option("--file", "-f", help="YAML or JSON file, folder, pattern in quotes, or - for standard input."),
]
Recursive = Annotated[bool, typer.Option("--recursive", "-R", help="Look into folders inside folders, too.")]
Watching = Annotated[bool, typer.Option("--watch", "-w", help="Then show every change, until Ctrl-C.")]
IgnoreNotFound = Annotated[bool, typer.Option("--ignore-not-found", help="What isn't there is no failure.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]
Force = Annotated[bool, typer.Option("--force", help="Also over changes that were made since the file was written.")]

Lister = Callable[[Session, str, int | None], Iterable[Any]]


def list_of_kind(session: Session, org: str, limit: int | None) -> Iterable[Any]:
    """The resources of the session's kind that the caller may view."""
    return session.resources.list(org, limit, session.account)


def get(
    session: Session,
    names: Sequence[str],
    org: str,
    labels: str,
    limit: int | None,
    *,
    watching: bool,
    ignore_not_found: bool,
    lister: Lister = list_of_kind,
    belongs: Callable[[Any], bool] = lambda _: True,
) -> None:
    """Show resources by name, or list them. Those that are found are shown, whatever the others fail with."""
    fits, failures = selector(labels), list[ClientError]()
    if names and (labels or limit):
        raise BadInput("names say already which ones", hint="Leave -l and --limit out, or the names.")

    def look(*, ignoring: bool = True) -> list[Any]:
        if names:
            return found_by_name(session.resources, names, org, failures, ignore_not_found=ignoring)
        listed = (one for one in lister(session, org, None if labels else limit) if fits(one.metadata.labels))
        return list(islice(listed, limit))

    if not watching or names:
        found = look(ignoring=ignore_not_found)
    if watching:
        raise_all(failures)
        watch(
            session,
            look,
            lambda one: org in {"", one.metadata.org} and belongs(one) and fits(one.metadata.labels),
            named=bool(names),
        )
        return
    if found or not names:
        session.show(found, one=len(names) == 1)
    raise_all(failures)


def found_by_name(
    resources: Resources, names: Sequence[str], org: str, failures: list[ClientError], *, ignore_not_found: bool
) -> list[Any]:
    """Return the resources of these names; what the others fail with is added to `failures`."""
    found = []
    for name in names:
        try:
            found.append(resources.find(name, org))
        except Refused as refused:
            if not (ignore_not_found and refused.code is grpc.StatusCode.NOT_FOUND):
                failures.append(refused)
    return found


def apply(session: Session, files: Files = None, *, recursive: Recursive = False, force: Force = False) -> None:
    """Create what files describe, or update what is there under the same slug or id; says which a line."""

    def act(found: Found) -> None:
        applied = applying.apply(session.of(found.kind), found.resource, force=force)
        session.report(found.kind, applied.resource, applied.done)

    each(session, resources_in(files or (), session.kind, recursive=recursive), act)


def each(session: Session, found: Sequence[Found], act: Callable[[Found], None]) -> None:
    """Do it for each in turn, also when it fails for some; tells all failures at the end."""
    failures: list[ClientError] = []
    for one in found:
        try:
            act(one)
        except (Refused, Changed) as failure:
            name = f"{name_of(one.kind, one.resource)}: " if len(found) > 1 else ""
            failures.append(ClientError(f"{name}{failure}", hint=failure.hint))
    session.show_reported(one=len(found) == 1)
    raise_all(failures)


def delete_files(
    session: Session, files: Files = None, *, recursive: Recursive = False, ignore_not_found: IgnoreNotFound = False
) -> None:
    """Delete what files describe, by id, else by slug."""
    delete_found(
        session, resources_in(files or (), session.kind, recursive=recursive), ignore_not_found=ignore_not_found
    )


def delete_found(session: Session, found: Sequence[Found], *, ignore_not_found: bool) -> None:
    """Delete resources; one without an id is found by its slug."""

    def act(one: Found) -> None:
        resources = session.of(one.kind)
        try:
            session.report(one.kind, resources.delete(_id_of(resources, one)), "deleted")
        except Refused as refused:
            if not (ignore_not_found and refused.code is grpc.StatusCode.NOT_FOUND):
                raise

    each(session, found, act)


def _id_of(resources: Resources, found: Found) -> str:
    """Return the id of what a file describes. Raises Refused."""
    existing = found.resource if found.resource.metadata.id else applying.existing_of(resources, found.resource)
    if existing is None:
        raise Refused(grpc.StatusCode.NOT_FOUND, f"there is no {name_of(found.kind, found.resource)}", ())
    return str(existing.metadata.id)


def delete(
    session: Session,
    names: Sequence[str],
    files: Sequence[str],
    org: str,
    labels: str,
    *,
    everything: bool,
    recursive: bool,
    ignore_not_found: bool,
    yes: bool,
) -> None:
    """Delete by name, by file, by label or all. What no name says is asked about."""
    if sum(map(bool, (names, files, labels or everything))) != 1:
        raise BadInput(
            "nothing says which ones, or more than one thing does", hint="Give names, -f FILE, -l LABEL=VALUE or --all."
        )
    if files:
        delete_files(session, list(files), recursive=recursive, ignore_not_found=ignore_not_found)
        return
    kind, failures = session.resources.kind, list[ClientError]()
    if names:
        chosen = found_by_name(session.resources, names, org, failures, ignore_not_found=ignore_not_found)
    else:
        fits = selector(labels)
        chosen = [one for one in list_of_kind(session, org, None) if fits(one.metadata.labels)]
        if chosen and not yes:
            ask_to_delete(session, kind, chosen)
    try:
        delete_found(session, [Found(kind, one) for one in chosen], ignore_not_found=ignore_not_found)
    except ClientError as failure:
        failures.append(failure)
    raise_all(failures)


def ask_to_delete(session: Session, kind: Kind, chosen: Sequence[Any]) -> None:
    """Name what would be deleted, and ask. Raises BadInput when there is nobody to ask, Abort for a no."""
    names = ", ".join(name_of(kind, one) for one in chosen[:5]) + (", ..." if len(chosen) > 5 else "")  # noqa: PLR2004
    try:
        plural = "s" if len(chosen) > 1 else ""
        question = f"Delete {len(chosen)} {kind.word}{plural} at {session.server.address} ({names})?"
        if not typer.confirm(question, err=True):
            raise typer.Exit(1)
    except typer.Abort:
        raise BadInput("nobody answered, so nothing is deleted", hint="--yes deletes without a question.") from None
