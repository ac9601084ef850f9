"""`parity bench`: the benchmarks' own commands, and `server`, which measures whatever can be judged."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.cli import app, deliver, speed_of, told_plainly
from benchmarks.config import ConfigError, Speed
from benchmarks.environment import nothing_left
from benchmarks.history import DATABASE, enter
from benchmarks.progress_bar import progress_bar
from benchmarks.results import RESULTS_FILE, write_results
from benchmarks.server import runner as server_runner
from benchmarks.server.config import ServerConfig
from benchmarks.targets import runner as targets_runner
from benchmarks.targets.config import TargetsConfig, command_of
from benchmarks.targets.mixes import MIXES, USUAL
from benchmarks.targets.objective import parse_objective
from benchmarks.targets.tables import render_comparison
from parity.reference import PROFILES
from terminal.fitting import wide_console

__all__ = ["app"]

_MIXES = "; ".join(f"{mix.name}: {mix.says}" for mix in MIXES)


TargetText = Annotated[
    str | None,
    typer.Argument(
        help="Server to measure: grpc://host:port, grpcs://…, unix:PATH, cmd:COMMAND with {port}, or store:URL; "
        "NAME=TARGET names it. Without one, the reference server is judged by its goals."
    ),
]
Against = Annotated[list[str] | None, typer.Option(help="Another target, in turns with the first; repeat.")]
Quick = Annotated[bool, typer.Option("--quick", help="About two minutes: short loads, wider intervals.")]
Full = Annotated[bool, typer.Option("--full", help="Half an hour: up to 100,000 agents.")]
Out = Annotated[Path, typer.Option(help="Directory for the result and, meanwhile, the databases.")]
Seed = Annotated[int, typer.Option(help="Same seed, same messages and order.")]
Agents = Annotated[list[int] | None, typer.Option(help="Agents in the store when growth is measured; repeat, growing.")]
MixNames = Annotated[
    list[str] | None,
    typer.Option(help=f"Mix of calls; repeat for more, {', '.join(USUAL)} by default. {_MIXES}."),
]
Rate = Annotated[str | None, typer.Option(help="Calls a second of open loops of the last mix, as in 100,500,1000.")]
Slo = Annotated[
    str | None, typer.Option(help="Search for the highest rate of the last mix that holds, as in p99=50ms.")
]
Watchers = Annotated[
    str | None, typer.Option(help="Watchers that wait for events while one creates, as in 1,100,1000.")
]
ProfileName = Annotated[str, typer.Option(help=f"Of store: targets: {' or '.join(PROFILES)}.")]
CredentialsFile = Annotated[
    Path | None, typer.Option(help="Roles as `parity conform` reads them; the strongest one calls.")
]
Token = Annotated[
    str,
    typer.Option(envvar="PARITY_TOKEN", help="Bearer token of all calls, in place of roles; typed, others see it."),
]
Organization = Annotated[
    str, typer.Option("--org", help="Where agents are made, thousands of them: one that is made for it.")
]
Engine = Annotated[str, typer.Option(help="Without a target: engine of the server's store.")]
Codec = Annotated[str, typer.Option(help="Without a target: codec of the server's store.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Also print every median.")]


@app.command()
def server(
    target: TargetText = None,
    against: Against = None,
    quick: Quick = False,
    full: Full = False,
    out: Out = Path("out/bench-server"),
    seed: Seed = 1,
    agents: Agents = None,
    mix: MixNames = None,
    rate: Rate = None,
    slo: Slo = None,
    watchers: Watchers = None,
    profile: ProfileName = "oss",
    credentials: CredentialsFile = None,
    token: Token = "",
    organization: Organization = "",
    engine: Engine = "leveldb",
    codec: Codec = "protobuf",
    verbose: Verbose = False,
) -> None:
    """Measure servers of this API side by side, or the reference server against a bare echo."""
    console = wide_console()
    with told_plainly():
        speed = speed_of(quick=quick, full=full)
        growth = tuple(agents) if agents else None
        of_targets: dict[str, object] = {
            "--against": against,
            "--mix": mix,
            "--rate": rate,
            "--slo": slo,
            "--watchers": watchers,
        }
        of_targets |= {"--credentials": credentials, "--org": organization}
        if target is None:
            _refuse([name for name, value in of_targets.items() if value])
            _judge_goals(ServerConfig(out, speed, seed, engine, codec, growth=growth), console, verbose=verbose)
            return
        from parity.measured_targets import parse_targets  # noqa: PLC0415 - half a second, for targets only

        others: dict[str, object] = {"--agents": agents, "--seed": seed, "--profile": profile}
        words = [target, *([] if speed is Speed.DEFAULT else [f"--{speed}"]), *_words(of_targets | others)]
        config = TargetsConfig(
            directory=out,
            targets=parse_targets([target, *(against or ())], profile, credentials, organization, token),
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
    console.print(f"seed {config.seed}; repeat with: {config.command}", markup=False)
    with nothing_left(config.directory), progress_bar() as report:
        results = server_runner.run_server(config, report)
    deliver(results, config.directory, config.directory.parent / DATABASE, console, verbose=verbose)


def _compare(config: TargetsConfig, console: Console) -> None:
    from reports.write import Format, write_all  # noqa: PLC0415 - long to load, for pages only

    console.print(f"seed {config.seed}; repeat with: {config.command}", markup=False, soft_wrap=True)
    with nothing_left(config.directory), progress_bar() as report:
        results = targets_runner.run_targets(config, report)
    write_results(results, config.directory)
    enter(results, config.directory.parent / DATABASE)
    console.print(render_comparison(results))
    page = write_all(config.directory, None, (Format.HTML,))[Format.HTML]
    console.print(
        f"{page} is the page, {config.directory / RESULTS_FILE} has every sample", markup=False, soft_wrap=True
    )


def _refuse(options: list[str]) -> None:
    """Raise ConfigError for options that need a target."""
    if options:
        raise ConfigError(
            f"{options[0]} needs a TARGET, for example: parity bench server store:leveldb: {options[0]} …"
        )


def _words(options: Mapping[str, object]) -> list[str]:
    """Return options as one types them; a list's is repeated, an empty one's left out."""
    given = {name: value if isinstance(value, list) else [value] for name, value in options.items() if value}
    return [word for name, values in given.items() for value in values for word in (name, str(value))]


def _numbers(option: str, text: str) -> tuple[float, ...]:
    """Understand numbers with commas between them. Raises ConfigError."""
    try:
        return tuple(float(part) for part in text.split(",")) if text else ()
    except ValueError:
        raise ConfigError(f"{option} {text}: write numbers, as in 100,500,1000") from None
