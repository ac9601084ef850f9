"""Bring a known-failing file up to date with a run: what is no longer true goes, what is new comes, grouped by cause.

What people wrote stays as it is: comments, order, reasons. New failures are grouped by the causes that the diagnosis
found, those that it doesn't explain by the kind of their failure: one reason is asked for each, not for each line.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from conformance.catalogue import catalogue
from conformance.known_failing import Known, kind_of_failure, matches, read_known_failing
from conformance.verdict import FAILED, Report, Result, Verdict

NO_REASON = "not examined yet"


class UpdateRefused(Exception):
    """The file can't be brought up to date from this run; the message says why."""


@dataclass(frozen=True)
class NewCause:
    """What new failures have in common: they are waiting for one reason."""

    name: str
    sentence: str
    failures: tuple[str, ...]


def update_known_failing(path: Path, report: Report, today: dt.date) -> tuple[NewCause, ...]:
    """Bring the file up to date with a whole run; return the causes of what was added, which need a reason.

    Raises:
        UpdateRefused: the run was filtered or didn't reach its end: it doesn't know about everything.
        KnownFailingInvalid: the file that stands is malformed.
    """
    whole = {row.id for row in catalogue().values() if not row.excluded}
    if set(report.run.selection) != whole or not report.run.complete:
        raise UpdateRefused("only a whole run knows what fails: run again without --only, to the end")
    entries = read_known_failing(path) if path.exists() else ()
    by_id = {result.id: result for result in report.results}
    kept = [entry for entry in entries if entry.id in by_id and _is_true(by_id[entry.id], entry, today)]
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    stays = _without(text, {entry.id for entry in kept}, {entry.cause for entry in kept})
    known = {entry.id for entry in kept}
    new = [row for row in report.results if row.verdict in FAILED and row.id not in known]
    causes = tuple(_grouped(new, report, {entry.cause for entry in kept}))
    changed = stays + "".join(_as_toml(cause, by_id) for cause in causes)
    wanted = [*known, *(name for cause in causes for name in cause.failures)]
    if sorted(row["id"] for row in tomllib.loads(changed).get("known", ())) != sorted(wanted):
        raise UpdateRefused(f"{path}: its entries can't be told apart; write each as a [[known]] table")
    path.write_text(changed, encoding="utf-8")
    return causes


def _is_true(result: Result, entry: Known, today: dt.date) -> bool:
    passed = entry.sometimes and result.verdict is Verdict.PASS and (entry.expires is None or entry.expires >= today)
    return passed or matches(result, entry, today)


def _grouped(new: Sequence[Result], report: Report, taken: Iterable[str]) -> Iterator[NewCause]:
    """Group new failures: by the diagnosis, each under the first cause that explains it, then by kind of failure."""
    left = {row.id: row for row in new}
    groups = [(cause.id, cause.sentence, cause.explains) for cause in report.diagnosis.causes]
    rest = [row for row in new if not any(row.id in explained for _, _, explained in groups)]
    kinds = dict.fromkeys(_kind(row) for row in rest)
    groups += [(kind, kind, tuple(row.id for row in rest if _kind(row) == kind)) for kind in kinds]
    names = set(taken)
    for name, sentence, explained in groups:
        if failures := tuple(one for one in explained if left.pop(one, None)):
            yield NewCause(_free(name, names), sentence, failures)


def _free(name: str, names: set[str]) -> str:
    """Return a name that no other cause has, and take it."""
    numbered = (f"{name} {number}" for number in range(2, len(names) + 3))
    free = name if name not in names else next(one for one in numbered if one not in names)
    names.add(free)
    return free


def _kind(result: Result) -> str:
    """The kind of a failure without the name of the call that shows it: `wrong status, got UNKNOWN`."""
    kind = kind_of_failure(result.problems[0]) if result.problems else result.reason
    return re.sub(r"^[\w.*-]+: ", "", kind)


_HEADER = re.compile(r"\s*\[\[\s*(['\"]?)(\w+)\1\s*\]\]")


def _without(text: str, ids: Iterable[str], causes: Iterable[str]) -> str:
    """Take out whole tables that aren't of these entries or causes; a comment right above a table belongs to it."""
    kept = {"known": ("id", set(ids)), "cause": ("name", set(causes))}
    head, *tables = _tables(text)
    result, above = head, ""
    if tables:
        result, above = _split_comment(head, whole_file=True)
    for number, table in enumerate(tables):
        body, below = (table, "") if number == len(tables) - 1 else _split_comment(table)
        ((sort, (row,)),) = tomllib.loads(body).items()
        field, names = kept[sort]
        if row[field] in names:
            result += above + body
        above = below
    return result


def _tables(text: str) -> list[str]:
    """Cut a TOML file at the headers of its tables: a line that looks like one inside a text is none."""
    lines = text.splitlines(keepends=True)
    cuts = [at for at, line in enumerate(lines) if _HEADER.match(line) and _is_whole("".join(lines[:at]))]
    places = [0, *cuts, len(lines)]
    return ["".join(lines[first:last]) for first, last in pairwise(places)]


def _is_whole(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _split_comment(text: str, *, whole_file: bool = False) -> tuple[str, str]:
    """Split the comment lines at the end of a table off: they speak of the next one.

    At the top of the file only those speak of it that no blank line parts from it.
    """
    lines = text.splitlines(keepends=True)
    at = len(lines)
    while at and (lines[at - 1].startswith("#") or (not whole_file and not lines[at - 1].strip())):
        at -= 1
    return "".join(lines[:at]), "".join(lines[at:])


def _as_toml(cause: NewCause, results: Mapping[str, Result]) -> str:
    about = "".join(f"# {line}\n" for line in cause.sentence.splitlines())
    head = f"\n{about}[[cause]]\nname = {_quoted(cause.name)}\nreason = {_quoted(NO_REASON)}\n"
    return head + "".join(_entry(results[name], cause) for name in cause.failures)


def _entry(result: Result, cause: NewCause) -> str:
    message = kind_of_failure(result.problems[0]) if result.problems else result.reason
    sometimes = "sometimes = true\n" if result.verdict is Verdict.FLAKY else ""
    known = f"id = {_quoted(result.id)}\nmessage = {_quoted(message)}\ncause = {_quoted(cause.name)}\n"
    return f"\n[[known]]\n{known}{sometimes}"


def _quoted(text: str) -> str:
    """Return a TOML string: as JSON's, but that TOML reads no surrogate pairs, so only what must be is escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
