"""Verdicts and exchanges made up for a diagnosis, and what comes of them."""

from __future__ import annotations

from collections.abc import Iterable

from conformance.catalogue import catalogue
from conformance.diagnosis import Explained, diagnose
from conformance.dictionary import Fault
from conformance.evidence import Exchange
from conformance.verdict import Problem, Result, Verdict

FAULTS = (
    Fault("wide", "everything of references is wrong", "agent-get-by-reference", "cloud", ("REF-FOUND", "REF-ORG")),
    Fault("narrow", "the organization is ignored", "agent-get-by-reference", "cloud", ("REF-ORG",)),
    Fault("twin", "the organization is lost", "agent-get-by-reference", "cloud", ("REF-ORG",)),
    Fault("local", "slugs are by organization", "agent-create", "oss", ("DUP-KIND",)),
)


def problem(seq: int, expected: str = "", actual: str = "", text: str = "wrong status") -> Problem:
    return Problem(text, expected, actual, seq)


def result(name: str, verdict: Verdict = Verdict.FAIL, *problems: Problem, evidence: tuple[int, ...] = ()) -> Result:
    row = catalogue()[name]
    head = (row.id, row.level, row.profiles, row.operation, row.step, row.sentence, row.source, row.id)
    return Result(*head, verdict, problems, evidence=evidence)


def exchange(seq: int, step: str, code: str = "OK", fault: str = "", items: int | None = None) -> Exchange:
    responses: tuple[object, ...] = () if items is None else ({"items": [{}] * items},)
    return Exchange(seq, "c", "l", step, "", "/x", {}, code, responses=responses, fault=fault)


def explained(
    results: Iterable[Result],
    exchanges: Iterable[Exchange] = (),
    faults: Iterable[Fault] = FAULTS,
    profile: str = "cloud",
) -> Explained:
    return diagnose(tuple(results), {one.seq: one for one in exchanges}, profile, faults)


def found(*results: Result, exchanges: Iterable[Exchange] = (), profile: str = "cloud") -> list[str]:
    return [cause.id for cause in explained(results, exchanges, profile=profile).diagnosis.causes]


AS_ANSWERED = Fault(
    "accepted",
    "a duplicate is answered OK",
    "",
    "cloud",
    ("DUP-SLUG",),
    {"DUP-SLUG": ("refused: wrong status, got OK",)},
)


def refused(name: str, expected: str, actual: str) -> Result:
    return result(name, Verdict.FAIL, problem(1, expected, actual, "refused: wrong status"))
