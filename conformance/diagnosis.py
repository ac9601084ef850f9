"""From failures to probable causes: the smallest set of them that explains what a run found.

A cause is a fault of the dictionary (`conformance.dictionary`), a shape in the evidence (`conformance.shapes`), or a
requirement that others need. What could not be asked because of another failure is *blocked by* that: whoever explains
the one explains the other. What could not be tested at all speaks neither for a cause nor against it; it goes with the
failures that ended as its precondition did. Pure: the same evidence gives the same causes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from conformance.catalogue import catalogue
from conformance.cause import Cause, Diagnosis, Drift
from conformance.cover import Candidate, smallest_cover
from conformance.dictionary import Fault, dictionary
from conformance.evidence import Exchange
from conformance.points import Departure, departures
from conformance.shapes import races, schema_cause, shapes
from conformance.verdict import Result, Verdict

SCHEMA_PRICE, FAULT_PRICE, SHAPE_PRICE, NEED_PRICE = 0.5, 1.0, 1.5, 2.0
"""What naming a cause costs. Another schema was seen, so it is believed first; then a known fault, a shape, a need."""
PASSED_PRICE = 2.0
"""What each requirement costs that a cause would have broken and that passed."""
BROKEN_SHARE_MIN = 0.5
"""A fault of which more than this passed is not what is wrong here."""


@dataclass(frozen=True)
class Explained:
    """The diagnosis of a run, and for each failure that could not be asked, the failures that it is blocked by."""

    diagnosis: Diagnosis
    blocked_by: Mapping[str, tuple[str, ...]]


def diagnose(
    results: Sequence[Result],
    exchanges: Mapping[int, Exchange],
    profile: str,
    faults: Iterable[Fault] | None = None,
    drift: Sequence[Drift] = (),
) -> Explained:
    """Explain what isn't met.

    Args:
        results: the verdicts of a run.
        exchanges: those of its checks, by number.
        profile: the run's profile; faults of the oss profile aren't looked for in the other.
        faults: the fault dictionary; None for the one that goes with the suite.
        drift: what of the contract's messages the target speaks otherwise.
    """
    departed = departures(results, exchanges)
    if not departed:
        return Explained(Diagnosis(), {})
    blockers = _blockers(departed)
    passed = frozenset(row.id for row in results if row.verdict is Verdict.PASS)
    known = dictionary() if faults is None else tuple(faults)
    rows = [
        *_known_faults(departed, passed, [fault for fault in known if fault.profile in {"cloud", profile}]),
        *((cause, SHAPE_PRICE) for cause in (*shapes(departed, exchanges.values()), *races(departed, passed))),
        *((schema_cause(row, departed), SCHEMA_PRICE) for row in drift),
        *_needed(blockers),
    ]
    causes = {cause.id: (_widened(cause, blockers), price) for cause, price in rows}
    diagnosis = _chosen(causes, departed, blockers)
    order = {one.id: place for place, one in enumerate(departed)}
    return Explained(diagnosis, {name: tuple(sorted(by, key=order.__getitem__)) for name, by in blockers.items()})


def _blockers(departed: Sequence[Departure]) -> dict[str, frozenset[str]]:
    """Return by failure what it is blocked by: failures that it needs, and that ended at the same points as it."""
    by_id = {one.id: one for one in departed}
    found: dict[str, frozenset[str]] = {}
    for one in departed:
        needed = [by_id[name] for name in _needs(one.id) if name in by_id]
        shared = [row for row in needed if row.points & one.points]
        covered = frozenset(point for row in shared for point in row.points)
        if shared and one.may_be_blocked and one.points <= covered:
            found[one.id] = frozenset(row.id for row in shared)
    return found


def _needs(name: str) -> frozenset[str]:
    """Return all that a requirement needs, directly or not."""
    found: set[str] = set()
    left = list(catalogue()[name].needs)
    while left:
        one = left.pop()
        if one not in found:
            found.add(one)
            left += catalogue()[one].needs
    return frozenset(found)


def _known_faults(
    departed: Sequence[Departure], passed: frozenset[str], faults: Sequence[Fault]
) -> Iterator[tuple[Cause, float]]:
    """Yield the faults of which enough is broken; of those that look the same here, the most specific, once."""
    ids = [one.id for one in departed if one.failed]
    alike: dict[tuple[tuple[str, ...], tuple[str, ...]], list[Fault]] = {}
    for fault in sorted(faults, key=lambda row: len(row.fails)):
        broken = tuple(name for name in ids if name in fault.fails)
        spared = tuple(name for name in fault.fails if name in passed)
        if broken and len(broken) >= BROKEN_SHARE_MIN * (len(broken) + len(spared)):
            alike.setdefault((broken, spared), []).append(fault)
    for (broken, spared), (first, *others) in alike.items():
        also = tuple(dict.fromkeys(row.sentence for row in others if row.sentence != first.sentence))
        cause = Cause(first.id, first.sentence, first.where, broken, passed=spared, also=also)
        yield cause, FAULT_PRICE + PASSED_PRICE * len(spared)


def _needed(blockers: Mapping[str, frozenset[str]]) -> Iterator[tuple[Cause, float]]:
    """Yield the failures that block others and aren't blocked themselves."""
    for name in dict.fromkeys(one for needed in blockers.values() for one in needed if one not in blockers):
        row = catalogue()[name]
        yield Cause(f"requirement:{name}", f"not met: {row.sentence}", row.step or row.operation, (name,)), NEED_PRICE


def _widened(cause: Cause, blockers: Mapping[str, frozenset[str]]) -> Cause:
    """Add what is blocked by what a cause explains."""
    explained = set(cause.explains)
    while more := {name for name, needed in blockers.items() if name not in explained and needed & explained}:
        explained |= more
    return replace(cause, explains=(*cause.explains, *(name for name in blockers if name in explained)))


def _chosen(
    causes: Mapping[str, tuple[Cause, float]], departed: Sequence[Departure], blockers: Mapping[str, frozenset[str]]
) -> Diagnosis:
    by_id = {one.id: one for one in departed}
    failed = frozenset(one.id for one in departed if one.failed)
    candidates = [Candidate(name, failed & frozenset(cause.explains), price) for name, (cause, price) in causes.items()]
    cover = smallest_cover(candidates, failed)
    rows = [_with_untested(causes[one.name][0], by_id) for one in cover]
    often = [name for cause in rows for name in set(cause.explains)]
    found = tuple(_told(cause, by_id, blockers, often) for cause in rows)
    return Diagnosis(found, tuple(name for name in by_id if name not in often))


def _with_untested(cause: Cause, by_id: Mapping[str, Departure]) -> Cause:
    """Add what could not be tested because a precondition ended as one of the failures did that a cause explains."""
    points = frozenset(point for name in cause.explains if by_id[name].failed for point in by_id[name].points)
    untested = [one.id for one in by_id.values() if not one.failed and one.points & points]
    return replace(cause, explains=tuple(dict.fromkeys((*cause.explains, *untested))))


def _told(
    cause: Cause, by_id: Mapping[str, Departure], blockers: Mapping[str, frozenset[str]], often: Sequence[str]
) -> Cause:
    """Say what a cause explains alone, what only through others, and what shows it best."""
    explains = tuple(name for name in by_id if name in cause.explains)
    alone = tuple(name for name in explains if often.count(name) == 1)
    blocked = tuple(
        name for name in explains if not by_id[name].failed or blockers.get(name, frozenset()) & set(explains)
    )
    telling = min(explains, key=lambda name: (name in blocked, name not in alone, _frequency(name)))
    shown = by_id[telling].exchanges
    return replace(
        cause,
        explains=explains,
        alone=alone,
        blocked=blocked,
        telling=telling,
        exchange=shown[0].seq if shown else None,
    )


def _frequency(name: str) -> int:
    """In how many faults a requirement is broken: the rarer, the more it tells."""
    return sum(name in fault.fails for fault in dictionary())
