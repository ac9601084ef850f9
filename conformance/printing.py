"""What a run came to, on a terminal. All that a server said is printed without what would move a cursor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from conformance.failure_text import diagnosis_lines, failure_lines, few, printable, problem_line, red_results, width_of
from conformance.transcript import failure_cards
from conformance.verdict import VERDICTS_FILE, Report, StepRow, Verdict, lost_text
from terminal.fitting import fits

ALIKE_SHOWN = 3
"""So many that are untestable for one reason are told one by one; more of them share a line."""
LEAKS_SHOWN = 10
COLOURS = {
    Verdict.PASS: "green",
    Verdict.FAIL: "red",
    Verdict.UNTESTABLE: "red",
    Verdict.NOT_RUN: "red",
    Verdict.HARNESS_ERROR: "red",
    Verdict.KNOWN_FAILING: "yellow",
    Verdict.DEVIATION: "yellow",
    Verdict.FLAKY: "red",
    Verdict.NOT_APPLICABLE: "dim",
}


def print_report(console: Console, report: Report, out: Path | None, *, verbose: bool = False) -> None:
    """Print the steps, what isn't green, and the counts."""
    for line in report.drift:
        say(console, f"[red]schema:[/red] {escape(printable(line))}")
    if report.run.complete:
        say(console, f"target: {escape(printable(report.run.target))}")
        print_steps(console, report)
    _print_failures(console, report)
    _print_deviations(console, report)
    if verbose:
        for card in failure_cards(report, out):
            console.print(escape(card), soft_wrap=True, highlight=False)
    for line in diagnosis_lines(report, width_of(console)) if report.exit_code else ():
        console.print(escape(line), soft_wrap=True, highlight=False)
    for line in (*report.known_failing_errors, *_leaks(report)):
        say(console, f"[red]{escape(printable(line))}[/red]")
    say(console, escape(summary_line(report)))
    if not report.run.complete:
        reason = "\n".join(map(printable, report.run.reason.splitlines()))
        say(console, f"[red]the run is incomplete:[/red] {escape(reason)}")
    if out is not None:
        console.print(f"evidence and verdicts: {escape(str(out))}", soft_wrap=True)


def say(console: Console, markup: str, indent: int = 0) -> None:
    """Print a text in markup, broken between words where a terminal ends; a log's lines are not broken."""
    text = Padding(markup, (0, 0, 0, indent), expand=False) if indent and console.is_terminal else " " * indent + markup
    console.print(text, soft_wrap=not console.is_terminal, highlight=False)


def _print_failures(console: Console, report: Report) -> None:
    red = red_results(report)
    untestable = Counter(result.reason for result, _ in red if result.verdict is Verdict.UNTESTABLE)
    together = {reason: list[str]() for reason, count in untestable.items() if count > ALIKE_SHOWN}
    for result, blocked in red:
        if result.verdict is Verdict.UNTESTABLE and result.reason in together:
            together[result.reason].append(result.id)
            continue
        say(console, f"[red]{result.verdict}[/red] [bold]{result.id}[/bold] {escape(result.sentence)}")
        for line in failure_lines(result, blocked, width_of(console) - 4):
            console.print(f"    {escape(line)}", soft_wrap=True, highlight=False)
    for reason, names in together.items():
        say(console, f"[red]{Verdict.UNTESTABLE}[/red] {len(names)} requirements: {escape(printable(reason))}")
        say(console, escape(few("", names, width_of(console) - 4)), indent=4)


def _leaks(report: Report) -> list[str]:
    lines = [f"left behind: {leak}" for leak in report.leaks[:LEAKS_SHOWN]]
    more = len(report.leaks) - LEAKS_SHOWN
    return [*lines, f"left behind: {more} more, named in {VERDICTS_FILE} and the report"] if more > 0 else lines


def _print_deviations(console: Console, report: Report) -> None:
    """Print what is told and isn't red: other choices, and what is wrong with the contract itself."""
    for result in report.results:
        if result.verdict is Verdict.DEVIATION:
            say(console, f"[yellow]{result.verdict}[/yellow] [bold]{result.id}[/bold] {escape(result.sentence)}")
            say(console, escape(f"{problem_line(result.problems[0])}. {result.reason}"), indent=4)
    if report.contract_defects:
        ids = ", ".join(ids[0] for ids in report.contract_defects.values())
        told = f"defects of the contract itself, asked for all the same: {ids} (`parity requirements` tells them)"
        say(console, f"[dim]{told}[/dim]")


def print_steps(console: Console, report: Report) -> None:
    """Print the verdicts of the create steps that the run speaks of: a table, or lines where that is too wide."""
    asked = {result.step for result in report.results}
    rows = [row for row in report.steps if row.step in asked]
    if not rows:
        return
    table = steps_table(rows, report.run.profile)
    if fits(table, console, console.options):
        console.print(table)
        return
    console.print(f"create, profile {report.run.profile}")
    for row in rows:
        blocked = f", {len(row.blocked)} blocked" if row.blocked else ""
        told = f"[{COLOURS[row.verdict]}]{row.verdict}[/] {row.step}: {row.passed} of {row.total} passed{blocked}"
        console.print(told, highlight=False)


def steps_table(rows: Sequence[StepRow], profile: str) -> Table:
    """Lay out create steps, each with its verdict."""
    table = Table(title=f"create, profile {profile}")
    headings = ("step", "verdict", "passed", "blocked")[: 4 if any(row.blocked for row in rows) else 3]
    for heading in headings:
        table.add_column(heading)
    for row in rows:
        colour = COLOURS[row.verdict]
        cells = (row.step, f"[{colour}]{row.verdict}[/{colour}]", f"{row.passed}/{row.total}", str(len(row.blocked)))
        table.add_row(*cells[: len(headings)])
    return table


def summary_line(report: Report) -> str:
    """Counts of all verdicts in one line; it begins with how much was measured."""
    summary = report.summary
    if not summary.measured and not report.run.complete:
        return f"0 measured of {summary.total} requirements"
    counts = ", ".join(f"{count} {verdict}" for verdict, count in summary.counts.items() if count)
    lost = f"; {lost_text(report.lost_calls)}" if report.lost_calls else ""
    measured = f"{summary.measured} measured of {summary.total} requirements"
    return f"{measured}: {counts or 'nothing'}: {report.conclusion}{lost}"
