"""The folder of a verification: where it is, and what `run.json` says about machine and versions.

It holds `run.json`, `conformance/<store>-<profile>/` (evidence.jsonl, verdicts.json, server.log), `benchmarks/`
(results.json, claims.json), `corpus.json` where a corpus was given, and the report made of them all.
"""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import orjson

from parity.plan import LeftOut
from parity.problems import Problem

FORMAT = 1
RECORD_FILE = "run.json"
CORPUS_FILE = "corpus.json"
CONFORMANCE_FOLDER = "conformance"
BENCHMARKS_FOLDER = "benchmarks"
LATEST = "latest"

PACKAGES = (
    "agent-parity",
    "grpcio",
    "protobuf",
    "protovalidate",
    "plyvel",
    "plyvel-next",
    "orjson",
    "sqlite-utils",
    "hypothesis",
)
"""Whose versions matter to the results."""


def _system() -> str:
    return f"{platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} cores"


def _versions() -> dict[str, str]:
    return {name: found for name in PACKAGES if (found := _version(name))}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


@dataclass(frozen=True, slots=True)
class ProofRecord:
    """One run of the conformance suite: its subject, its folder below the run's, the command that repeats it."""

    store: str
    profile: str
    directory: str
    command: str
    exit_code: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Record:
    """Contents of `run.json`. Times are RFC 3339 in UTC."""

    command: str
    speed: str
    started_at: str
    finished_at: str
    seconds: float
    exit_code: int
    conformance: tuple[ProofRecord, ...]
    left_out: tuple[LeftOut, ...]
    benchmarks_command: str
    benchmarks_exit_code: int | None
    corpus: str
    system: str = field(default_factory=_system)
    python: str = sys.version.split()[0]
    versions: dict[str, str] = field(default_factory=_versions)
    format: int = FORMAT


def write_record(record: Record, directory: Path) -> None:
    """Write `run.json`."""
    text = orjson.dumps(asdict(record), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    (directory / RECORD_FILE).write_bytes(text)


def make_directory(out: Path | None) -> Path:
    """Make the run's folder: `out` itself, or a new one below `out/`, named by the time. Raises Problem.

    A folder that isn't empty is refused: results of two runs must not mix.
    """
    directory = out or Path("out") / f"verify-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
    if directory.exists() and not directory.is_dir():
        raise Problem(f"--out {directory}: is a file", hint="Name a folder; it is made if it isn't there.")
    if directory.is_dir() and any(directory.iterdir()):
        raise Problem(f"--out {directory}: is not empty", hint="Name a new folder, or remove what is in this one.")
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Problem(f"{directory}: can't be made: {error.strerror}", hint="Name another with --out.") from error
    return directory


def point_latest_at(directory: Path) -> None:
    """Make `latest` beside a run's folder lead to it, where the file system has symbolic links."""
    link = directory.absolute().parent / LATEST
    if link.is_symlink():
        link.unlink()
    if not link.exists():
        try:
            link.symlink_to(directory.name, target_is_directory=True)
        except OSError:  # a convenience; the path of the report is printed anyway
            return


def now() -> str:
    """The time, for the record: RFC 3339 in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
