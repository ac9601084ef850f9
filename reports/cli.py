"""`parity report` and `parity compare`: make the reports of a run again, and hold two runs against each other."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markdown import Markdown

from reports.compare import compare_runs, comparison_markdown
from reports.read import read_run
from reports.write import Format, write_all

EXIT_WORSE = 1


class Wanted(StrEnum):
    """What `--format` takes."""

    ALL = "all"
    HTML = "html"
    MARKDOWN = "md"
    JUNIT = "junit"
    BADGE = "badge"


def report(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a verify, conform or bench run.")],
    wanted: Annotated[Wanted, typer.Option("--format", help="Which report to make.")] = Wanted.ALL,
    out: Annotated[Path | None, typer.Option(help="Folder for the reports; by default DIR itself.")] = None,
) -> None:
    """Make the page, the summary, the JUnit file and the badge of a run again, from its files alone."""
    formats = tuple(Format) if wanted is Wanted.ALL else (Format(wanted.value),)
    for path in write_all(directory, out, formats).values():
        print(path)


def compare(
    before: Annotated[Path, typer.Argument(metavar="A", help="The folder of the first run.")],
    after: Annotated[Path, typer.Argument(metavar="B", help="The folder of the second run.")],
    *,
    plain_text: Annotated[bool, typer.Option("--md", help="Print Markdown, for a file or a CI summary.")] = False,
    gate: Annotated[bool, typer.Option("--gate", help="Exit 1 when B is worse than A.")] = False,
) -> None:
    """Say what changed from one run to another: verdicts, and ratios that moved further than their intervals."""
    found = compare_runs(read_run(before), read_run(after))
    text = comparison_markdown(found)
    if plain_text:
        print(text, end="")
    else:
        Console().print(Markdown(text))
    if gate and found.worse:
        raise typer.Exit(EXIT_WORSE)
