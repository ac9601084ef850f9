"""One matrix of many implementations, made of their report objects: what a project's site shows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from conformance.verdict import HELD, Verdict
from reports.html.shell import render
from reports.report_object import JudgedProfile, Part, ReportObject

ADDRESS = re.compile(r"https?://[^\s\"'<>]+")
"""An address that a page may link to; anything else that an object calls its `url` is shown as text."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A report object and where its whole report is; empty where that isn't known."""

    made: ReportObject
    report: str = ""

    @property
    def name(self) -> str:
        """Name and version in one line."""
        return " ".join(filter(None, (self.made.implementation.name, self.made.implementation.version)))

    @property
    def link(self) -> str:
        """Where a reader is sent: the report, else the implementation's own address if a page may link to it."""
        url = self.made.implementation.url
        return self.report or (url if ADDRESS.fullmatch(url) else "")


@dataclass(frozen=True, slots=True)
class _Column:
    entry: Entry
    result: JudgedProfile
    parts: dict[str, Part]
    id: str


def render_index(entries: Sequence[Entry]) -> str:
    """Return the page: implementations with their profiles as columns, steps and operations as rows."""
    columns = [
        _Column(entry, result, {part.name: part for part in result.parts}, f"column-{number}-{place}")
        for number, entry in enumerate(entries)
        for place, result in enumerate(entry.made.results)
    ]
    names = list(dict.fromkeys(name for column in columns for name in column.parts))
    same = [name for name in names if all(_holds(column.parts.get(name)) for column in columns)]
    return render(
        "index.html.j2",
        entries=entries,
        columns=columns,
        rows=[name for name in names if name not in same],
        same=same,
        contracts=sorted({entry.made.contract for entry in entries}),
        catalogues=len({entry.made.catalogue for entry in entries}),
    )


def _holds(part: Part | None) -> bool:
    return part is not None and (part.verdict in HELD or part.verdict is Verdict.NOT_APPLICABLE)
