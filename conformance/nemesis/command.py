"""`--nemesis` of `parity conform`: a run under faults in the place of the suite."""

from __future__ import annotations

import re
from pathlib import Path

import typer
from rich.console import Console

from conformance.nemesis.faults import NemesisInvalid, faults_named
from conformance.nemesis.judge import NemesisReport
from conformance.nemesis.printing import print_nemesis
from conformance.nemesis.run import Plan, judge_again, run_nemesis
from conformance.runner import Options
from conformance.summary_json import as_text
from terminal.progress import progress_of

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
SECONDS_MIN = 1.0


def seconds_of(text: str) -> float:
    """Understand `20s`, `5m` or a plain number of seconds. Raises NemesisInvalid."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|m|min|h|)\s*", text)
    if found is None or (seconds := float(found[1]) * _UNITS[found[2]]) < SECONDS_MIN:
        raise NemesisInvalid(f"--nemesis-time {text!r}: write a time of a second or more, such as 20s or 5m")
    return seconds


def plan_of(faults: str, time: str, behind: str) -> Plan:
    """Understand what is asked for. Raises NemesisInvalid."""
    return Plan(faults_named(faults), seconds_of(time), behind=behind)


def nemesis(target: str, options: Options, plan: Plan, out: Path | None, *, as_json: bool = False) -> int:
    """Do a run and print what it came to; return the exit code.

    Raises:
        NemesisInvalid: it can't be asked of this target, or not with these options.
        TargetInvalid, TargetUnreachable, SetupRefused, TargetLost: as `run_nemesis`.
    """
    if options.only or options.known_failing is not None or options.otlp_listen:
        raise NemesisInvalid(
            "--nemesis runs in the place of the suite: leave out --only, --known-failing, --otlp-listen"
        )
    with progress_of("seconds of faults") as advance:
        report = run_nemesis(target, options.with_progress(advance), plan, out=out)
    return _told(report, out, as_json=as_json)


def recheck_nemesis(folder: Path, *, as_json: bool = False) -> int:
    """Judge a kept history again and print what it came to; return the exit code. Raises HistoryUnreadable."""
    report = judge_again(folder)
    return _told(report, None, as_json=as_json)


def _told(report: NemesisReport, out: Path | None, *, as_json: bool) -> int:
    if as_json:
        typer.echo(as_text(report.as_json()))
    else:
        print_nemesis(Console(emoji=False), report, out)
    return report.exit_code
