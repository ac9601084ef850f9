"""From failures to probable causes: the smallest set of them that explains what a run found.

A cause is a fault of the dictionary (`conformance.dictionary`), a shape in the evidence (`conformance.shapes`), or a
requirement that others need. What could not be asked because of another failure is *blocked by* that: whoever explains
the one explains the other. What could not be tested at all speaks neither for a cause nor against it; it goes with the
failures that ended as its precondition did. How a requirement failed counts too: a fault explains only the kinds of
failure that it is known for. Pure: the same evidence gives the same causes.
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
from conformance.shapes import REFUSALS, answered_wrongly, races, schema_cause, shapes, wrong_status
from conformance.verdict import Result, Verdict

SCHEMA_PRICE, FAULT_PRICE, SHAPE_PRICE, NEED_PRICE = 0.5, 1.0, 1.5, 2.0
"""What naming a cause costs. Another schema was seen, so it is believed first; then a known fault, a shape, a need."""
PASSED_PRICE = 2.0
"""What each requirement costs that a cause would have broken and that passed."""
OTHERWISE_PRICE = 1.0
"""What each costs that a cause would have broken and that failed in another way."""
UNKNOWN_SHARE_MAX, LITTLE_MAX = 0.5, 2
"""Where more than this share of the failures has no cause, a fault that explains so few of them isn't believed."""
CREATE = "agent-create"
"""What faults in a step of a create are said to be in."""
BROKEN_SHARE_MIN = 0.5
"""A fault of which more than this passed is not what is wrong here."""


@dataclass(frozen=True)
class Suspect:
    """A possible cause, the symptoms that it explains, and what it costs to name it.

    `seen` says that the evidence shows it; else it is a fault of the dictionary that would break this.
    """

    cause: Cause
    symptoms: frozenset[str]
    price: float
    seen: bool = True


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
    seen = tuple(shapes(departed, exchanges.values()))
    statuses = tuple(filter(None, map(wrong_status, seen)))
    plain = [
        *((cause, SHAPE_PRICE) for cause in (*seen, *races(departed, passed))),
        *((schema_cause(row, departed), SCHEMA_PRICE) for row in drift),
        *_needed(blockers),
    ]
    symptoms = {one.id: one.symptoms for one in departed}
    in_profile = [fault for fault in known if fault.profile in {"cloud", profile}]
    suspects = [
        *_known_faults(departed, passed, in_profile, statuses),
        *(
            Suspect(cause, _all_symptoms(cause.explains, symptoms) | answered_wrongly(cause, departed), price)
            for cause, price in plain
        ),
    ]
    widened = [_widened(one, blockers, symptoms) for one in suspects]
    diagnosis = _chosen({one.cause.id: one for one in widened}, departed, blockers)
    order = {one.id: place for place, one in enumerate(departed)}
    return Explained(diagnosis, {name: tuple(sorted(by, key=order.__getitem__)) for name, by in blockers.items()})


def _all_symptoms(names: Iterable[str], symptoms: Mapping[str, frozenset[str]]) -> frozenset[str]:
    return frozenset[str]().union(*(symptoms[name] for name in names))


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
    departed: Sequence[Departure], passed: frozenset[str], faults: Sequence[Fault], statuses: Sequence[str]
) -> Iterator[Suspect]:
    """Yield the faults of which enough is broken; of those that look the same here, the most specific, once.

    `statuses` are those that stand in the place of others throughout the run.
    """
    refusals = frozenset(symptom for one in departed for symptom in one.refusals)
    failures = {one.id: one.symptoms for one in departed if one.failed}
    alike: dict[tuple[frozenset[str], tuple[str, ...], int], list[Fault]] = {}
    for fault in sorted(faults, key=lambda row: len(row.fails)):
        broken = {name: failures[name] for name in fault.fails if name in failures}
        known = {name: _as_answered(fault.symptoms(name), seen & refusals, statuses) for name, seen in broken.items()}
        shared = {name: seen & known[name] if known[name] else seen for name, seen in broken.items()}
        spared = tuple(name for name in fault.fails if name in passed)
        enough = max(1.0, BROKEN_SHARE_MIN * (len(broken) + len(spared)))
        if sum(map(bool, shared.values())) >= enough:
            otherwise = sum(not known[name] <= seen for name, seen in broken.items())
            alike.setdefault((frozenset().union(*shared.values()), spared, otherwise), []).append(fault)
    for (shown, spared, otherwise), (first, *others) in alike.items():
        also = tuple(dict.fromkeys(row.sentence for row in others if row.sentence != first.sentence))
        explains = tuple(name for name, seen in failures.items() if seen & shown)
        cause = Cause(first.id, first.sentence, first.where, explains, passed=spared, also=also)
        yield Suspect(cause, shown, FAULT_PRICE + PASSED_PRICE * len(spared) + OTHERWISE_PRICE * otherwise, seen=False)


def _as_answered(known: frozenset[str], refusals: frozenset[str], statuses: Sequence[str]) -> frozenset[str]:
    """Return known symptoms as they look in a run that answers refusals with these statuses instead of others.

    `refusals` are those symptoms of the run that are a refusal of what should have succeeded: of any other a wrong
    status is the whole failure, and that has the run's own cause.
    """
    return frozenset(next((one for one in _ways(symptom, statuses) if one in refusals), symptom) for symptom in known)


def _ways(symptom: str, statuses: Sequence[str]) -> Iterator[str]:
    yield symptom
    head, got, status = symptom.rpartition(", got ")
    if status in REFUSALS:
        yield from (f"{head}{got}{other}" for other in statuses)


def _needed(blockers: Mapping[str, frozenset[str]]) -> Iterator[tuple[Cause, float]]:
    """Yield the failures that block others and aren't blocked themselves."""
    for name in dict.fromkeys(one for needed in blockers.values() for one in needed if one not in blockers):
        row = catalogue()[name]
        yield Cause(f"requirement:{name}", f"not met: {row.sentence}", row.step or row.operation, (name,)), NEED_PRICE


def _widened(
    suspect: Suspect, blockers: Mapping[str, frozenset[str]], symptoms: Mapping[str, frozenset[str]]
) -> Suspect:
    """Add what is blocked by what a cause explains."""
    explained = set(suspect.cause.explains)
    while more := {name for name, needed in blockers.items() if name not in explained and needed & explained}:
        explained |= more
    blocked = [name for name in blockers if name in explained]
    cause = replace(suspect.cause, explains=tuple(dict.fromkeys((*suspect.cause.explains, *blocked))))
    return replace(suspect, cause=cause, symptoms=suspect.symptoms | _all_symptoms(blocked, symptoms))


def _chosen(
    suspects: Mapping[str, Suspect], departed: Sequence[Departure], blockers: Mapping[str, frozenset[str]]
) -> Diagnosis:
    by_id = {one.id: one for one in departed}
    failed = frozenset(name for one in departed if one.failed for name in one.symptoms)
    candidates = [Candidate(name, failed & one.symptoms, one.price) for name, one in suspects.items()]
    cover = [suspects[one.name] for one in smallest_cover(candidates)]
    believed = _believed(cover, frozenset(one.id for one in departed if one.failed))
    rows = list(_by_taken_away([_with_untested(cause, by_id) for cause in believed]))
    often = [name for cause in rows for name in set(cause.explains)]
    found = tuple(_told(cause, by_id, blockers, often) for cause in rows)
    return Diagnosis(found, tuple(name for name in by_id if name not in often))


def _believed(cover: Sequence[Suspect], failing: frozenset[str]) -> list[Cause]:
    """Leave out known faults of little, where most remains unexplained: what isn't known breaks that too, likely."""
    left = failing.difference(*(one.cause.explains for one in cover))
    most_unknown = len(left) > UNKNOWN_SHARE_MAX * len(failing)
    return [one.cause for one in cover if one.seen or not most_unknown or len(one.cause.explains) > LITTLE_MAX]


def _by_taken_away(rows: list[Cause]) -> Iterator[Cause]:
    """First the cause that takes most failures away, then what takes most of the rest."""
    gone: set[str] = set()
    while rows:
        first = max(rows, key=lambda one: (len(set(one.explains) - gone), len(one.explains)))
        rows.remove(first)
        gone |= set(first.explains)
        yield first


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
    telling = min(
        explains, key=lambda name: (name in blocked, name not in alone, not _at(name, cause.where), _frequency(name))
    )
    shown = by_id[telling].exchanges
    return replace(
        cause,
        explains=explains,
        alone=alone,
        blocked=blocked,
        telling=telling,
        exchange=shown[0].seq if shown else None,
    )


def _at(name: str, where: str) -> bool:
    """Say whether a requirement is about the step of a create that a cause names, or about any if it names nothing."""
    step = catalogue()[name].step
    return bool(step) and where in {"", step, f"{CREATE}: {step}"}


def _frequency(name: str) -> int:
    """In how many faults a requirement is broken: the rarer, the more it tells."""
    return sum(name in fault.fails for fault in dictionary())
