"""`parity report` and `parity compare`: a run's reports, its report object, many implementations, two runs compared."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from reports.annotations import render_annotations
from reports.brief import render_brief
from reports.compare import Comparison, compare_runs, comparison_markdown
from reports.comparison_text import comparison_lines
from reports.errors import RunUnreadable
from reports.html.comparison import render_comparison
from reports.html.index import Entry, render_index
from reports.read import read_run
from reports.report_object import OBJECT_FILE, Implementation, differs_from_run, object_text, read_object, report_object
from reports.write import Format, write_all, write_whole
from terminal.form import Form
from terminal.lines import width

EXIT_WORSE = 1
EXIT_WRONG = 1
INDEX_FILE = "index.html"
MAKE = "make"


class MakesByDefault(TyperGroup):
    """A group in which `parity report DIR` is short for `parity report make DIR`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - typer keeps its contexts' type
        """Put the usual command before arguments that name none."""
        if args and args[0] not in {*self.commands, *ctx.help_option_names}:
            args = [MAKE, *args]
        return super().parse_args(ctx, args)


report = typer.Typer(cls=MakesByDefault, no_args_is_help=True, add_completion=False)


class Wanted(StrEnum):
    """What `--format` takes."""

    ALL = "all"
    HTML = "html"
    MARKDOWN = "md"
    JUNIT = "junit"
    BADGE = "badge"
    OBJECT = "object"


Run = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a verify, conform or bench run.")]
A = Annotated[Path, typer.Argument(metavar="A", help="The folder of the first run.")]
B = Annotated[Path, typer.Argument(metavar="B", help="The folder of the second run.")]


@report.command(MAKE)
def make(
    directory: Run,
    wanted: Annotated[Wanted, typer.Option("--format", help="Which report to make.")] = Wanted.ALL,
    out: Annotated[Path | None, typer.Option(help="Folder for the reports; by default DIR itself.")] = None,
    implementation: Annotated[str, typer.Option(help="Name of what was judged: also writes the report object.")] = "",
    implementation_version: Annotated[str, typer.Option(help="Its version.")] = "",
    url: Annotated[str, typer.Option(help="Where people find it, or this report.")] = "",
    contact: Annotated[str, typer.Option(help="Whom to ask about it.")] = "",
    docs: Annotated[
        str, typer.Option(help="https:// or file:// address of the site of `make docs`.", envvar="PARITY_DOCS")
    ] = "",
) -> None:
    """Make the page, the summary, the JUnit file and the badge of a run again; the usual command (`report DIR`)."""
    if docs and not docs.startswith(("https://", "http://", "file://")):
        raise typer.BadParameter(f"--docs {docs}: an address begins with https://, http:// or file://")
    if wanted is not Wanted.OBJECT:
        formats = tuple(Format) if wanted is Wanted.ALL else (Format(wanted.value),)
        for path in write_all(directory, out, formats, docs=docs).values():
            print(path)
    if wanted is Wanted.OBJECT or (wanted is Wanted.ALL and implementation):
        if not implementation:
            raise typer.BadParameter("the report object needs a name of what was judged: --implementation NAME")
        named = Implementation(implementation, implementation_version, url, contact)
        text = object_text(report_object(read_run(directory), named))
        print(write_whole((out or directory) / OBJECT_FILE, text))


@report.command()
def validate(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A report object, as `report.yaml`.")],
    run: Annotated[Path | None, typer.Option(help="The folder of its run: does it say what the run says?")] = None,
) -> None:
    """Check a report object: its schema, that its parts fit each other, and with --run that it is of that run."""
    try:
        made = read_object(file)
    except RunUnreadable as error:
        if not file.is_file():
            raise
        print(error)
        raise typer.Exit(EXIT_WRONG) from None
    if run is not None and (names := differs_from_run(made, read_run(run))):
        print(f"{file}: is not of the run in {run}; these differ: {', '.join(names)}")
        raise typer.Exit(EXIT_WRONG)
    profiles = ", ".join(f"{one.profile}: {one.conclusion}" for one in made.results)
    print(f"{file}: valid; {made.implementation.name} {made.implementation.version}".rstrip() + f": {profiles}")


@report.command("annotations")
def annotate(directory: Run) -> None:
    """Print what a GitHub runner shows beside a change: an `::error` for each MUST that fails and isn't known to."""
    print(render_annotations(read_run(directory)), end="")


@report.command("summary")
def summarize(directory: Run) -> None:
    """Print what a CI job shows of a run: verdict, what to mend first, new failures; all of it folded below."""
    print(render_brief(read_run(directory)), end="")


@report.command()
def index(
    places: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders with a report.yaml, or such files.")],
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path(INDEX_FILE),
) -> None:
    """Make one page of many implementations' report objects: a matrix, and what each says of itself."""
    print(write_whole(out, render_index([_entry(place, out) for place in places])))


def _entry(place: Path, out: Path) -> Entry:
    file = place / OBJECT_FILE if place.is_dir() else place
    page = file.with_name("report.html")
    link = Path(os.path.relpath(page.resolve(), out.resolve().parent)).as_posix() if page.exists() else ""
    return Entry(read_object(file), link)


def compare(
    before: A,
    after: B,
    *,
    plain_text: Annotated[bool, typer.Option("--md", help="Print Markdown, for a file or a CI summary.")] = False,
    gate: Annotated[bool, typer.Option("--gate", help="Exit 1 when B is worse than A.")] = False,
    page: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write it as a page too.")] = None,
    output: Annotated[Form, typer.Option("--output", "-o", help="text, or json for programs.")] = Form.TEXT,
) -> None:
    """Say what changed from one run to another: verdicts, and what moved further than its interval."""
    found = compare_runs(read_run(before), read_run(after))
    _print(found, output, plain_text=plain_text)
    if page is not None:
        write_whole(page, render_comparison(found))
    if gate and found.worse:
        raise typer.Exit(EXIT_WORSE)


def _print(found: Comparison, output: Form, *, plain_text: bool) -> None:
    if output is Form.JSON:
        print(json.dumps({**asdict(found), "worse": found.worse}, indent=2, ensure_ascii=False, default=str))
    elif plain_text:
        print(comparison_markdown(found), end="")
    else:
        for line in comparison_lines(found, width()):
            print(line)


@report.command("compare")
def compare_page(
    before: A,
    after: B,
    *,
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("compare.html"),
) -> None:
    """Make a page of two runs: what was mended, broke, became slower. `parity compare` prints the same."""
    print(write_whole(out, render_comparison(compare_runs(read_run(before), read_run(after)))))
