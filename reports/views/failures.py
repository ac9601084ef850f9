"""What went wrong, one entry per requirement: the same fault on eight servers is one thing to read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from conformance.evidence import Exchange
from conformance.verdict import WORST_FIRST, Level, Result, Verdict
from reports.models import Judged, Run

SHOWN = frozenset({Verdict.FAIL, Verdict.FLAKY, Verdict.HARNESS_ERROR, Verdict.KNOWN_FAILING})
"""Verdicts that have a card. What could not be judged stands among the things that were not measured."""

EXCHANGES_SHOWN = 6
"""Exchanges of one occurrence in a report; the evidence file has all."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A requirement that isn't met by one server: the result, and the exchanges that show it.

    `hidden` counts exchanges of the check that are not shown.
    """

    judged: Judged
    result: Result
    exchanges: tuple[Exchange, ...]
    hidden: int
    beside: tuple[Exchange, ...] = ()
    """Where it is flaky: the same calls in a round that passed."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A requirement that at least one server doesn't meet, with the worst of its verdicts.

    `blocked_by` names failures that kept it from being asked, everywhere where it failed; `blocks` those that it kept.
    """

    id: str
    level: Level
    operation: str
    step: str
    sentence: str
    source: str
    verdict: Verdict
    occurrences: tuple[Occurrence, ...]
    blocked_by: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()


def failures(run: Run) -> tuple[Failure, ...]:
    """Return all failures: faults of the suite and broken MUSTs first, then in catalogue order.

    What is blocked by another stands right behind that.
    """
    return _with(run, SHOWN)


def blocks(run: Run) -> dict[str, tuple[str, ...]]:
    """Return by requirement what its failure keeps from being asked, on any server."""
    found: dict[str, dict[str, None]] = {}
    for judged in run.judged:
        for result in judged.report.results:
            for name in result.blocked_by:
                found.setdefault(name, {})[result.id] = None
    return {name: tuple(ids) for name, ids in found.items()}


def deviations(run: Run) -> tuple[Failure, ...]:
    """Return where servers made another choice than the contract, which marks its own as one."""
    return _with(run, frozenset({Verdict.DEVIATION}))


def contract_defects(run: Run) -> dict[str, tuple[str, ...]]:
    """Return what is wrong with the contract itself, and the ids of the judged requirements that ask for it."""
    found: dict[str, dict[str, None]] = {}
    for judged in run.judged:
        for text, ids in judged.report.contract_defects.items():
            found.setdefault(text, {}).update(dict.fromkeys(ids))
    return {text: tuple(ids) for text, ids in found.items()}


def _with(run: Run, verdicts: frozenset[Verdict]) -> tuple[Failure, ...]:
    found: dict[str, list[Occurrence]] = {}
    for judged in run.judged:
        for result in judged.report.results:
            if result.verdict in verdicts:
                found.setdefault(result.id, []).append(_occurrence(judged, result))
    return _under(sorted((_failure(rows) for rows in found.values()), key=_weight))


def _under(rows: list[Failure]) -> tuple[Failure, ...]:
    """Put what is blocked behind the first failure that blocks it, and say there what it blocks."""
    shown = {row.id for row in rows}
    rows = [replace(row, blocked_by=tuple(name for name in row.blocked_by if name in shown)) for row in rows]
    under: dict[str, list[Failure]] = {}
    for row in rows:
        under.setdefault(next(iter(row.blocked_by), ""), []).append(row)

    def placed(name: str) -> Iterator[Failure]:
        for row in under.get(name, ()):
            yield replace(row, blocks=tuple(one.id for one in under.get(row.id, ())))
            yield from placed(row.id)

    return tuple(placed(""))


def _weight(failure: Failure) -> tuple[int, bool]:
    return WORST_FIRST.index(failure.verdict), failure.level is Level.SHOULD


def _failure(occurrences: list[Occurrence]) -> Failure:
    first = occurrences[0].result
    verdicts = {one.result.verdict for one in occurrences}
    return Failure(
        id=first.id,
        level=first.level,
        operation=first.operation,
        step=first.step,
        sentence=first.sentence,
        source=first.source,
        verdict=next(verdict for verdict in WORST_FIRST if verdict in verdicts),
        occurrences=tuple(occurrences),
        blocked_by=_blockers(occurrences),
    )


def _blockers(occurrences: list[Occurrence]) -> tuple[str, ...]:
    everywhere = set(occurrences[0].result.blocked_by).intersection(*(one.result.blocked_by for one in occurrences))
    return tuple(name for name in occurrences[0].result.blocked_by if name in everywhere)


def _occurrence(judged: Judged, result: Result) -> Occurrence:
    known = judged.exchanges or {}
    pointed = [problem.exchange for problem in result.problems if problem.exchange is not None]
    wanted = [seq for seq in dict.fromkeys([*pointed, *result.evidence]) if seq in known]
    shown = sorted(wanted[:EXCHANGES_SHOWN])
    beside = tuple(known[seq] for seq in result.beside[:EXCHANGES_SHOWN] if seq in known)
    return Occurrence(judged, result, tuple(known[seq] for seq in shown), len(wanted) - len(shown), beside)
