"""A diagnosis as it is told: lines, a summary, the file of verdicts."""

from __future__ import annotations

import pytest

from conformance.cause import MEND_FIRST, Cause, Diagnosis
from conformance.failure_text import diagnosis_lines, failure_lines, printable, red_results
from conformance.tests.diagnosed import explained, problem, result
from conformance.verdict import Report, Result, RunInfo, Verdict
from conformance.verdicts_file import read_verdicts, write_verdicts


def report(*results: Result, diagnosis: Diagnosis) -> Report:
    run = RunInfo("r", "t", "cloud", 0, "x", "y", {}, {}, tuple(row.id for row in results), "2026-06-01T00:00:00Z")
    return Report(run, results, diagnosis=diagnosis)


def test_a_blocked_failure_stands_under_the_one_that_blocks_it() -> None:
    rows = [result("BYA-AGENT"), result("INST-ONE"), result("REF-ORG")]
    one = rows[1]
    rows[1] = Result(**{name: getattr(one, name) for name in one.__slots__} | {"blocked_by": ("BYA-AGENT",)})
    shown = red_results(report(*rows, diagnosis=Diagnosis()))
    assert [(row.id, blocked) for row, blocked in shown] == [("BYA-AGENT", ("INST-ONE",)), ("REF-ORG", ())]


def test_a_failure_s_line_shows_what_was_expected_and_what_came_in_the_width_there_is() -> None:
    row = result("REF-ORG", Verdict.FAIL, problem(1, "NOT_FOUND", "OK: \x1b[2Jgone"))
    assert list(failure_lines(row, ("A", "B"), 200)) == [
        "wrong status: expected NOT_FOUND, got OK: \\x1b[2Jgone",
        "blocks 2 more: A, B",
    ]
    assert list(failure_lines(row, (), 20)) == ["wrong status:", "expected NOT_FOUND,", "got OK: \\x1b[2Jgone"]
    long = result("REF-ORG", Verdict.FAIL, problem(1, "NOT_FOUND", "x" * 9000))
    assert "".join(failure_lines(long, (), 50)).endswith("x… (9000 characters)")
    both = result("REF-ORG", Verdict.FAIL, problem(1, "x" * 300, "x" * 40))
    assert f"x… (300 characters), got {'x' * 40}" in next(failure_lines(both, (), 500))
    assert (
        list(failure_lines(row, ("AAA-1", "BBB-2", "CCC-3", "DDD-4"), 40))[-1]
        == "blocks 4 more: AAA-1, BBB-2 and 2 more"
    )
    assert printable("a\x07\nb\u202e") == "a\\x07\\nb\\u202e"


def test_the_summary_names_few_causes_and_says_how_many_more_there_are() -> None:
    rows = [result(name) for name in ("REF-ORG", "REF-FOUND", "GET-FOUND", "GET-KIND", "DUP-ORG", "DUP-SLUG", "DUP-ID")]
    causes = tuple(Cause(row.id, f"cause of {row.id}", "", (row.id,), telling=row.id) for row in rows[:-1])
    told = list(diagnosis_lines(report(*rows, diagnosis=Diagnosis(causes, ("DUP-ID",))), 90))
    assert told[0] == "Mend first: 6 probable causes explain 6 of 7 failures"
    assert [line for line in told if line.startswith(f" {MEND_FIRST}. ")]
    assert not [line for line in told if line.startswith(f" {MEND_FIRST + 1}. ")]
    assert told[-2:] == ["… and 1 more: parity diagnose RUN", "Nothing known explains 1 of CheckDuplicate: DUP-ID"]
    whole = list(diagnosis_lines(report(*rows, diagnosis=Diagnosis(causes, ())), 90, whole=True))
    assert [line for line in whole if line.startswith(f" {MEND_FIRST + 1}. ")]


def test_verdicts_keep_the_diagnosis(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("run") / "verdicts.json"
    whole = explained([result("REF-FOUND"), result("REF-ORG")]).diagnosis
    write_verdicts(file, report(result("REF-FOUND"), result("REF-ORG"), diagnosis=whole))
    assert read_verdicts(file).diagnosis == whole
