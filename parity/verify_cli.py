"""`parity verify`: the main job, from stores to a report."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from benchmarks.claim_lines import ClaimLines
from benchmarks.results import ClaimVerdict, ResultsError, read_results
from parity.plan import FULL_STORES, QUICK_STORES, STORES, Plan, choose, make_plan
from parity.problems import Problem
from parity.run_folder import BENCHMARKS_FOLDER, make_directory, point_latest_at
from parity.verification import Outcome, Request, run_stages, write_report
from parity.verify_json import verification_text
from parity.verify_tables import (
    StepsByStore,
    corpus_lines,
    failure_lines,
    interrupted_lines,
    left_out_lines,
    proofs_table,
    recommendation_lines,
)
from terminal.fitting import Fitted, folded, wide_console
from terminal.form import Form
from terminal.lines import print_error


def verify(
    *,
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes: some minutes.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Large sizes and the memory store too: an hour or so.")] = False,
    corpus: Annotated[
        Path | None,
        typer.Option(
            "--corpus", metavar="FILE.jsonl", help="Real agents to send through every store and measure with."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The run's folder; without it a new one below out/.")
    ] = None,
    stores: Annotated[
        str,
        typer.Option(
            "--stores",
            metavar="NAMES",
            help="Stores to prove, with commas between: lmdb, sqlite+protobuf, …; else every embedded engine that is "
            "available here (without --quick, LevelDB and SQLite with two codecs).",
        ),
    ] = "",
    benchmarks: Annotated[
        bool, typer.Option("--benchmarks/--no-benchmarks", help="Measure the stores and judge the claims.")
    ] = True,
    output: Annotated[Form, typer.Option("--output", "-o", help="text, or json for programs.")] = Form.TEXT,
) -> None:
    """Prove the reference server over the embedded stores of this machine in both profiles, judge the claims, report.

    Exits 0 only if everything is conformant; claims may turn out as they will.
    """
    if quick and full:
        raise Problem("--quick and --full exclude each other")
    if corpus is not None and not corpus.is_file():
        raise Problem(f"--corpus {corpus}: no such file", hint="Give a file of agents, one JSON object a line.")
    speed = "quick" if quick else "full" if full else "default"
    plan = _plan(stores, speed)
    request = Request(
        command=shlex.join(["parity", *sys.argv[1:]]),
        directory=make_directory(out),
        plan=plan,
        speed=speed,
        corpus=corpus,
        benchmarks=benchmarks,
    )
    raise typer.Exit(_run(request, output))


def _plan(stores: str, speed: str) -> Plan:
    """Return what is to be proved: the stores that were named, else those of a speed. Raises Problem if none."""
    of_speed = {"quick": QUICK_STORES, "full": FULL_STORES}.get(speed, STORES)
    plan = make_plan(choose(stores.split(",")) if stores else of_speed)
    if not plan.subjects:
        raise Problem("no store to prove is available here", hint=" ".join(left_out_lines(plan.left_out)))
    return plan


def _run(request: Request, output: Form) -> int:
    """Run the stages, write the report, tell what came out, and return the exit code."""
    directory = request.directory
    outcome = run_stages(request, Console(stderr=True, emoji=False))
    if outcome.interrupted:
        for line in interrupted_lines(outcome, directory):
            print_error(line)
        return outcome.exit_code
    report_code = write_report(directory)
    point_latest_at(directory)
    code = outcome.exit_code or report_code
    report = directory / "report.html" if report_code == 0 else None
    if output is Form.JSON:
        verdicts, _ = _judged(request)
        typer.echo(verification_text(request, outcome, verdicts, report, exit_code=code))
    else:
        _print(request, outcome, report)
    return code


def _judged(request: Request) -> tuple[Sequence[ClaimVerdict], str]:
    """Return the claims' verdicts; none, and why, where they were to be judged and could not be."""
    if not request.benchmarks:
        return (), ""
    try:
        return read_results(request.directory / BENCHMARKS_FOLDER).judgement.verdicts, ""
    except ResultsError as error:
        return (), f"No claims were judged: {error}"


def _print(request: Request, outcome: Outcome, report: Path | None) -> None:
    console = wide_console()
    console.print(StepsByStore(outcome.proofs))
    console.print(Fitted(proofs_table(outcome.proofs), 2))
    verdicts, reason = _judged(request)
    console.print(ClaimLines(verdicts))
    sentences = left_out_lines(request.plan.left_out) + failure_lines(outcome.proofs)
    sentences += recommendation_lines(outcome.proofs)
    sentences += corpus_lines(outcome.corpus) if outcome.corpus is not None else []
    sentences += [reason] * bool(reason)
    verdict = "conformant" if outcome.exit_code == 0 else f"NOT conformant (exit code {outcome.exit_code})"
    sentences.append(f"Verdict: {verdict}, after {outcome.seconds:.0f} s")
    sentences.append(f"Report:  {report or f'could not be made; see {request.directory}'}")
    for sentence in sentences:
        _say(console, sentence)


def _say(console: Console, sentence: str) -> None:
    """Print a sentence, broken between words where a terminal ends; a command or a long path stays one line to copy."""
    to_copy = sentence.lstrip().startswith("parity ") or any(len(word) > console.width - 2 for word in sentence.split())
    if to_copy or not console.is_terminal:
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)
        return
    for line in folded(
        Text(sentence.lstrip()), console, console.width, " " * (len(sentence) - len(sentence.lstrip())), hanging="  "
    ):
        console.print(line)
