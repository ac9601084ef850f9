"""`parity choose`: which store for this use, measured here and now."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from benchmarks.choice import Use, for_several_machines, measurement, parse_bytes, rank
from benchmarks.choice_tables import render_ranking
from benchmarks.cli import told_plainly
from benchmarks.config import ConfigError
from benchmarks.progress_bar import progress_bar
from benchmarks.runner import run_stores
from benchmarks.statistics import TooFewBuilds
from terminal.fitting import wide_console

Value = TypeVar("Value", str, float, int, bool)


def choose(
    records: Annotated[str | None, typer.Option(help="Size of a record, as in 7KB.")] = None,
    reads: Annotated[float | None, typer.Option(help="Share of reads among the calls, 0 to 1.")] = None,
    durable: Annotated[
        bool | None, typer.Option("--durable/--relaxed", help="What was acknowledged survives a loss of power, or not.")
    ] = None,
    agents: Annotated[int | None, typer.Option(help="How many agents there will be.")] = None,
    machines: Annotated[int | None, typer.Option(help="On how many machines servers are to run.")] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same agents and keys.")] = 1,
) -> None:
    """Measure the stores for one use, in about a minute, and say which to take. Asks where nothing is given."""
    console = wide_console()
    asks = sys.stdin.isatty() and all(given is None for given in (records, reads, durable, agents, machines))
    with told_plainly():
        use = Use(
            parse_bytes(_chosen("Size of a record", records, "7KB", asks=asks)),
            _chosen("Share of reads, 0 to 1", reads, 0.9, asks=asks),
            _chosen("How many agents", agents, 1_000, asks=asks),
            durable=_chosen("Must what was acknowledged survive a loss of power?", durable, default=True, asks=asks),
        )
        if (count := _chosen("On how many machines", machines, 1, asks=asks)) < 1:
            raise ConfigError(f"--machines {count}: a number above zero")
        if count > 1:
            console.print(for_several_machines(count, use), markup=False, highlight=False, soft_wrap=True)
            return
        typer.echo("measuring the stores of this machine, for about a minute", err=True)
        with (
            tempfile.TemporaryDirectory(prefix="parity-choose-") as folder,
            progress_bar(left="nothing is kept") as report,
        ):
            raw = run_stores(measurement(use, Path(folder), seed), report).raw
        try:
            ranking = rank(raw, use)
        except TooFewBuilds as error:
            raise ConfigError(f"too little was measured: {error}") from error
        if not ranking.places:
            raise ConfigError("nothing could be measured: " + "; ".join(one.reason for one in ranking.blanks[:3]))
        console.print(render_ranking(ranking))


def _chosen(question: str, given: Value | None, default: Value, *, asks: bool) -> Value:
    """Return what was given, what a person answers, or the default."""
    if given is not None:
        return given
    if not asks:
        return default
    if isinstance(default, bool):
        return typer.confirm(question, default=default)
    answer: Value = typer.prompt(question, default=default, type=type(default))
    return answer
