"""`verdicts.json`: a whole report as a file, the same report as the same bytes."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import orjson
from pydantic import TypeAdapter, ValidationError

from conformance.verdict import VERDICTS_FILE, Report
from terminal.system_errors import reason_of

FORMAT = 1
"""Version of the file; a reader refuses others."""


class VerdictsUnreadable(Exception):
    """A verdicts file is missing, is damaged, or was written in another format."""


def verdicts_bytes(report: Report) -> bytes:
    """Serialize a report: the same report gives the same bytes."""
    document = {
        "format": FORMAT,
        "run": asdict(report.run),
        "results": [asdict(result) for result in report.results],
        "known_failing_errors": report.known_failing_errors,
        "leaks": report.leaks,
        "lost_calls": report.lost_calls,
        "diagnosis": asdict(report.diagnosis),
        "drift": report.drift,
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def write_verdicts(path: Path, report: Report) -> None:
    """Write `verdicts.json` whole: a reader never sees half of it."""
    partial = path.with_suffix(".partial")
    partial.write_bytes(verdicts_bytes(report))
    partial.replace(path)


def read_verdicts(path: Path) -> Report:
    """Read a report from `verdicts.json` or from the run directory that holds it. Raises VerdictsUnreadable."""
    file = path / VERDICTS_FILE if path.is_dir() else path
    try:
        document = orjson.loads(file.read_bytes())
    except FileNotFoundError:
        raise VerdictsUnreadable(f"{file}: no such file; a run writes it at its end") from None
    except (OSError, orjson.JSONDecodeError) as error:
        raise VerdictsUnreadable(f"{file}: {reason_of(error)}") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise VerdictsUnreadable(f"{file}: not a verdicts file of format {FORMAT}; run the suite again")
    try:
        return _REPORT.validate_python({name: value for name, value in document.items() if name in _REPORT_FIELDS})
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"]))
        raise VerdictsUnreadable(
            f"{file}: damaged ({place}: {error.errors()[0]['msg']}); run the suite again"
        ) from error


_REPORT = TypeAdapter(Report)
_REPORT_FIELDS = frozenset({"run", "results", "known_failing_errors", "leaks", "lost_calls", "diagnosis", "drift"})
