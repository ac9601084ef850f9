"""The known-failing file: what a server is known to get wrong, so that only news fails a build.

TOML, one table per entry:

    [[known]]
    id = "SLUG-LENGTH"
    message = "create: metadata.slug is wrong"   # how the kind of failure begins
    reason = "slugs are cut at 63 characters until the column is widened"
    issue = "https://..."                          # optional
    expires = 2026-12-31                           # optional
    sometimes = true                               # optional: a race that doesn't always fail

Entries with one cause share its reason:

    [[cause]]
    name = "by-agent-empty"
    reason = "getByAgent decodes protobuf as JSON; mended in 0.4"

    [[known]]
    id = "BYA-PAGES"
    message = "some.*: wrong status, got INTERNAL"
    cause = "by-agent-empty"

An entry is held to its word: it must fail, and fail in this way. One that passes (stale), fails differently, wasn't
run, is unknown, is written twice, or has expired is itself an error. What counts is the kind of failure: which of many
racing calls shows it is chance.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints, TypeAdapter

from conformance.catalogue import catalogue
from conformance.toml_file import read_toml
from conformance.verdict import Problem, Report, Result, Verdict

Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=False, pattern=r"\S")]


class KnownFailingInvalid(Exception):
    """The file can't be used; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Known:
    """One requirement that is known to fail, and how the kind of its failure begins.

    `sometimes` says that it may pass too. `cause` names what it has in common with others; the reason is the cause's.
    """

    id: str
    message: str
    reason: str
    issue: str = ""
    expires: dt.date | None = None
    sometimes: bool = False
    cause: str = ""


_ENTRIES = TypeAdapter(tuple[Known, ...])


class _Entry(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    id: Text
    message: Text
    reason: str = ""
    issue: str = ""
    expires: dt.date | None = None
    sometimes: bool = False
    cause: str = ""


class _Cause(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    name: Text
    reason: Text
    issue: str = ""
    expires: dt.date | None = None


class _File(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    cause: list[_Cause] = []
    known: list[_Entry] = []


def read_known_failing(path: Path) -> tuple[Known, ...]:
    """Read the file. Raises KnownFailingInvalid."""
    file = read_toml(path, _File, KnownFailingInvalid)
    causes = {cause.name: cause for cause in file.cause}
    if len(causes) != len(file.cause):
        raise KnownFailingInvalid(f"{path}: two causes have one name")
    if unused := causes.keys() - {entry.cause for entry in file.known}:
        raise KnownFailingInvalid(f"{path}: no entry has the cause {min(unused)!r}; take it out")
    return tuple(_known(path, entry, causes) for entry in file.known)


def _known(path: Path, entry: _Entry, causes: Mapping[str, _Cause]) -> Known:
    """Return an entry with what its cause says."""
    if bool(entry.cause) == bool(entry.reason.strip()):
        raise KnownFailingInvalid(f"{path}: {entry.id}: needs a reason, or the name of a cause, and not both")
    if not entry.cause:
        return Known(**entry.model_dump())
    cause = causes.get(entry.cause)
    if cause is None:
        raise KnownFailingInvalid(f"{path}: {entry.id}: there is no [[cause]] with the name {entry.cause!r}")
    both = {"reason": cause.reason, "issue": entry.issue or cause.issue, "expires": entry.expires or cause.expires}
    return Known(**{**entry.model_dump(), **both})


_NUMBERED = re.compile(r"(\.|\bheat )\d+\b")
_STATUS = re.compile(r"[A-Z]+(?:_[A-Z]+)*(?=$|:)")


def kind_of_failure(problem: Problem) -> str:
    """Return what a problem has in common with the same failure in another run.

    Which of many calls (`race.3`) or heats shows it is left out; the status that came is part of it.
    """
    status = _STATUS.match(problem.actual)
    return _NUMBERED.sub(r"\1*", problem.text) + (f", got {status.group()}" if status else "")


def as_rows(entries: Iterable[Known]) -> tuple[dict[str, Any], ...]:
    """Return entries as the plain values that evidence keeps."""
    return tuple({**asdict(entry), "expires": entry.expires.isoformat() if entry.expires else ""} for entry in entries)


def from_rows(rows: Iterable[Mapping[str, Any]]) -> tuple[Known, ...]:
    """Return the entries that evidence kept. Raises ValueError for rows that aren't such."""
    return _ENTRIES.validate_python([{**row, "expires": row.get("expires") or None} for row in rows])


def apply_known_failing(report: Report, entries: Iterable[Known], today: dt.date) -> Report:
    """Mark what fails as known, and report every entry that isn't true (any more)."""
    known: dict[str, Known] = {}
    errors: list[str] = []
    for entry in entries:
        if entry.id in known:
            errors.append(f"known failing {entry.id}: stands twice")
        known[entry.id] = entry
    by_id = {result.id: result for result in report.results}
    errors += [fault for entry in known.values() if (fault := _fault(entry, by_id.get(entry.id), today))]
    results = tuple(_marked(result, known.get(result.id), today) for result in report.results)
    return replace(report, results=results, known_failing_errors=tuple(errors))


def matches(result: Result, entry: Known, today: dt.date) -> bool:
    """Whether a result is the failure that an entry names, and the entry still counts."""
    expired = entry.expires is not None and entry.expires < today
    begins = _NUMBERED.sub(r"\1*", entry.message)
    failing = result.verdict is Verdict.FAIL or (entry.sometimes and result.verdict is Verdict.FLAKY)
    return failing and not expired and any(kind_of_failure(one).startswith(begins) for one in result.problems)


def _marked(result: Result, entry: Known | None, today: dt.date) -> Result:
    if entry is None or not matches(result, entry, today):
        return result
    return replace(result, verdict=Verdict.KNOWN_FAILING, reason=entry.reason)


def _fault(entry: Known, result: Result | None, today: dt.date) -> str:
    head = f"known failing {entry.id}:"
    if entry.id not in catalogue():
        return f"{head} no such requirement"
    if result is None or result.verdict in {Verdict.NOT_RUN, Verdict.NOT_APPLICABLE, Verdict.UNTESTABLE}:
        return f"{head} was not run, so nobody knows whether it still fails"
    if entry.expires is not None and entry.expires < today:
        return f"{head} expired on {entry.expires}"
    difference = "" if matches(result, entry, today) else _difference(entry, result)
    return f"{head} {difference}" if difference else ""


def _difference(entry: Known, result: Result) -> str:
    """Say how a result isn't the failure of an entry; nothing where it may pass and did."""
    if result.verdict is Verdict.PASS:
        return "" if entry.sometimes else "passes now; take the entry out, or say `sometimes = true` if chance decides"
    if result.verdict is Verdict.FLAKY and not entry.sometimes:
        return f"{result.reason}; say `sometimes = true`, or mend it"
    first = kind_of_failure(result.problems[0]) if result.problems else result.reason
    return f"fails differently: expected {entry.message!r}, got {first!r}"
