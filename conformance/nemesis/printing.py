"""What a nemesis run came to, on a terminal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from conformance.failure_text import printable
from conformance.nemesis.judge import NemesisReport
from conformance.printing import COLOURS
from conformance.verdict import EXIT_CONFORMANT, EXIT_INCOMPLETE


def print_nemesis(console: Console, report: NemesisReport, out: Path | None) -> None:
    """Print what each fault did, each rule's verdict, what is wrong, and the figures."""
    run = report.run
    told = f"target: {printable(str(run.get('target', '')))}, profile {run.get('profile')}, seed {run.get('seed')}"
    console.print(escape(told), soft_wrap=True, highlight=False)
    console.print(_faults_table(report))
    for row in report.rows:
        colour = COLOURS[row.verdict]
        console.print(
            f"[{colour}]{row.verdict:>14}[/{colour}] [bold]{row.id:<15}[/bold] {row.sentence}", soft_wrap=True
        )
        lines = [*row.problems, *([row.reason] if row.reason else [])]
        if row.problems_count > len(row.problems):
            lines.append(f"and {row.problems_count - len(row.problems)} more")
        for line in lines:
            console.print(f"{'':14} {escape(printable(line))}", soft_wrap=True, highlight=False)
    for leak in report.leaks:
        console.print(f"[red]left behind: {escape(printable(leak))}[/red]", soft_wrap=True, highlight=False)
    console.print(_figures(report), soft_wrap=True, highlight=False)
    if report.incomplete:
        console.print(f"[red]the run is incomplete:[/red] {escape(printable(report.incomplete))}", soft_wrap=True)
    if out is not None:
        console.print(f"history and verdict: {escape(str(out))}", soft_wrap=True)


def _faults_table(report: NemesisReport) -> Table:
    table = Table(title="faults")
    for heading in ("fault", "strikes", "calls hurt", "what it did"):
        table.add_column(heading)
    for bite in report.bites:
        did = ", ".join(f"{count} {name}" for name, count in sorted(bite.did.items()))
        table.add_row(bite.fault, str(bite.strikes), str(bite.hurt), did)
    return table


def _figures(report: NemesisReport) -> str:
    figures = report.figures
    calls = f"{figures['calls']} calls ({figures['ok']} ok, {figures['refused']} refused, {figures['unknown']} unknown)"
    met = f"of {figures['resources']} resources, {figures['overlapping']} pairs overlapped, {figures['events']} events"
    red = len(report.failing())
    said = {EXIT_CONFORMANT: "0 violations", EXIT_INCOMPLETE: "incomplete"}.get(
        report.exit_code, f"{red} rules broken" if red else "nothing is shown"
    )
    return f"{calls} {met}: {said}"
