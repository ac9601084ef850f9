"""`parity stores`: what stores there are, the conformance suite for any of them, backup, restore and copy."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from stores.apart import check_not_within
from stores.engines.badger.cli import import_legacy_command
from stores.export_file import check_export, check_place
from stores.integrity.cli import verify_command
from stores.listing import list_stores
from stores.power_loss.cli import print_power_loss
from stores.power_loss.crash_states import NameOrder
from stores.power_loss.trial import STATES
from stores.registry import open_store, parse_url
from stores.salvage.cli import salvage_command
from stores.suite.check import Result, StoreUnderTest, StoreVerdict, run_check
from stores.suite.checks import CHECKS
from stores.suite.measure_cli import measure_command
from stores.suite.scorecard import ScoredSubject
from stores.suite.scratch import scratch
from stores.told import USAGE, stop, told_errors
from stores.transfer import copy_store, differences, export_store, import_store, resources_of
from terminal.fitting import plain
from terminal.progress import progress_of, progress_of_stages

NOT_CONFORMANT = 1
_DIFFERENCES_SHOWN = 10
_SEEDS = 1 << 32

app = typer.Typer(help="The stores: list, check, export, import, copy.", no_args_is_help=True)
app.command("list")(list_stores)
app.command("import-legacy")(import_legacy_command)
app.command("verify")(verify_command)
app.command("salvage")(salvage_command)
app.command("measure")(measure_command)
Url = Annotated[str, typer.Argument(help="Store URL, for example leveldb:/var/lib/agents?durability=durable")]


@app.command()
def check(
    url: Url,
    only: Annotated[str | None, typer.Option(help="Run the check with this id only.")] = None,
    examples: Annotated[int, typer.Option(help="Sequences that the search for disagreement tries; 0: none.")] = 60,
    *,
    power_loss: Annotated[
        bool, typer.Option("--power-loss", help="Instead: try what a power failure may leave of the store (strace).")
    ] = False,
    states: Annotated[int, typer.Option(help="States that --power-loss tries, within a minute.", min=1)] = STATES,
    seed: Annotated[int | None, typer.Option(help="Seed of all that is drawn, to try the same again.")] = None,
    names: Annotated[
        NameOrder, typer.Option(help="Order in which --power-loss assumes that names are kept; ext4 and XFS: kept.")
    ] = NameOrder.ANY,
) -> None:
    """Run the store conformance suite on new databases beside the URL's path, and remove them afterwards.

    Exit code 0: nothing failed. What can't be proven here (syncs without strace, for one) is told, and is no failure.
    """
    console = Console(emoji=False)
    drawn = secrets.randbelow(_SEEDS) if seed is None else seed
    if power_loss:
        with told_errors():
            is_right = print_power_loss(console, parse_url(url), states, seed, names)
        raise typer.Exit(0 if is_right else NOT_CONFORMANT)
    chosen = [row for row in CHECKS if only in (None, row.id)]
    if not chosen:
        stop(f"no check has the id {only!r}", "leave --only out to see all ids", USAGE)
    with told_errors(), scratch(url) as new:
        subject = ScoredSubject(new)
        results = []
        with progress_of("checks") as advance:
            try:
                for row in chosen:
                    results.append(run_check(row, subject, row.id, drawn))
                    advance(row.id, len(results), len(chosen))
            except KeyboardInterrupt:
                console.print(f"interrupted: {len(results)} of {len(chosen)} checks are finished")
                _print_results(console, results, [], None)
                raise
        disagreement = [] if only or not examples else _search(console, subject.subject, examples, drawn)
        _print_results(console, results, disagreement, subject if only is None else None)
        console.print(f"seed {drawn}: --seed {drawn} draws the same kills and sequences again")
    if disagreement or any(result.verdict is StoreVerdict.FAIL for result in results):
        raise typer.Exit(NOT_CONFORMANT)


@app.command("export")
def export(
    url: Url,
    file: Annotated[Path, typer.Argument(help="The file to write (JSON lines).")],
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there already.")] = False,
) -> None:
    """Write all resources of a store to a file: a backup that people and sqlite-utils can read."""
    console = Console(emoji=False)
    with told_errors():
        check_not_within(file, parse_url(url))
        check_place(file, force=force)
    with (
        told_errors(),
        open_store(url, read_only=True) as store,
        progress_of("resources written", left="no file is left") as advance,
    ):
        there = resources_of(store)
        done = export_store(store, file, lambda number: advance("exporting", number, there), force=force)
    console.print(f"{done} resources written to {plain(str(file))}", soft_wrap=True)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A file that `export` wrote.")],
    url: Url,
    *,
    partial: Annotated[
        bool, typer.Option("--partial", help="Take what can be read of a damaged file, and say what is missing.")
    ] = False,
) -> None:
    """Create all resources of a file in a store. One that is there already stops the import."""
    console = Console(emoji=False)
    with told_errors(), progress_of("resources created", left=_stays(url)) as advance:
        there = 0 if partial else check_export(file)  # before a database is made for it
        with open_store(url, create=True) as store:
            done = import_store(store, file, lambda number: advance("importing", number, there), partial=partial)
    for problem in done.missing[:_DIFFERENCES_SHOWN]:
        console.print(f"[red]missing[/red]: {plain(problem)}")
    for row in done.lost[:_DIFFERENCES_SHOWN]:
        console.print(f"[red]{plain(row.kind)} {plain(row.id)}[/red]: {plain(row.reason)}")
    told = f", {len(done.lost)} of them without fields that they had" if done.lost else ""
    console.print(f"{done.created} resources created in {plain(url)}{told}", soft_wrap=True)
    if done.missing or done.lost:
        raise typer.Exit(NOT_CONFORMANT)


@app.command("copy")
def copy(source: Url, target: Url) -> None:
    """Create all resources of one store in another, then compare every message."""
    console = Console(emoji=False)
    with told_errors():
        check_not_within(Path(parse_url(target).path), parse_url(source))
    with told_errors(), open_store(source, read_only=True) as old, open_store(target, create=True) as new:
        there = resources_of(old)
        with progress_of_stages("copy", {"copying": 2, "comparing": 1}, left=_stays(target)) as within:
            copying, comparing = within("copying"), within("comparing")
            done = copy_store(old, new, lambda number: copying("", number, there))
            differing = list(differences(old, new, lambda number: comparing("", number, there)))
        for row in differing[:_DIFFERENCES_SHOWN]:
            console.print(f"[red]{plain(row.kind)} {plain(row.id)}[/red]: {plain(row.reason)}")
    console.print(f"{done} resources copied, {len(differing)} of them differ")
    if differing:
        raise typer.Exit(NOT_CONFORMANT)


# ---- output and errors


def _stays(url: str) -> str:
    return f"what was created stays in {plain(url)}: remove it before another try"


def _search(console: Console, subject: StoreUnderTest, examples: int, seed: int) -> list[str]:
    from stores.suite.agreement import check_agreement  # noqa: PLC0415 - for this command

    with console.status(f"searching {examples} sequences for disagreement with the memory store"):
        return check_agreement(subject, examples, seed=seed)


def _print_results(
    console: Console, results: list[Result], disagreement: list[str], scored: ScoredSubject | None
) -> None:
    for result in results:
        if result.verdict is StoreVerdict.FAIL:
            console.print(f"[red]FAIL[/red] {result.check.id}: {plain(result.check.sentence)}")
            console.print(f"     {plain(result.reason)}")
        if result.verdict is StoreVerdict.NOT_PROVEN:
            console.print(f"[yellow]NOT PROVEN[/yellow] {result.check.id}: {plain(result.reason)}")
    if disagreement:
        console.print("[red]FAIL[/red] agreement: the store disagrees with the memory store after these steps")
        console.print("     " + "\n     ".join(map(plain, disagreement)))
    counts = {verdict: sum(result.verdict is verdict for result in results) for verdict in StoreVerdict}
    console.print(", ".join(f"{number} {verdict.value}" for verdict, number in counts.items()))
    if scored is not None:
        missed = scored.never_reached()
        console.print(f"API states reached: {len(scored.states)} different, {sum(scored.states.values())} in all")
        for operation, end in missed:
            console.print(f"  never reached: {operation} -> {end}")
