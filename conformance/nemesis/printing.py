"""What a nemesis run came to, on a terminal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape

from conformance.failure_text import printable
from conformance.nemesis.bites import Bite
from conformance.nemesis.judge import NemesisReport
from conformance.printing import COLOURS, say
from conformance.verdict import EXIT_CONFORMANT, EXIT_INCOMPLETE


def print_nemesis(console: Console, report: NemesisReport, out: Path | None) -> None:
    """Print what each fault did, each rule's verdict, what is wrong, and the figures."""
    run = report.run
    told = f"target: {printable(str(run.get('target', '')))}, profile {run.get('profile')}, seed {run.get('seed')}"
    say(console, escape(told))
    say(console, "faults:" if report.bites else "faults: none struck")
    for bite in report.bites:
        say(console, escape(_bite_line(bite)), indent=2)
    for row in report.rows:
        colour = COLOURS[row.verdict]
        say(console, f"[{colour}]{row.verdict}[/{colour}] [bold]{row.id}[/bold] {escape(row.sentence)}")
        lines = [*row.problems, *([row.reason] if row.reason else [])]
        if row.problems_count > len(row.problems):
            lines.append(f"and {row.problems_count - len(row.problems)} more")
        for line in lines:
            say(console, escape(printable(line)), indent=4)
    for leak in report.leaks:
        say(console, f"[red]left behind: {escape(printable(leak))}[/red]")
    say(console, _figures(report))
    if report.incomplete:
        say(console, f"[red]the run is incomplete:[/red] {escape(printable(report.incomplete))}")
    if out is not None:
        console.print(f"history and verdict: {escape(str(out))}", soft_wrap=True)


def _bite_line(bite: Bite) -> str:
    did = ", ".join(f"{count} {name}" for name, count in sorted(bite.did.items()))
    return f"{bite.fault}: strikes {bite.strikes}, calls hurt {bite.hurt}" + (f"; {did}" if did else "")


def _figures(report: NemesisReport) -> str:
    figures = report.figures
    calls = f"{figures['calls']} calls ({figures['ok']} ok, {figures['refused']} refused, {figures['unknown']} unknown)"
    met = f"of {figures['resources']} resources, {figures['overlapping']} pairs overlapped, {figures['events']} events"
    red = len(report.failing())
    said = {EXIT_CONFORMANT: "0 violations", EXIT_INCOMPLETE: "incomplete"}.get(
        report.exit_code, f"{red} rule{'s' * (red > 1)} broken" if red else "nothing is shown"
    )
    return f"{calls} {met}: {said}"
