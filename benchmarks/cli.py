"""`parity bench`: the command line of the benchmarks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

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
from benchmarks.payloads.payload import PayloadError
from benchmarks.results import Results, ResultsError, write_results
from benchmarks.server.calls import WrongAnswers
from benchmarks.server.load import LoadFailed
from benchmarks.server.processes import ServerFailed
from benchmarks.tables import render_verdicts, show
from stores.contract import StoreError

USAGE_ERROR, HARNESS_FAULT = 2, 4

app = typer.Typer(help="Measure what a choice of store is worth, and judge the claims about it.", no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Measure what a choice of store is worth, and judge the claims about it."""


@app.command()
def stores(
    quick: Annotated[bool, typer.Option("--quick", help="Under two minutes: fewer agents, wider intervals.")] = False,
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
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Also print every median and factor.")] = False,
) -> None:
    """Judge each claim about stores by measuring all combinations of engine, codec and durability."""
    console = wide_console()
    with told_plainly(console):
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
        console.print(f"seed {seed}; repeat with: {' '.join([config.command, *words])}")
        with progress_bar() as report:
            results = runner.run_stores(config, report)
        deliver(results, out, console, verbose=verbose)


def wide_console() -> Console:
    """Return the terminal; where the output is a file, one that is wide enough for the tables."""
    console = Console()
    return console if console.is_terminal else Console(width=160)


@contextlib.contextmanager
def progress_bar() -> Iterator[Callable[[runner.Progress], None]]:
    """Show a bar while a block lasts; yield what moves it."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def report(progress: runner.Progress) -> None:
            bar.update(task, description=progress.label, completed=progress.done, total=progress.total)

        yield report


def speed_of(*, quick: bool, full: bool) -> Speed:
    """Return the speed that two flags mean. Raises ConfigError."""
    if quick and full:
        raise ConfigError("--quick and --full exclude each other; choose one")
    return Speed.QUICK if quick else Speed.FULL if full else Speed.DEFAULT


def deliver(results: Results, out: Path, console: Console, *, verbose: bool) -> None:
    """Write a run's files and print its verdicts; `verbose`: everything. Raises ResultsError."""
    write_results(results, out)
    if verbose:
        show(results, console)
    else:
        console.print(render_verdicts(results))
    console.print(f"{out / 'results.json'} has every sample, {out / 'claims.json'} every verdict")


@contextlib.contextmanager
def told_plainly(console: Console) -> Iterator[None]:
    """Turn errors of the vocabulary into one line and an exit code; anything else is a bug and may show itself."""
    try:
        yield
    except (ConfigError, PayloadError, ResultsError) as error:
        console.print(f"[red]error:[/red] {error}", highlight=False, soft_wrap=True)
        raise typer.Exit(USAGE_ERROR) from error
    except StoreError as error:
        console.print(f"[red]error:[/red] {error}; {error.hint}", highlight=False, soft_wrap=True)
        raise typer.Exit(USAGE_ERROR) from error
    except (runner.BenchmarkFailed, ServerFailed, LoadFailed, WrongAnswers, OSError) as error:
        console.print(f"[red]the benchmark can't go on:[/red] {error}", highlight=False, soft_wrap=True)
        raise typer.Exit(HARNESS_FAULT) from error
