"""The database of results: every run, so that one can see where a number was a month ago. SQLite, through sqlite-utils.

Tables: `runs` (what was run, where, when), `summaries` (a row for each metric, subject and payload class of a run),
`verdicts` (claims and goals as they were judged), `blanks` (numbers that are missing, and why). `run` refers to
`runs.id`, which is made of the run's own bytes, so that a run that is entered twice is one. Times are UTC, RFC 3339.
Any SQLite tool opens it; `datasette parity.db -m benchmarks/datasette.json` has queries and charts.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from sqlite_utils import Database

from benchmarks.results import Raw, Results, ResultsError, Subject

DATABASE = "parity.db"
_FORMAT = 1


_SUBJECT = dict.fromkeys(("subject", "engine", "codec", "durability", "profile", "language"), str)
_INTERVAL = dict.fromkeys(("low", "high"), float)
TABLES: dict[str, tuple[dict[str, type], tuple[str, ...]]] = {
    "runs": (
        {
            **dict.fromkeys(("id", "captured_at", "bench", "command", "speed"), str),
            "seed": int,
            "seconds": float,
            "cpu": str,
            "cpu_count": int,
            **dict.fromkeys(("system", "python", "filesystem", "versions"), str),
            "fsync_us": float,
            "load_average": float,
        },
        ("id",),
    ),
    "summaries": (
        {
            "run": str,
            "metric": str,
            **_SUBJECT,
            "payload": str,
            "workload": str,
            "unit": str,
            "builds": int,
            "count": int,
            "median": float,
            **_INTERVAL,
            **dict.fromkeys(("p90", "p99", "p99_9", "p99_99", "largest"), float),
        },
        ("run", "metric", "subject", "payload"),
    ),
    "verdicts": (
        {
            **dict.fromkeys(("run", "judgement", "claim", "title", "baseline", "candidate", "durability"), str),
            "payload": str,
            "headline": int,
            "at_least": float,
            "at_most": float,
            "ratio": float,
            **_INTERVAL,
            "verdict": str,
            "reason": str,
        },
        ("run", "judgement"),
    ),
    "blanks": (
        dict.fromkeys(("run", "workload", "subject", "payload", "reason"), str),
        ("run", "workload", "subject", "payload", "reason"),
    ),
}
"""Each table's columns, and its primary key."""


def enter(results: Results, path: Path) -> str:
    """Enter a run, once however often it is entered; return its id. Raises ResultsError."""
    run = hashlib.sha256(TypeAdapter(Raw).dump_json(results.raw)).hexdigest()[:16]
    rows = {
        "runs": [_run(results, run)],
        "summaries": list(_summaries(results, run)),
        "verdicts": list(_verdicts(results, run)),
        "blanks": list(_blanks(results, run)),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResultsError(f"{path}: {error.strerror}; choose another --db") from error
    with _opened(path) as connection:
        database = Database(connection)
        for name, (columns, key) in TABLES.items():
            table = database.table(name)
            links = [("run", "runs", "id")] if "run" in columns else []
            table.create(columns, pk=key, not_null=key, foreign_keys=links, if_not_exists=True)
            table.upsert_all(rows[name], pk=key)
    return run


@dataclass(frozen=True, slots=True)
class Entry:
    """One run's value of a claim or metric. `low` and `high` are its interval; `says` is a verdict, or empty."""

    run: str
    captured_at: str
    what: str
    value: float
    low: float
    high: float
    unit: str
    says: str = ""


def claim_history(path: Path, claim: str) -> list[Entry]:
    """Return every judgement of a claim that has a ratio, oldest first. Raises ResultsError."""
    query = """select run, captured_at, judgement, ratio, low, high, 'times', verdict from verdicts
        join runs on runs.id = run where claim = ? and ratio is not null order by captured_at, judgement"""
    return [Entry(*row) for row in _rows(path, query, [claim])]


def metric_history(path: Path, metric: str) -> list[Entry]:
    """Return every summary of a metric, oldest first. Raises ResultsError."""
    query = """select run, captured_at, subject || ', ' || payload, median, low, high, unit from summaries
        join runs on runs.id = run where metric = ? order by captured_at, subject, payload"""
    return [Entry(*row) for row in _rows(path, query, [metric])]


def known(path: Path) -> tuple[list[str], list[str]]:
    """Return the claims and the metrics that have a history. Raises ResultsError."""
    claims = _rows(path, "select distinct claim from verdicts where ratio is not null order by claim", [])
    metrics = _rows(path, "select distinct metric from summaries order by metric", [])
    return [row[0] for row in claims], [row[0] for row in metrics]


def _rows(path: Path, query: str, arguments: list[str]) -> list[tuple[Any, ...]]:
    if not path.is_file():
        raise ResultsError(f"{path}: there is no such database; every `parity bench` enters its run in one")
    with _opened(path) as connection:
        return connection.execute(query, arguments).fetchall()


class _opened:  # noqa: N801 - used as a context manager, like a function
    """A connection; errors of the database become ResultsError. What a block does is committed whole or not at all."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> sqlite3.Connection:
        try:
            self._connection = sqlite3.connect(self._path, timeout=30)
            (version,) = self._connection.execute("pragma user_version").fetchone()
            if version not in {0, _FORMAT}:
                raise ResultsError(f"{self._path}: format {version}, this version reads {_FORMAT}; use another --db")
            self._connection.execute(f"pragma user_version = {_FORMAT}")
        except sqlite3.Error as error:
            raise self._told(error) from error
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        assert self._connection is not None  # noqa: S101 - entered
        if kind is None:
            self._connection.commit()
        self._connection.close()
        if isinstance(error, sqlite3.Error):
            raise self._told(error) from error

    def _told(self, error: sqlite3.Error) -> ResultsError:
        return ResultsError(f"{self._path}: not a database of results: {error}; use another --db")


def _run(results: Results, run: str) -> dict[str, Any]:
    raw, environment = results.raw, results.raw.environment
    return {
        "id": run,
        "captured_at": environment.captured_at,
        "bench": raw.configuration.bench,
        "command": raw.configuration.command,
        "speed": raw.configuration.speed,
        "seed": raw.configuration.seed,
        "seconds": raw.seconds,
        "cpu": environment.cpu,
        "cpu_count": environment.cpu_count,
        "system": environment.system,
        "python": environment.python,
        "filesystem": environment.filesystem,
        "fsync_us": environment.fsync.median_us,
        "load_average": environment.load_average,
        "versions": environment.versions,
    }


def _subject(subject: Subject) -> dict[str, Any]:
    return {
        "subject": subject.label,
        "engine": subject.engine,
        "codec": subject.codec,
        "durability": subject.durability,
        "profile": subject.profile,
        "language": subject.language,
    }


def _summaries(results: Results, run: str) -> Iterator[dict[str, Any]]:
    for one in results.judgement.summaries:
        yield {
            "run": run,
            "metric": one.metric,
            **_subject(one.subject),
            "payload": one.payload,
            "workload": one.workload,
            "unit": one.unit,
            "builds": one.builds,
            "count": one.count,
            "median": one.median,
            "low": one.interval.low,
            "high": one.interval.high,
            "p90": one.p90,
            "p99": one.p99,
            "p99_9": one.p99_9,
            "p99_99": one.p99_99,
            "largest": one.largest,
        }


def _verdicts(results: Results, run: str) -> Iterator[dict[str, Any]]:
    for one in results.judgement.verdicts:
        interval = one.ratio.interval if one.ratio else None
        yield {
            "run": run,
            "judgement": one.id,
            "claim": one.claim,
            "title": one.title,
            "headline": one.headline,
            "baseline": one.baseline.label,
            "candidate": one.candidate.label,
            "durability": one.durability,
            "payload": one.payload,
            "at_least": one.at_least,
            "at_most": one.at_most,
            "ratio": one.ratio.value if one.ratio else None,
            "low": interval.low if interval else None,
            "high": interval.high if interval else None,
            "verdict": str(one.verdict),
            "reason": one.reason,
        }


def _blanks(results: Results, run: str) -> Iterator[dict[str, Any]]:
    for one in results.raw.blanks:
        yield {
            "run": run, "workload": one.workload, "subject": one.subject.label, "payload": one.payload,
            "reason": one.reason,
        }  # fmt: skip
