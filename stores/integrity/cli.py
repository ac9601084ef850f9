"""The command `parity stores verify`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from stores.integrity.findings import FINDING_KINDS, Finding
from stores.integrity.verify import repair, verify
from stores.told import DAMAGED, told_errors
from terminal.fitting import Fitted, plain, wide_console
from terminal.progress import progress_of_stages

_ROWS_SHOWN = 200


def verify_command(
    url: Annotated[str, typer.Argument(help="Store URL, for example leveldb:/var/lib/agents")],
    *,
    repair_indexes: Annotated[
        bool,
        typer.Option(
            "--repair-indexes", help="Copy the database beside itself, then make indexes, order and counts again."
        ),
    ] = False,
) -> None:
    """Read everything of a database and compare it with itself: exit 0 if it holds together, 1 if not.

    What proper use can leave as well (an agent whose default instance was deleted) is told, and is exit 0.

    Looking changes nothing. What is wrong with resources themselves isn't repaired: see `parity stores salvage`.
    """
    console = wide_console()
    with told_errors():
        found = _verified(url)
        print_findings(console, found)
        if _damages(found) and repair_indexes:
            kept = repair(url, found)
            console.print(f"indexes made again; the database as it was: {plain(str(kept))}", soft_wrap=True)
            found = _verified(url)
            print_findings(console, found)
    if _damages(found):
        raise typer.Exit(DAMAGED)


def _verified(url: str) -> list[Finding]:
    with progress_of_stages("database read", {"reading": 1}, left="nothing was changed") as within:
        reading = within("reading")
        return verify(url, lambda done, total: reading("", done, total))


def _damages(found: list[Finding]) -> list[Finding]:
    return [finding for finding in found if not finding.lawful]


def print_findings(console: Console, found: list[Finding]) -> None:
    """Print each finding, and what each sort of them means."""
    if not found:
        console.print("nothing is wrong")
        return
    table = Table("finding", "kind", "id", "details")
    for finding in sorted(found, key=lambda each: each.lawful)[:_ROWS_SHOWN]:
        table.add_row(finding.what, finding.kind, plain(finding.id), plain(finding.detail))
    console.print(Fitted(table, heads=3))
    sorts = {finding.what: sum(each.what == finding.what for each in found) for finding in found}
    for what, number in sorts.items():
        mend = " Repaired by --repair-indexes." if FINDING_KINDS[what].derived else ""
        console.print(f"{number} {what}: {FINDING_KINDS[what].sentence}{mend}", soft_wrap=not console.is_terminal)
    if len(found) > _ROWS_SHOWN:
        console.print(f"{len(found)} in all; the first {_ROWS_SHOWN} are in the table")
    if not _damages(found):
        console.print("nothing is wrong: proper use can leave all of this")
