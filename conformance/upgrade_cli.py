"""`parity upgrade OLD NEW`: two builds over one data folder, there and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from conformance.credentials import Credentials, CredentialsInvalid, read_credentials
from conformance.features import NOTHING_DECLARED, read_declaration
from conformance.run_context import profile_named
from conformance.target import START_SECONDS
from conformance.upgrade import Stage, UpgradeOptions, planned
from conformance.upgrade import upgrade as try_upgrade
from conformance.verdict import EXIT_CONFORMANT, EXIT_INCOMPLETE, EXIT_NOT_CONFORMANT
from terminal.progress import progress_of_stages


def upgrade(
    old: Annotated[str, typer.Argument(help="cmd:COMMAND with {port}, and {data} for the data folder")],
    new: Annotated[str, typer.Argument(help="the same of the other build")],
    profile: Annotated[str, typer.Option(help="cloud or oss; cloud where credentials are given, else oss")] = "",
    credentials: Annotated[Path | None, typer.Option(help="TOML with [roles.NAME] token and id")] = None,
    declare: Annotated[Path | None, typer.Option(help="TOML with [features] that both builds claim")] = None,
    agents: Annotated[int, typer.Option(min=8, max=10_000, help="agents that each build writes")] = 12,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, max=64, help="checks at a time")] = 4,
    suite: Annotated[bool, typer.Option("--suite/--no-suite", help="judge both builds over the other's data")] = True,
    start_timeout: Annotated[
        float, typer.Option(min=0.1, help="seconds that a build may take until it listens")
    ] = START_SECONDS,
) -> None:
    """Try an upgrade: load by the old build, judge under the new one, and back. Exit code 0: all was whole."""
    console = Console(emoji=False)
    try:
        named = profile_named(profile or ("cloud" if credentials else "oss"))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    given = read_credentials(credentials) if credentials else Credentials()
    if named == "cloud" and "operator" not in given.roles:
        raise CredentialsInvalid("the cloud profile needs --credentials FILE with the role operator")
    options = UpgradeOptions(
        profile=named,
        credentials=given,
        declaration=read_declaration(declare) if declare else NOTHING_DECLARED,
        agents=agents,
        jobs=jobs,
        start_seconds=start_timeout,
        judged=suite,
    )
    with progress_of_stages("upgrade", planned(options), left="both builds are ended, and no data is kept") as within:
        found = try_upgrade(old, new, options, lambda stage: _print_stage(console, stage), within)
    if found.untestable:
        console.print(f"[red]nothing can be said of this upgrade:[/red] the old build: {escape(found.untestable)}")
        raise typer.Exit(EXIT_INCOMPLETE)
    count = len(found.problems)
    console.print("the upgrade holds, there and back" if not count else f"{count} problem{'s' * (count > 1)}")
    raise typer.Exit(EXIT_NOT_CONFORMANT if count else EXIT_CONFORMANT)


def _print_stage(console: Console, stage: Stage) -> None:
    sign = "[red]wrong[/red]" if stage.problems else "[green]right[/green]"
    console.print(f"{sign} {escape(stage.title)} ({stage.seconds:.1f} s)", soft_wrap=True, highlight=False)
    for problem in stage.problems:
        console.print(f"    {escape(problem)}", soft_wrap=True, highlight=False)
