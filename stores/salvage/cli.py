"""The command `parity stores salvage`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from stores.salvage.salvage import READING, TAKING, Salvage, salvage
from stores.told import DAMAGED, told_errors
from terminal.fitting import plain, wide_console
from terminal.progress import progress_of_stages

_ROWS_SHOWN = 200


def salvage_command(
    url: Annotated[str, typer.Argument(help="URL of the damaged database.")],
    *,
    to: Annotated[str, typer.Option(help="URL of a new database for what can be read.")],
) -> None:
    """Take every readable resource out of a damaged database: exit 0 if nothing is lost, 1 if something is.

    The damaged database is only read, and by no engine. Positions and revisions are given anew, in the old order.
    """
    console = wide_console()
    left = f"what was taken stays in {plain(to)}: remove it before another try"
    with told_errors(), progress_of_stages("salvage", {READING: 2, TAKING: 1}, left=left) as within:
        result = salvage(url, to, lambda stage, done, total: within(stage)("", done, total))
    print_salvage(console, result, to)
    if not result.is_whole:
        raise typer.Exit(DAMAGED)


def print_salvage(console: Console, result: Salvage, to: str) -> None:
    """Print what was taken, what is lost, and what can't be told."""

    def say(text: str) -> None:
        console.print(plain(text), soft_wrap=not console.is_terminal)

    taken = ", ".join(f"{number} {kind}" for kind, number in sorted(result.taken.items())) or "nothing"
    say(f"taken into {to}: {taken}")
    for loss in result.lost[:_ROWS_SHOWN]:
        say(f"lost: {loss.kind} {loss.id}: {loss.reason}")
    for kind, number in sorted(result.missing.items()):
        say(f"lost: {number} {kind} more, whose ids nothing tells")
    if result.uncounted:
        say(f"lost: {result.uncounted} resources more by the count of the high-water mark, of unknown kind")
    for kind, id_ in result.doubtful[:_ROWS_SHOWN]:
        say(f"doubtful: {kind} {id_} is named by no index that can be read; was it deleted?")
    for area in result.areas[:_ROWS_SHOWN]:
        say(f"unreadable: {area}")
    rest = sum(max(len(rows) - _ROWS_SHOWN, 0) for rows in (result.lost, result.doubtful, result.areas))
    if rest:
        say(f"and {rest} more of these")
    if result.is_whole:
        say("nothing is lost")
    elif not (result.lost or result.missing or result.uncounted):
        say("nothing is known to be lost, but a resource may be older than it was")
