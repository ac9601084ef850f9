"""`parity bench`: the command line of the benchmarks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import runner
from benchmarks.config import (
    CODECS,
    DURABILITIES,
    ENGINES,
    LANGUAGES,
    PAYLOADS,
    WORKLOAD_NAMES,
    ConfigError,
    Speed,
    StoresConfig,
)
from benchmarks.environment import nothing_left
from benchmarks.history import DATABASE, claim_history, enter, known, metric_history
from benchmarks.history_tables import history_table
from benchmarks.payloads.payload import PayloadError
from benchmarks.progress_bar import progress_bar
from benchmarks.regression import CannotRepeat, Growth, again, confirmed, growths
from benchmarks.results import Raw, Results, ResultsError, read_results, write_results
from benchmarks.server.calls import WrongAnswers
from benchmarks.server.load import LoadFailed
from benchmarks.server.processes import ServerFailed
from benchmarks.tables import render_verdicts, show
from benchmarks.unfinished import Unfinished
from stores.contract import StoreError
from terminal.fitting import Fitted, wide_console
from terminal.interrupt import interrupts_first
from terminal.lines import print_error
from terminal.system_errors import path_and_reason_of

SLOWER, USAGE_ERROR, HARNESS_FAULT = 1, 2, 4

app = typer.Typer(help="Measure what a choice of store is worth, and judge the claims about it.", no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Measure what a choice of store is worth, and judge the claims about it."""


@app.command()
def stores(
    quick: Annotated[
        bool, typer.Option("--quick", help="Some two minutes: the claims' sides only, wider intervals.")
    ] = False,
    full: Annotated[bool, typer.Option("--full", help="An hour: many agents, narrow intervals.")] = False,
    corpus: Annotated[
        Path | None, typer.Option(help="Agents to store, one JSON object per line; else made ones.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Directory for the result and, meanwhile, the databases.")] = Path(
        "out/bench"
    ),
    seed: Annotated[int, typer.Option(help="Same seed, same agents and keys.")] = 1,
    engine: Annotated[list[str] | None, typer.Option(help="Engine to measure; repeat for more.")] = None,
    codec: Annotated[list[str] | None, typer.Option(help="Codec to measure; repeat for more.")] = None,
    pair: Annotated[
        list[str] | None, typer.Option(help="ENGINE+CODEC to measure, in place of all combinations; repeat for more.")
    ] = None,
    durability: Annotated[list[str] | None, typer.Option(help="durable or relaxed; repeat for both.")] = None,
    language: Annotated[
        list[str] | None, typer.Option(help="python or go: whose program holds the stores; repeat for both.")
    ] = None,
    payload: Annotated[list[str] | None, typer.Option(help="small, medium or large; repeat for more.")] = None,
    workload: Annotated[list[str] | None, typer.Option(help="Workload to run; repeat for more.")] = None,
    database: Annotated[
        Path | None, typer.Option("--db", help=f"Database that the run is entered in; {DATABASE} beside --out.")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Also print every median and factor.")] = False,
) -> None:
    """Judge each claim about stores by measuring all combinations of engine, codec and durability."""
    console = wide_console()
    with told_plainly():
        config = StoresConfig(
            directory=out,
            speed=speed_of(quick=quick, full=full),
            seed=seed,
            corpus=corpus,
            engines=tuple(engine or ENGINES),
            codecs=tuple(codec or CODECS),
            durabilities=tuple(durability or DURABILITIES),
            languages=tuple(language or LANGUAGES),
            payloads=tuple(payload or PAYLOADS),
            workloads=tuple(workload or WORKLOAD_NAMES),
            pairs=tuple(pair or ()),
        )
        words = [word for name in workload or () for word in ("--workload", name)]
        console.print(f"seed {seed}; repeat with: {' '.join([config.command, *words])}", markup=False)
        try:
            with nothing_left(out), progress_bar() as report:
                results = runner.run_stores(config, report)
        except KeyboardInterrupt:
            kept = f"{Unfinished(out).count} builds are finished and kept in {out}; the same command goes on there"
            print_error(f"interrupted: {kept}")
            raise
        deliver(results, out, database or out.parent / DATABASE, console, verbose=verbose)


def speed_of(*, quick: bool, full: bool) -> Speed:
    """Return the speed that two flags mean. Raises ConfigError."""
    if quick and full:
        raise ConfigError("--quick and --full exclude each other; choose one")
    return Speed.QUICK if quick else Speed.FULL if full else Speed.DEFAULT


def deliver(results: Results, out: Path, database: Path, console: Console, *, verbose: bool) -> None:
    """Write a run's files, enter it in a database, print its verdicts. Raises ResultsError."""
    write_results(results, out)
    enter(results, database)
    if verbose:
        show(results, console)
    else:
        console.print(render_verdicts(results))
    console.print(f"{out / 'results.json'} has every sample, {out / 'claims.json'} every verdict", markup=False)


@app.command()
def history(
    claim: Annotated[str | None, typer.Option(help="Id of a claim or goal.")] = None,
    metric: Annotated[str | None, typer.Option(help="Name of a metric.")] = None,
    database: Annotated[Path, typer.Option("--db", help="Database of results.")] = Path("out") / DATABASE,
    picture: Annotated[Path | None, typer.Option("--svg", help="Also write the table as a picture.")] = None,
) -> None:
    """Show a claim's or a metric's value in every run that this machine has kept; without either, name them."""
    console = wide_console()
    console.record = picture is not None
    with told_plainly():
        if claim is None and metric is None:
            claims, metrics = known(database)
            console.print(
                f"claims: {', '.join(claims) or 'none'}\nmetrics: {', '.join(metrics) or 'none'}", markup=False
            )
            return
        entries = [
            *(claim_history(database, claim) if claim else ()),
            *(metric_history(database, metric) if metric else ()),
        ]
        if not entries:
            raise ConfigError(f"{database} has no {claim or metric}; `parity bench history` names what it has")
        console.print(Fitted(history_table(claim or metric or "", entries)))
        if picture is not None:
            console.save_svg(str(picture), title=f"parity bench history: {claim or metric}")


@app.command()
def compare(
    before: Annotated[Path, typer.Argument(metavar="A", help="Folder of the first run.")],
    after: Annotated[Path, typer.Argument(metavar="B", help="Folder of the second run.")],
    fail_over: Annotated[str, typer.Option(help="Growth of a cost from which on the second is slower.")] = "10%",
    confirm: Annotated[bool, typer.Option(help="Measure what seems slower once more before saying so.")] = False,
) -> None:
    """Say whether anything became slower from run A to run B; exit 1 if so. For CI, on one machine."""
    console = wide_console()
    with told_plainly():
        first, second = read_results(before).raw, read_results(after).raw
        found = growths(first, second, _share(fail_over))
        slower = [one for one in found if one.is_slower]
        if slower and confirm:
            slower = _confirmed(slower, first, second, after / "again", _share(fail_over), console)
        for one in slower:
            low, high = one.ratio.interval.low, one.ratio.interval.high
            console.print(
                f"[red]slower[/red]: {one.metric}, {one.subject.label}, {one.payload}: "
                f"{one.ratio.value:.2f}x ({low:.2f}x to {high:.2f}x)"
            )
        console.print(f"{len(slower)} of {len(found)} costs grew by more than {fail_over}")
    if slower:
        raise typer.Exit(SLOWER)


def _confirmed(
    slower: list[Growth], first: Raw, second: Raw, directory: Path, share: float, console: Console
) -> list[Growth]:
    """Measure what seems slower once more; return what still does, or all where that can't be done from here."""
    try:
        config = again(second, slower, directory)
    except CannotRepeat as error:
        console.print(f"not confirmed: {error}", markup=False, soft_wrap=True)
        return slower
    console.print(f"{len(slower)} seem slower; measuring them again")
    with progress_bar() as report:
        return confirmed(slower, first, runner.run_stores(config, report).raw, share)


def _share(text: str) -> float:
    """Understand `10%`. Raises ConfigError."""
    try:
        share = float(text.removesuffix("%")) / 100
    except ValueError:
        share = -1.0
    if not text.endswith("%") or share <= 0:
        raise ConfigError(f"--fail-over {text}: write a growth such as 10%")
    return share


@contextlib.contextmanager
def told_plainly() -> Iterator[None]:
    """Turn errors of the vocabulary into one line and an exit code; anything else is a bug and may show itself."""
    try:
        with interrupts_first():
            yield
    except (ConfigError, PayloadError, ResultsError) as error:
        print_error(f"error: {error}")
        raise typer.Exit(USAGE_ERROR) from error
    except StoreError as error:
        print_error(f"error: {error}; {error.hint}")
        raise typer.Exit(USAGE_ERROR) from error
    except PermissionError as error:
        print_error(f"error: {path_and_reason_of(error)}; name another path")
        raise typer.Exit(USAGE_ERROR) from error
    except (runner.BenchmarkFailed, ServerFailed, LoadFailed, WrongAnswers, OSError) as error:
        told = path_and_reason_of(error) if isinstance(error, OSError) else error
        print_error(f"the benchmark can't go on: {told}")
        raise typer.Exit(HARNESS_FAULT) from error
