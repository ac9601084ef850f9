"""What to mend first: the probable causes behind the failures of a run, and what none explains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from conformance.cause import MEND_FIRST, Cause
from conformance.verdict import Report
from reports.models import Judged, Run
from reports.numbers import counted


@dataclass(frozen=True, slots=True)
class Mend:
    """One cause, as the first server with it shows it, and the servers that have it.

    `shown` says what was expected and what came where it shows best.
    """

    cause: Cause
    shown: str
    servers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mending:
    """The causes to mend first, how many more there are, and the failures that none explains, over all servers."""

    rows: tuple[Mend, ...]
    more: int
    unexplained: Mapping[str, tuple[str, ...]]
    """By the step or operation that they are about."""
    headline: str

    @property
    def exists(self) -> bool:
        """Whether there is anything to mend."""
        return bool(self.rows or self.unexplained)


def mending(run: Run) -> Mending:
    """Return what to mend first: the causes of all servers that aren't conformant, those of most failures first."""
    red = [one for one in run.judged if one.report.exit_code and one.report.diagnosis.failures]
    found: dict[str, list[tuple[Judged, Cause]]] = {}
    for one in red:
        for cause in one.report.diagnosis.causes:
            found.setdefault(cause.id, []).append((one, cause))
    ordered = sorted(found.values(), key=lambda rows: -max(len(cause.explains) for _, cause in rows))
    unexplained: dict[str, tuple[str, ...]] = {}
    for one in red:
        for place, names in one.report.unexplained_by_place.items():
            unexplained[place] = tuple(dict.fromkeys((*unexplained.get(place, ()), *names)))
    everywhere = f"{counted(len(ordered), 'probable cause')} over {len(red)} servers"
    return Mending(
        rows=tuple(_mend(rows) for rows in ordered[:MEND_FIRST]),
        more=max(len(ordered) - MEND_FIRST, 0),
        unexplained=unexplained,
        headline=red[0].report.diagnosis.headline if len(red) == 1 else everywhere,
    )


def _mend(rows: list[tuple[Judged, Cause]]) -> Mend:
    judged, cause = max(rows, key=lambda row: len(row[1].explains))
    return Mend(cause, _shown(judged.report, cause), tuple(one.name for one, _ in rows))


def _shown(report: Report, cause: Cause) -> str:
    result = report.of(cause.telling)
    problem = next((one for one in result.problems if one.exchange == cause.exchange), None)
    if problem is None:
        return result.reason or result.sentence
    asked = f"expected {problem.expected}" if problem.expected else ""
    came = f"got {problem.actual}" if problem.actual else ""
    return ": ".join(part for part in (problem.text, ", ".join(filter(None, (asked, came)))) if part)
