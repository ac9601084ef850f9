"""Every requirement of a run: what each server made of it, and the exchange that shows it best."""

from __future__ import annotations

from dataclasses import dataclass

from conformance.evidence import Exchange
from conformance.verdict import CREATE_STEPS, WORST_FIRST, Result, Verdict
from reports.models import Judged, Run
from reports.views.matrix import WHOLE_CREATE, name_of

ASIDE = ("setup", "sweep", "twin")
"""Exchanges that a check makes beside the call that it is about: by how their labels begin."""


@dataclass(frozen=True, slots=True)
class Share:
    """One verdict on a requirement and the servers that have it."""

    verdict: Verdict | None
    servers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """One requirement. `shares` has the worst verdict first; `exchange` is None where no evidence shows it."""

    first: Result
    shares: tuple[Share, ...]
    exchange: Exchange | None
    exchanges: int
    where: str


@dataclass(frozen=True, slots=True)
class Group:
    """The requirements of one row of the matrices."""

    name: str
    rows: tuple[Listed, ...]

    @property
    def counts(self) -> dict[Verdict | None, int]:
        """How many of the requirements have which verdict as their worst, the worst first."""
        worst = [row.shares[0].verdict for row in self.rows]
        return {verdict: worst.count(verdict) for verdict in (*WORST_FIRST, None) if verdict in worst}


def requirement_groups(run: Run) -> tuple[Group, ...]:
    """Return every requirement that the run speaks of: the steps of create first, then create, then the operations."""
    columns = [(one, {result.id: result for result in one.report.results}) for one in run.judged]
    groups: dict[str, list[Listed]] = {}
    for key in dict.fromkeys(key for _, column in columns for key in column):
        rows = [(one, column.get(key)) for one, column in columns]
        listed = _listed(rows)
        groups.setdefault(name_of(listed.first), []).append(listed)
    order = {name: place for place, name in enumerate((*CREATE_STEPS, WHOLE_CREATE))}
    names = sorted(groups, key=lambda name: order.get(name, len(order)))
    return tuple(Group(name, tuple(groups[name])) for name in names)


def _listed(rows: list[tuple[Judged, Result | None]]) -> Listed:
    found: dict[Verdict | None, list[str]] = {}
    for one, result in rows:
        found.setdefault(result.verdict if result else None, []).append(one.name)
    order = (*WORST_FIRST, None)
    shown = sorted(((one, result) for one, result in rows if result), key=lambda row: order.index(row[1].verdict))
    first = shown[0][1]
    with_evidence = next(((one, result) for one, result in shown if one.exchanges and result.evidence), None)
    exchange = telling(*with_evidence) if with_evidence else None
    return Listed(
        first=first,
        shares=tuple(Share(verdict, tuple(found[verdict])) for verdict in order if verdict in found),
        exchange=exchange,
        exchanges=len(with_evidence[1].evidence) if with_evidence else 0,
        where=with_evidence[0].name if with_evidence else "",
    )


def telling(judged: Judged, result: Result) -> Exchange | None:
    """Return the exchange that shows a requirement best: that of a problem, else the call that its check is about."""
    known = judged.exchanges or {}
    for problem in result.problems:
        if problem.exchange is not None and problem.exchange in known:
            return known[problem.exchange]
    there = [known[seq] for seq in result.evidence if seq in known]
    return best_of(there, result.operation)


def best_of(exchanges: list[Exchange], operation: str) -> Exchange | None:
    """Return the exchange that a check is about: a refused call before a granted one, and one of the operation."""
    own = [one for one in exchanges if not one.label.startswith(ASIDE)] or exchanges
    return max(own, key=lambda one: (one.step == operation, not one.ok), default=None)
