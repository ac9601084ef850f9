"""`parity bench`: the benchmarks' own commands, and `server`, which measures whatever can be judged."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.cli import app, deliver, progress_bar, speed_of, told_plainly, wide_console
from benchmarks.config import ConfigError, Speed
from benchmarks.history import DATABASE, enter
from benchmarks.results import RESULTS_FILE, write_results
from benchmarks.server import runner as server_runner
from benchmarks.server.config import ServerConfig
from benchmarks.targets import runner as targets_runner
from benchmarks.targets.config import TargetsConfig, command_of
from benchmarks.targets.mixes import MIXES, USUAL
from benchmarks.targets.objective import parse_objective
from benchmarks.targets.tables import render_comparison
from parity.measured_targets import parse_targets
from parity.reference import PROFILES
from reports.write import Format, write_all

__all__ = ["app"]

_MIXES = "; ".join(f"{mix.name}: {mix.says}" for mix in MIXES)


@app.command()
def server(
    target: Annotated[
        str | None,
        typer.Argument(
            help="Server to measure: grpc://host:port, grpcs://…, unix:PATH, cmd:COMMAND with {port}, or store:URL; "
            "NAME=TARGET names it. Without one, the reference server is judged by its goals."
        ),
    ] = None,
    against: Annotated[list[str] | None, typer.Option(help="Another target, in turns with the first; repeat.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="About two minutes: short loads, wider intervals.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Half an hour: up to 100,000 agents.")] = False,
    out: Annotated[Path, typer.Option(help="Directory for the result and, meanwhile, the databases.")] = Path(
        "out/bench-server"
    ),
    seed: Annotated[int, typer.Option(help="Same seed, same messages and order.")] = 1,
    agents: Annotated[
        list[int] | None, typer.Option(help="Agents in the store when growth is measured; repeat, growing.")
    ] = None,
    mix: Annotated[
        list[str] | None,
        typer.Option(help=f"Mix of calls; repeat for more, {', '.join(USUAL)} by default. {_MIXES}."),
    ] = None,
    rate: Annotated[
        str | None, typer.Option(help="Calls a second of open loops of the last mix, as in 100,500,1000.")
    ] = None,
    slo: Annotated[
        str | None, typer.Option(help="Search for the highest rate of the last mix that holds, as in p99=50ms.")
    ] = None,
    watchers: Annotated[
        str | None, typer.Option(help="Watchers that wait for events while one creates, as in 1,100,1000.")
    ] = None,
    profile: Annotated[str, typer.Option(help=f"Of store: targets: {' or '.join(PROFILES)}.")] = "oss",
    credentials: Annotated[
        Path | None, typer.Option(help="Roles as `parity conform` reads them; the strongest one calls.")
    ] = None,
    organization: Annotated[
        str, typer.Option("--org", help="Where agents are made, thousands of them: one that is made for it.")
    ] = "",
    engine: Annotated[str, typer.Option(help="Without a target: engine of the server's store.")] = "leveldb",
    codec: Annotated[str, typer.Option(help="Without a target: codec of the server's store.")] = "protobuf",
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Also print every median.")] = False,
) -> None:
    """Measure servers of this API side by side, or the reference server against a bare echo."""
    console = wide_console()
    with told_plainly(console):
        speed = speed_of(quick=quick, full=full)
        growth = tuple(agents) if agents else None
        only_with_target = {
            "--against": against,
            "--mix": mix,
            "--rate": rate,
            "--slo": slo,
            "--watchers": watchers,
            "--org": organization,
        }
        if target is None:
            _refuse([*(name for name, value in only_with_target.items() if value)])
            _judge_goals(ServerConfig(out, speed, seed, engine, codec, growth=growth), console, verbose=verbose)
            return
        words = [target, *_words("--against", against), *([] if speed is Speed.DEFAULT else [f"--{speed}"])]
        words += [*_words("--mix", mix), *_words("--agents", agents), *_words("--rate", [rate] if rate else [])]
        words += _words("--watchers", [watchers] if watchers else [])
        words += [*_words("--slo", [slo] if slo else []), "--seed", str(seed), "--profile", profile]
        words += _words("--credentials", [credentials] if credentials else [])
        words += _words("--org", [organization] if organization else [])
        config = TargetsConfig(
            directory=out,
            targets=parse_targets([target, *(against or ())], profile, credentials, organization),
            speed=speed,
            seed=seed,
            mixes=tuple(mix or USUAL),
            rates=_numbers("--rate", rate or ""),
            watchers=tuple(int(count) for count in _numbers("--watchers", watchers or "")),
            objective=parse_objective(slo) if slo else None,
            growth=growth,
            command=command_of(words),
        )
        _compare(config, console)


def _judge_goals(config: ServerConfig, console: Console, *, verbose: bool) -> None:
    console.print(f"seed {config.seed}; repeat with: {config.command}")
    with progress_bar() as report:
        results = server_runner.run_server(config, report)
    deliver(results, config.directory, config.directory.parent / DATABASE, console, verbose=verbose)


def _compare(config: TargetsConfig, console: Console) -> None:
    console.print(f"seed {config.seed}; repeat with: {config.command}", soft_wrap=True)
    with progress_bar() as report:
        results = targets_runner.run_targets(config, report)
    write_results(results, config.directory)
    enter(results, config.directory.parent / DATABASE)
    console.print(render_comparison(results))
    page = write_all(config.directory, None, (Format.HTML,))[Format.HTML]
    console.print(f"{page} is the page, {config.directory / RESULTS_FILE} has every sample", soft_wrap=True)


def _refuse(options: list[str]) -> None:
    """Raise ConfigError for options that need a target."""
    if options:
        raise ConfigError(
            f"{options[0]} needs a TARGET, for example: parity bench server store:leveldb: {options[0]} …"
        )


def _words(option: str, values: Iterable[object] | None) -> list[str]:
    return [word for value in values or () for word in (option, str(value))]


def _numbers(option: str, text: str) -> tuple[float, ...]:
    """Understand numbers with commas between them. Raises ConfigError."""
    try:
        return tuple(float(part) for part in text.split(",")) if text else ()
    except ValueError:
        raise ConfigError(f"{option} {text}: write numbers, as in 100,500,1000") from None
