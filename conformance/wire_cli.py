"""`parity wire`: whether a target speaks the contract's messages, and nothing else."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from conformance.address import TargetInvalid
from conformance.credentials import Credentials, CredentialsInvalid, read_credentials
from conformance.drift import look_at_wire
from conformance.evidence import Json
from conformance.leftovers import ids_in, remove_leftovers
from conformance.runner import DEADLINE_SECONDS, Options, first_context, new_run_id
from conformance.session import Session
from conformance.target import Running, TargetUnreachable, open_target
from conformance.target_client import TargetClient, TargetLost
from conformance.verdict import EXIT_INCOMPLETE, EXIT_NOT_CONFORMANT, EXIT_USAGE
from terminal.lines import print_error


def wire(
    target: Annotated[
        str, typer.Argument(help="grpc://host:port, grpcs://, unix:PATH, cmd:COMMAND or inproc:MODULE:FACTORY")
    ],
    credentials: Annotated[
        Path | None, typer.Option(help="TOML with [roles.NAME] token and id; makes it the cloud profile")
    ] = None,
    deadline: Annotated[float, typer.Option(min=0.1, help="seconds for one call")] = DEADLINE_SECONDS,
) -> None:
    """Compare a target's messages with the contract's: by server reflection, else by sending agents without parts.

    Ends with 0 where nothing differs, 1 where something does, 3 where the target can't be reached. Agents that had to
    be sent are deleted again.
    """
    console = Console(emoji=False)
    try:
        given = read_credentials(credentials) if credentials else Credentials()
        with closing(open_target(target)) as running:
            facts, leaks = _facts(running, given, deadline)
    except (TargetInvalid, CredentialsInvalid) as error:
        raise _ended(error, EXIT_USAGE) from None
    except (TargetUnreachable, TargetLost) as error:
        raise _ended(error, EXIT_INCOMPLETE) from None
    for row in facts["drift"]:
        console.print(escape(row["sentence"]), soft_wrap=True, highlight=False)
    for line in facts["drift_added"]:
        console.print(f"[dim]{escape(line)}[/dim]", soft_wrap=True, highlight=False)
    for leak in leaks:
        console.print(f"[red]left behind:[/red] {escape(leak)}", soft_wrap=True, highlight=False)
    if facts["drift"]:
        raise typer.Exit(EXIT_NOT_CONFORMANT)
    console.print("the target speaks the contract's messages", soft_wrap=True)


def _ended(error: Exception, code: int) -> typer.Exit:
    print_error(f"error: {error}")
    return typer.Exit(code)


def _facts(running: Running, credentials: Credentials, deadline: float) -> tuple[dict[str, Json], list[str]]:
    """Return what was noted, and what could not be deleted again."""
    client = TargetClient(running, running.channel(), deadline)
    options = Options(profile="cloud" if credentials.roles else "oss", credentials=credentials)
    session = Session("wire", client, first_context(options, new_run_id()))
    look_at_wire(session)
    refused = session.cleanup()
    evidence = session.evidence()
    made = dict.fromkeys(ids_in(evidence), session.check)
    return dict(evidence.facts), remove_leftovers(session, made, refused)
