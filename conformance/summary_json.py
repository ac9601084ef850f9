"""A run's summary and diagnosis for programs; docs/guides/output.md names the fields. None is ever taken away."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import orjson

from conformance.cause import Cause
from conformance.evidence import Json
from conformance.verdict import RED, Report, Result, Verdict


def as_text(document: Json) -> str:
    """Return a document as indented JSON."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()


def summary(report: Report, out: Path | None) -> dict[str, Json]:
    """Return what a run came to; `out` is the folder that has its evidence and every verdict."""
    counted = report.summary
    return {
        "target": report.run.target,
        "profile": report.run.profile,
        "complete": report.run.complete,
        "reason": report.run.reason,
        "conformant": report.exit_code == 0,
        "exit_code": report.exit_code,
        "conclusion": report.conclusion,
        "requirements": counted.total,
        "measured": counted.measured,
        "counts": {str(verdict): count for verdict, count in counted.counts.items()},
        "steps": [
            {"step": row.step, "verdict": str(row.verdict), "passed": row.passed, "total": row.total}
            for row in report.steps
            if row.step in {result.step for result in report.results}
        ],
        "red": [_result(row) for row in report.results if row.verdict in RED],
        "deviations": [_result(row) for row in report.results if row.verdict is Verdict.DEVIATION],
        "diagnosis": diagnosis(report),
        "known_failing_errors": list(report.known_failing_errors),
        "left_behind": list(report.leaks),
        "lost_calls": report.lost_calls,
        "drift": list(report.drift),
        "folder": "" if out is None else str(out),
    }


def diagnosis(report: Report) -> dict[str, Json]:
    """Return what is behind a run's failures."""
    found = report.diagnosis
    return {
        "failures": found.failures,
        "causes": [_cause(cause) for cause in found.causes],
        "unexplained": list(found.unexplained),
    }


def _cause(cause: Cause) -> dict[str, Json]:
    return {**asdict(cause), "sure": cause.sure}


def _result(row: Result) -> dict[str, Json]:
    fields = ("id", "operation", "step", "sentence", "source", "reason", "reproduce")
    return {
        **{name: getattr(row, name) for name in fields},
        "level": str(row.level),
        "verdict": str(row.verdict),
        "problems": [asdict(problem) for problem in row.problems],
        "blocked_by": list(row.blocked_by),
    }
