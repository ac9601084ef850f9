"""The known-failing file: what a server is known to get wrong, so that only news fails a build.

TOML, one table per entry:

    [[known]]
    id = "SLUG-LENGTH"
    message = "create: metadata.slug is wrong"   # prefix of the first problem
    reason = "slugs are cut at 63 characters until the column is widened"
    issue = "https://..."                          # optional
    expires = 2026-12-31                           # optional

An entry is held to its word: it must fail, and fail in this way. One that passes (stale), fails differently, wasn't
run, is unknown, is written twice, or has expired is itself an error.
"""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints, TypeAdapter

from conformance.catalogue import catalogue
from conformance.toml_file import read_toml
from conformance.verdict import Report, Result, Verdict

Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=False, pattern=r"\S")]


class KnownFailingInvalid(Exception):
    """The file can't be used; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Known:
    """One requirement that is known to fail, and how its first problem begins."""

    id: str
    message: str
    reason: str
    issue: str = ""
    expires: dt.date | None = None


_ENTRIES = TypeAdapter(tuple[Known, ...])


class _Entry(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    id: Text
    message: Text
    reason: Text
    issue: str = ""
    expires: dt.date | None = None


class _File(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    known: list[_Entry] = []


def read_known_failing(path: Path) -> tuple[Known, ...]:
    """Read the file. Raises KnownFailingInvalid."""
    file = read_toml(path, _File, KnownFailingInvalid)
    return tuple(Known(**entry.model_dump()) for entry in file.known)


def as_rows(entries: Iterable[Known]) -> tuple[dict[str, str], ...]:
    """Return entries as the plain values that evidence keeps."""
    return tuple({**asdict(entry), "expires": entry.expires.isoformat() if entry.expires else ""} for entry in entries)


def from_rows(rows: Iterable[Mapping[str, str]]) -> tuple[Known, ...]:
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


def _matches(result: Result, entry: Known, today: dt.date) -> bool:
    expired = entry.expires is not None and entry.expires < today
    failing = result.verdict is Verdict.FAIL and bool(result.problems)
    return failing and not expired and result.problems[0].text.startswith(entry.message)


def _marked(result: Result, entry: Known | None, today: dt.date) -> Result:
    if entry is None or not _matches(result, entry, today):
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
    if result.verdict is Verdict.PASS:
        return f"{head} passes now; take the entry out"
    if not _matches(result, entry, today):
        first = result.problems[0].text if result.problems else result.reason
        return f"{head} fails differently: expected {entry.message!r}, got {first!r}"
    return ""


class UpdateRefused(Exception):
    """The file can't be brought up to date from this run; the message says why."""


def update_known_failing(path: Path, report: Report, today: dt.date) -> int:
    """Bring the file up to date with a whole run; return how many entries were added.

    Entries that are no longer true go, new failures come with a reason to fill in; comments and the order of what
    stays are kept.

    Raises:
        UpdateRefused: the run was filtered or didn't reach its end: it doesn't know about everything.
        KnownFailingInvalid: the file that stands is malformed.
    """
    whole = {row.id for row in catalogue().values() if not row.excluded}
    if set(report.run.selection) != whole or not report.run.complete:
        raise UpdateRefused("only a whole run knows what fails: run again without --only, to the end")
    entries = read_known_failing(path) if path.exists() else ()
    by_id = {result.id: result for result in report.results}
    kept = [entry for entry in entries if entry.id in by_id and _matches(by_id[entry.id], entry, today)]
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    stays = _without(text, {entry.id for entry in entries} - {entry.id for entry in kept})
    new = [row for row in report.results if row.verdict is Verdict.FAIL and row.id not in {entry.id for entry in kept}]
    path.write_text(stays + "".join(_as_toml(row) for row in new), encoding="utf-8")
    return len(new)


def _without(text: str, gone: set[str]) -> str:
    """Take whole entries out; a comment right above an entry belongs to it."""
    head, *blocks = text.split("[[known]]")
    kept: list[str] = []
    for number, block in enumerate(blocks):
        entry = tomllib.loads(block)
        is_last = number == len(blocks) - 1
        body, comment = (block, "") if is_last else _split_comment(block)
        if entry["id"] not in gone:
            kept.append(f"{head}[[known]]{body}")
        elif not kept:
            kept.append(_file_comment(head))
        head = comment
    return "".join(kept) if blocks else head


def _split_comment(block: str) -> tuple[str, str]:
    """Split the comment lines at the end of an entry off: they speak of the next one."""
    lines = block.splitlines(keepends=True)
    at = len(lines)
    while at and (lines[at - 1].startswith("#") or not lines[at - 1].strip()):
        at -= 1
    return "".join(lines[:at]), "".join(lines[at:])


def _file_comment(head: str) -> str:
    """What stands above a blank line at the top speaks of the file, not of its first entry."""
    above, blank, _ = head.rpartition("\n\n")
    return above + blank


def _as_toml(result: Result) -> str:
    message = result.problems[0].text if result.problems else result.reason
    quoted = message.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'\n[[known]]\nid = "{result.id}"\nmessage = "{quoted}"\nreason = "not examined yet"\n'
