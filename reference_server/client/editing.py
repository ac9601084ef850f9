"""`edit` and `diff`: a resource in a person's editor, and what a file would change."""

from __future__ import annotations

import difflib
import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import typer

from reference_server.client import applying
from reference_server.client.changes import write
from reference_server.client.documents import as_yaml, read_resources
from reference_server.client.failures import BadInput, ClientError
from reference_server.client.files import resources_in
from reference_server.client.kinds import name_of
from reference_server.client.resources import Resources
from reference_server.client.session import Session
from reference_server.client.verbs import Existing, Files, Org, Recursive
from terminal.lines import print_error

_FIXED = ("id", "slug", "org")
DIFFERENT, FAILED = 1, 2
"""Exit codes of diff, as of diff(1) and kubectl: 0 is no difference."""


def edit(session: Session, reference: Existing, org: Org = "") -> None:
    """Change one in your editor ($VISUAL, else $EDITOR, else vi). A change by somebody else meanwhile is noticed."""
    resources = session.resources
    known = resources.find(reference, org)
    before = as_yaml([known])
    with NamedTemporaryFile("w", prefix="parity-", suffix=".yaml", encoding="utf-8", delete=False) as file:
        file.write(before)
    path = Path(file.name)
    try:
        _run_editor(path)
        if path.read_text(encoding="utf-8") == before:
            typer.echo(f"{name_of(resources.kind, known)} unchanged")
        else:
            session.report(resources.kind, _write_back(resources, path, known), "edited")
            session.show_reported(one=True)
    except ClientError as failure:
        kept = f"What you wrote is kept in {path}."
        failure.hint = f"{failure.hint}\n{kept}" if failure.hint else kept
        raise
    path.unlink()


def _run_editor(path: Path) -> None:
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        code = subprocess.run([*shlex.split(editor), str(path)], check=False).returncode
    except (OSError, ValueError) as error:
        raise BadInput(f"the editor {editor!r} can't be started: {error}", hint="Set EDITOR to another.") from error
    if code:
        raise BadInput(f"the editor {editor!r} ended with {code}, so nothing is changed")


def _write_back(resources: Resources, path: Path, known: Any) -> Any:  # noqa: ANN401 - a resource
    found = read_resources(str(path), resources.kind)
    if len(found) != 1:
        raise BadInput(f"{path}: holds {len(found)} resources", hint="Leave the one that is edited.")
    wanted: Any = found[0][1]
    for field in _FIXED:
        if getattr(wanted.metadata, field) != getattr(known.metadata, field):
            raise BadInput(f"{path}: metadata.{field} never changes", hint="Create another resource instead.")
    return write(resources, resources.update, wanted, known)


def diff(session: Session, files: Files = None, *, recursive: Recursive = False) -> None:
    """Show what applying files would change; ends with 1 if that is anything, with more if it can't be told."""
    try:
        lines = [
            line
            for found in resources_in(files or (), session.kind, recursive=recursive)
            for line in _difference(session.of(found.kind), found.resource)
        ]
    except ClientError as failure:
        print_error(f"error: {failure}" + (f"\n{failure.hint}" if failure.hint else ""))
        raise typer.Exit(FAILED) from failure
    typer.echo("".join(lines), nl=False)
    if lines:
        raise typer.Exit(DIFFERENT)


def _difference(resources: Resources, wanted: Any) -> Iterator[str]:  # noqa: ANN401 - a resource
    """Yield the lines of a unified diff from what the server has to what an apply would make of it."""
    existing = applying.existing_of(resources, wanted)
    after = wanted if existing is None else applying.outcome(existing, wanted)
    name = name_of(resources.kind, after)
    old = [] if existing is None else _lines(existing)
    yield from difflib.unified_diff(old, _lines(after), f"server: {name}", f"file: {name}")


def _lines(resource: Any) -> list[str]:  # noqa: ANN401 - a resource
    bare = type(resource)()
    bare.CopyFrom(resource)
    bare.ClearField("status")
    return as_yaml([bare]).splitlines(keepends=True)
