"""Causes that are seen in the evidence itself, without a dictionary: one wrong status, a method that never works, ...

Each function takes what isn't met and all exchanges of a run, and yields what could be behind several failures at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from conformance.cause import Cause, Drift
from conformance.evidence import Exchange, Json
from conformance.points import UNREADABLE, Departure, Point, may_be_refused, point_of
from conformance.verdict import Problem

FAILURES_MIN = 3
"""Fewer failures have no shape."""
CALLS_MIN = 3
"""A method that was called less often says nothing of `never`."""
REFUSALS = (
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "UNAUTHENTICATED",
    "FAILED_PRECONDITION",
    "RESOURCE_EXHAUSTED",
)
_WRONG = (*REFUSALS, "UNKNOWN", "INTERNAL", "ABORTED", "UNAVAILABLE", "OUT_OF_RANGE", "DATA_LOSS", "CANCELLED")
_STATUS = "shape:status:"

Shape = Callable[[Sequence[Departure], Sequence[Exchange]], Iterator[Cause]]


def shapes(departed: Sequence[Departure], exchanges: Iterable[Exchange]) -> Iterator[Cause]:
    """Yield all causes that the evidence shows."""
    called = tuple(exchanges)
    for shape in SHAPES:
        yield from shape(departed, called)


def one_wrong_status(departed: Sequence[Departure], exchanges: Sequence[Exchange]) -> Iterator[Cause]:
    """Yield refusals that are answered with one status where various others are asked for."""
    found: dict[str, list[Departure]] = defaultdict(list)
    asked: dict[str, set[str]] = defaultdict(set)
    for one in departed:
        pairs = [_statuses(problem) for problem in one.result.problems]
        answers = {actual for _, actual in pairs}
        if len(answers) == 1 and "" not in answers:
            found[pairs[0][1]].append(one)
            asked[pairs[0][1]] |= {expected for expected, _ in pairs}
    refusals = [exchange.code for exchange in exchanges if exchange.code != "OK"]
    for status, plain in found.items():
        if len(plain) >= FAILURES_MIN:
            rows = [one for one in departed if one in plain or _ends_only_in(one, status)]
            # What is refused as asked elsewhere is wrong in some methods only: these are named.
            elsewhere = sum(map(refusals.count, asked[status])) > len(plain)
            methods = dict.fromkeys(point.method for one in plain for point in one.points if point.ending == status)
            yield _cause(
                f"{_STATUS}{status}",
                f"refusals are answered {status} instead of {_listed(sorted(asked[status]))}"
                f" ({refusals.count(status)} of the {len(refusals)} refusals of this run)",
                ", ".join(methods) if elsewhere else "",
                rows,
            )


def wrong_status(cause: Cause) -> str:
    """Return the status that a cause says to stand in the place of others; empty where it is no such cause."""
    return cause.id.removeprefix(_STATUS) if cause.id.startswith(_STATUS) else ""


def answered_wrongly(cause: Cause, departed: Iterable[Departure]) -> frozenset[str]:
    """Return the symptoms by which a status that is wrong everywhere shows in failures, also of other causes."""
    status = "" if cause.where else wrong_status(cause)
    return frozenset[str]().union(*(one.answered(status) for one in departed if status and one.failed))


def _ends_only_in(one: Departure, status: str) -> bool:
    """Whether all that shows a failure ended in a status or speaks of it, and nothing of it should have succeeded."""
    problems = [problem for problem in one.result.problems if problem.expected or problem.actual]
    if not one.failed or not problems or any(not may_be_refused(row) or status in row.expected for row in problems):
        return False
    shown = bool(one.exchanges) and {point.ending for point in one.points} == {status}
    return shown or all(status in row.actual for row in problems)


def _statuses(problem: Problem) -> tuple[str, str]:
    """Return the refusal that was asked for and the one that came; empty unless both are refusals."""
    expected, actual = problem.expected.partition(" or ")[0], problem.actual.partition(":")[0]
    asked = expected if expected in REFUSALS else "NOT_FOUND" if expected == "nothing" else ""
    return (asked, actual) if asked and actual in _WRONG and actual != asked else ("", "")


def never_works(departed: Sequence[Departure], exchanges: Sequence[Exchange]) -> Iterator[Cause]:
    """Yield methods that ended in one and the same way other than OK whenever they were called."""
    endings: dict[str, list[Point]] = defaultdict(list)
    for exchange in exchanges:
        endings[exchange.step].append(point_of(exchange))
    for method, points in endings.items():
        rows = [one for one in departed if one.whole and one.points == {points[0]}]
        if set(points) == {points[0]} and points[0].ending != "OK" and len(points) >= CALLS_MIN and rows:
            how = "can't be read" if points[0].ending == UNREADABLE else f"is {points[0].ending}"
            yield _cause(
                f"shape:never:{method}",
                f"{method} never works: every answer to it {how} ({len(points)} calls)",
                method,
                rows,
            )


def always_empty(departed: Sequence[Departure], exchanges: Sequence[Exchange]) -> Iterator[Cause]:
    """Yield listings that were answered OK, and never held anything."""
    answers: dict[str, list[Exchange]] = defaultdict(list)
    for exchange in exchanges:
        if exchange.ok and (exchange.step == "instance.by_agent" or exchange.step.startswith("list.")):
            answers[exchange.step].append(exchange)
    for method, rows in answers.items():
        explained = [one for one in departed if one.whole and one.points == {Point(method, "OK")}]
        if len(rows) >= CALLS_MIN and explained and not any(row.value("items", []) for row in rows):
            yield _cause(
                f"shape:empty:{method}",
                f"{method} lists nothing: each of {len(rows)} answers is empty",
                method,
                explained,
            )


def unreadable(departed: Sequence[Departure], exchanges: Sequence[Exchange]) -> Iterator[Cause]:
    """Yield kinds of answers that can't be parsed as the contract's message."""
    del exchanges
    found: dict[str, list[Departure]] = defaultdict(list)
    for one in departed:
        for fault in {exchange.fault.partition(":")[0] for exchange in one.exchanges if exchange.fault}:
            found[fault].append(one)
    for fault, rows in found.items():
        if len(rows) >= FAILURES_MIN:
            yield _cause(f"shape:unreadable:{fault.rpartition(' ')[2]}", f"{fault}, in {len(rows)} checks", "", rows)


@dataclass(frozen=True)
class Race:
    """Requirements on calls that come together, and how they fail if the calls get into each other.

    `shown` holds for each the kind of failure that no wrong status alone makes, `twins` the requirement that asks the
    same of calls in a row.
    """

    name: str
    sentence: str
    where: str
    shown: Mapping[str, str]
    twins: Mapping[str, str]


RACES = (
    Race(
        "create",
        "calls that come together get in between a create's look (for a duplicate, for the parent) and its write",
        "agent-create: CheckDuplicate",
        {
            "ORD-RACE": "readable racers of heat *",
            "APL-RACE": "agents that heat * made",
            "RACE-PARENT": "came back after its agent was deleted, got OK",
        },
        {"ORD-RACE": "DUP-SLUG", "APL-RACE": "APL-UPDATE", "RACE-PARENT": "INS-PARENT"},
    ),
    Race(
        "update",
        "calls that come together get in between an update's look and its write: it brings back what was deleted,"
        " or undoes another update",
        "agent-update: Persist",
        {
            "UPD-RACE-DELETE": "came back after its agent was deleted, got OK",
            "UPD-RACE": "get.*: metadata.labels.writer differs",
        },
        {"UPD-RACE-DELETE": "UPD-DELETED", "UPD-RACE": "UPD-BY-SLUG"},
    ),
)


def races(departed: Sequence[Departure], passed: frozenset[str]) -> Iterator[Cause]:
    """Yield what is right in a row and wrong together: a look and a write that others get in between.

    In a row it is right too where it is refused with another status than the one that is asked for.
    """
    by_id = {one.id: one for one in departed}
    for race in RACES:
        shown = [by_id[name] for name, kind in race.shown.items() if name in by_id and kind in by_id[name].kinds]
        rows = [one for one in shown if _holds_in_a_row(race.twins[one.id], by_id, passed)]
        if rows:
            yield _cause(f"shape:race:{race.name}", race.sentence, race.where, rows)


def _holds_in_a_row(twin: str, by_id: Mapping[str, Departure], passed: frozenset[str]) -> bool:
    if twin in passed:
        return True
    return twin in by_id and by_id[twin].failed and all(_statuses(one)[1] for one in by_id[twin].result.problems)


def schema_cause(drift: Drift, departed: Sequence[Departure]) -> Cause:
    """Return another schema as a cause of all that failed where a message held the part, or lost it."""
    rows = [one for one in departed if any(_shows(one, path) for path in drift.paths)]
    return _cause(f"schema:{drift.name}", drift.sentence, "", rows)


def _shows(one: Departure, path: tuple[str, ...]) -> bool:
    holding = [exchange for exchange in one.exchanges if _holds(exchange.request, path)]
    refused = any(exchange.code != "OK" or exchange.fault for exchange in holding)
    lost = all(".".join(path[-2:]) in problem.text for problem in one.result.problems)
    return refused or (bool(one.result.problems) and lost)


def _holds(message: Json, path: Sequence[str]) -> bool:
    """Whether a message has something at a path of field names; lists and maps are looked into."""
    if not path:
        return True
    if isinstance(message, list):
        return any(_holds(row, path) for row in message)
    if not isinstance(message, Mapping):
        return False
    if path[0] in message:
        return _holds(message[path[0]], path[1:])
    return any(_holds(row, path) for row in message.values() if isinstance(row, Mapping))


SHAPES: tuple[Shape, ...] = (one_wrong_status, never_works, always_empty, unreadable)


def _cause(name: str, sentence: str, where: str, rows: Iterable[Departure]) -> Cause:
    return Cause(name, sentence, where, tuple(dict.fromkeys(one.id for one in rows)))


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
