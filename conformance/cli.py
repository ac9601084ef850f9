"""`parity conform` and `parity recheck`: the suite on the command line. The command line's own errors end with 2."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from conformance.address import TargetInvalid
from conformance.credentials import Credentials, CredentialsInvalid, read_credentials
from conformance.evidence_file import EvidenceInUse, EvidenceUnreadable, hold_against
from conformance.exercises import RERUNS_MAX
from conformance.failure_text import printable
from conformance.features import NOTHING_DECLARED, Declaration, DeclarationInvalid, read_declaration
from conformance.known_failing import (
    Known,
    KnownFailingInvalid,
    apply_known_failing,
    as_rows,
    read_known_failing,
)
from conformance.known_failing_update import UpdateRefused
from conformance.known_failing_update import update_known_failing as update_file
from conformance.nemesis.command import nemesis as run_nemesis
from conformance.nemesis.command import plan_of, recheck_nemesis
from conformance.nemesis.faults import FAULTS, NemesisInvalid
from conformance.nemesis.history import HISTORY_FILE, HistoryUnreadable
from conformance.printing import print_report
from conformance.rejudge import OtherCatalogue
from conformance.rejudge import recheck as recheck_run
from conformance.run_context import profile_named
from conformance.runner import DEADLINE_SECONDS, NothingSelected, Options, run
from conformance.summary_json import as_text, summary
from conformance.target import START_SECONDS
from conformance.traces import ReceiverUnavailable
from conformance.verdict import EVIDENCE_FILE, EXIT_USAGE, VERDICTS_FILE, Report
from conformance.verdicts_file import write_verdicts
from terminal.form import Form
from terminal.lines import print_error
from terminal.progress import progress_of


class UsageError(Exception):
    """The command line asks for something that makes no sense."""


_USAGE_ERRORS = (
    UsageError,
    EvidenceInUse,
    NothingSelected,
    TargetInvalid,
    CredentialsInvalid,
    DeclarationInvalid,
    KnownFailingInvalid,
    UpdateRefused,
    ReceiverUnavailable,
    NemesisInvalid,
)


TargetText = Annotated[
    str, typer.Argument(help="grpc://host:port, grpcs://, unix:PATH, cmd:COMMAND or inproc:MODULE:FACTORY")
]
ProfileName = Annotated[str, typer.Option(help="cloud or oss; cloud where credentials are given, else oss")]
Only = Annotated[list[str] | None, typer.Option(help="requirement id or pattern; may be repeated")]
Out = Annotated[Path | None, typer.Option(help="directory for evidence.jsonl and verdicts.json")]
Seed = Annotated[int, typer.Option(help="decides whatever is random in the checks")]
CredentialsFile = Annotated[Path | None, typer.Option(help="TOML with [roles.NAME] token and id")]
DeclarationFile = Annotated[Path | None, typer.Option(help="TOML with [features] that the target claims")]
KnownFile = Annotated[Path | None, typer.Option(help="TOML with what is known to fail")]
UpdateKnown = Annotated[bool, typer.Option("--update-known-failing", help="bring that file up to date with this run")]
OtlpListen = Annotated[str, typer.Option(help="host:port where the target's spans arrive; judges them too")]
Name = Annotated[str, typer.Option(help="what the report calls the target; its own text by default")]
Jobs = Annotated[
    int | None,
    typer.Option("--jobs", "-j", min=1, max=64, help="checks at a time; by default as many as a call's time asks for"),
]
NoRerun = Annotated[bool, typer.Option("--no-rerun", help="don't run failing checks again to tell flaky ones")]
Strict = Annotated[bool, typer.Option("--strict", help="deviations are failures")]
Quick = Annotated[bool, typer.Option("--quick", help="smaller sizes of concurrent and random work")]
Shuffle = Annotated[bool, typer.Option("--shuffle", help="run the checks in an order that the seed decides")]
Deadline = Annotated[float, typer.Option(min=0.1, help="seconds for one call; long for a debugger")]
StartTimeout = Annotated[float, typer.Option(min=0.1, help="seconds that a `cmd:` target may take until it listens")]
Nemesis = Annotated[
    str, typer.Option(metavar="FAULTS", help=f"instead of the suite, calls under faults: {','.join(FAULTS)}")
]
NemesisTime = Annotated[str, typer.Option(metavar="TIME", help="how long the faults go on, such as 20s or 5m")]
NemesisBehind = Annotated[
    str,
    typer.Option(metavar="HOST:PORT", help="what the `cmd:` targets share, which they are told as {behind}"),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="print a card for every failure")]
Output = Annotated[Form, typer.Option("--output", "-o", help="text, or json for programs")]


def conform(
    target: TargetText,
    profile: ProfileName = "",
    only: Only = None,
    out: Out = None,
    seed: Seed = 0,
    credentials: CredentialsFile = None,
    declare: DeclarationFile = None,
    known_failing: KnownFile = None,
    update_known_failing: UpdateKnown = False,
    otlp_listen: OtlpListen = "",
    name: Name = "",
    jobs: Jobs = None,
    no_rerun: NoRerun = False,
    strict: Strict = False,
    quick: Quick = False,
    shuffle: Shuffle = False,
    deadline: Deadline = DEADLINE_SECONDS,
    start_timeout: StartTimeout = START_SECONDS,
    nemesis: Nemesis = "",
    nemesis_time: NemesisTime = "20s",
    nemesis_behind: NemesisBehind = "",
    verbose: Verbose = False,
    output: Output = Form.TEXT,
) -> None:
    """Judge a server against the behaviour contract; the exit code says what came out."""
    console = Console(stderr=output is Form.JSON, emoji=False)
    try:
        options = _options(profile, only or [], seed, credentials, declare, jobs or 0, quick=quick, deadline=deadline)
        known = _known(known_failing, update=update_known_failing)
        options = replace(
            options,
            otlp_listen=otlp_listen,
            name=name,
            known_failing=known,
            start_seconds=start_timeout,
            strict=strict,
            reruns=0 if no_rerun else RERUNS_MAX,
            shuffle=shuffle,
        )
        if nemesis:
            plan = plan_of(nemesis, nemesis_time, nemesis_behind)
            raise typer.Exit(run_nemesis(target, options, plan, out, as_json=output is Form.JSON))
        report = _with_progress(target, options, out)
        if known_failing is not None and update_known_failing:
            report = _updated(report, known_failing, out, console)
    except _USAGE_ERRORS as error:
        _refuse(error)
    _deliver(report, out, output, verbose=verbose)


def recheck(
    run_directory: Annotated[Path, typer.Argument(metavar="RUN", help="directory of a run, or its evidence file")],
    out: Annotated[Path | None, typer.Option(help="write the verdicts here; without it they are only shown")] = None,
    output: Output = Form.TEXT,
) -> None:
    """Judge the stored evidence of a run again, without its server."""
    try:
        if (run_directory / HISTORY_FILE).is_file() or run_directory.name == HISTORY_FILE:
            raise typer.Exit(recheck_nemesis(run_directory, as_json=output is Form.JSON))
        report = recheck_run(run_directory)
    except (EvidenceUnreadable, OtherCatalogue, HistoryUnreadable) as error:
        _refuse(error)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write_verdicts(out / VERDICTS_FILE, report)
    _deliver(report, out, output)


def _known(path: Path | None, *, update: bool) -> tuple[Known, ...] | None:
    """Read the known-failing file; one that is to be brought up to date first is looked at after the run."""
    if update and path is None:
        raise UsageError("--update-known-failing needs --known-failing FILE to write to")
    return None if path is None or update else read_known_failing(path)


def _updated(report: Report, path: Path, out: Path | None, console: Console) -> Report:
    """Bring the known-failing file up to date with a run, then hold the run against it, in its evidence too."""
    today = datetime.now(UTC).date()
    for cause in update_file(path, report, today):
        about = f"{cause.sentence} ({', '.join(cause.failures)})"
        told = f"{path} needs a reason for [[cause]] {cause.name!r}: {about}"
        console.print(escape(printable(told)), soft_wrap=True, highlight=False)
    entries = read_known_failing(path)
    report = apply_known_failing(report, entries, today)
    if out is not None:
        hold_against(out / EVIDENCE_FILE, as_rows(entries), today.isoformat())
        write_verdicts(out / VERDICTS_FILE, report)
    return report


def _options(
    profile: str,
    only: list[str],
    seed: int,
    credentials: Path | None,
    declare: Path | None,
    jobs: int,
    *,
    quick: bool,
    deadline: float,
) -> Options:
    given = read_credentials(credentials) if credentials else Credentials()
    declaration = read_declaration(declare) if declare else NOTHING_DECLARED
    try:
        named = profile_named(profile or declaration.profile or ("cloud" if credentials else "oss"))
    except ValueError as error:
        raise UsageError(str(error)) from None
    _check_profile(named, declaration)
    return Options(
        profile=named,
        only=tuple(only),
        seed=seed,
        credentials=given,
        declaration=declaration,
        jobs=jobs,
        quick=quick,
        deadline_seconds=deadline,
        # Half of what a call may take: 5 s by default, and long enough for a debugger where calls are.
        event_seconds=deadline / 2,
    )


def _check_profile(profile: str, declaration: Declaration) -> None:
    if declaration.profile and declaration.profile != profile:
        raise UsageError(f"--profile {profile}, but the target declares the profile {declaration.profile}")


def _with_progress(target: str, options: Options, out: Path | None) -> Report:
    with progress_of("conformance") as advance:
        return run(target, options.with_progress(advance), out=out)


def _refuse(error: Exception) -> NoReturn:
    """Say what is wrong with the command line, on standard error, and end."""
    print_error(f"error: {error}")
    raise typer.Exit(EXIT_USAGE) from None


def _deliver(report: Report, out: Path | None, output: Form, *, verbose: bool = False) -> NoReturn:
    """Print what a run came to, and end as it says."""
    if output is Form.JSON:
        typer.echo(as_text(summary(report, out)))
    else:
        print_report(Console(emoji=False), report, out, verbose=verbose)
    raise typer.Exit(report.exit_code)
