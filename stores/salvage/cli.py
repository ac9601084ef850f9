"""The command `parity stores salvage`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from stores.salvage.salvage import Salvage, salvage
from stores.told import DAMAGED, told_errors

_ROWS_SHOWN = 200


def salvage_command(
    url: Annotated[str, typer.Argument(help="URL of the damaged database.")],
    *,
    to: Annotated[str, typer.Option(help="URL of a new database for what can be read.")],
) -> None:
    """Take every readable resource out of a damaged database: exit 0 if nothing is lost, 1 if something is.

    The damaged database is only read, and by no engine. Positions and revisions are given anew, in the old order.
    """
    console = Console(emoji=False)  # in `leveldb:new: 3 agent` is no picture
    with told_errors(), console.status("reading what can be read"):
        result = salvage(url, to)
    _print(console, result, to)
    if not result.is_whole:
        raise typer.Exit(DAMAGED)


def _print(console: Console, result: Salvage, to: str) -> None:
    taken = ", ".join(f"{number} {kind}" for kind, number in sorted(result.taken.items())) or "nothing"
    console.print(f"taken into {escape(to)}: {taken}", soft_wrap=True)
    if result.lost:
        table = Table("lost", "id", "why")
        for loss in result.lost[:_ROWS_SHOWN]:
            table.add_row(loss.kind, escape(loss.id), escape(loss.reason))
        console.print(table)
    for kind, number in sorted(result.missing.items()):
        console.print(f"lost: {number} {kind} more, whose ids nothing tells")
    if result.uncounted:
        console.print(f"lost: {result.uncounted} resources more by the count of the high-water mark, of unknown kind")
    for kind, id_ in result.doubtful[:_ROWS_SHOWN]:
        console.print(f"doubtful: {kind} {escape(id_)} is named by no index that can be read; was it deleted?")
    for area in result.areas[:_ROWS_SHOWN]:
        console.print(f"unreadable: {escape(str(area))}", soft_wrap=True)
    rest = sum(max(len(rows) - _ROWS_SHOWN, 0) for rows in (result.lost, result.doubtful, result.areas))
    if rest:
        console.print(f"and {rest} more of these")
    if result.is_whole:
        console.print("nothing is lost")
    elif not (result.lost or result.missing or result.uncounted):
        console.print("nothing is known to be lost, but a resource may be older than it was")
