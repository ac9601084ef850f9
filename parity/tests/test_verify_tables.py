"""What `parity verify` prints: tables, failures, the corpus, and the time that is left."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from conformance.verdict import CREATE_STEPS, Level, Report, Result, Verdict
from parity import verify_tables
from parity.corpus import RoundTrip
from parity.corpus_proof import CorpusProof
from parity.plan import JudgedStore, LeftOut
from parity.proof import Proof, seconds_left
from parity.tests.proofs import MEMORY, proof, report, verify_source


def shown(table: object) -> str:
    console = Console(file=io.StringIO(), width=140)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_time_left_counts_what_runs_at_once_and_each_profile_for_itself() -> None:
    subjects = tuple(JudgedStore("memory", "", profile) for profile in ("oss", "cloud", "oss", "cloud"))
    oss, cloud = (
        replace(proof(subject=one), seconds=seconds) for one, seconds in zip(subjects, (10, 50), strict=False)
    )
    assert seconds_left([oss], subjects, 10.0) == (10 + 20 + 10 + 20) / 2 - 10.0
    assert seconds_left([oss, cloud], subjects, 50.0) == (10 + 50 + 10 + 50) / 2 - 50.0
    assert seconds_left([oss, cloud], subjects, 100.0) == 0.0


def test_steps_table_shows_each_profile_of_each_store() -> None:
    cloud = JudgedStore("memory", "", "cloud")
    text = shown(
        verify_tables.steps_table(
            [proof(1, report(Persist=Verdict.FAIL), cloud), proof(0, report(Authorize=Verdict.NOT_APPLICABLE))]
        )
    )
    row = {line.split()[2]: line for line in text.splitlines() if "│" in line and len(line.split()) > 3}
    assert "FAIL  pass" in row["Persist"]
    assert "pass  n/a" in row["Authorize"]
    assert [step for step in CREATE_STEPS if step not in text] == []


def test_a_proof_without_verdicts_is_not_run_and_says_why() -> None:
    broken = Proof(MEMORY, Path("f"), "parity conform x", 3, 0.1, None, "the target is gone")
    assert "NOT RUN" in shown(verify_tables.steps_table([broken]))
    assert "incomplete" in shown(verify_tables.proofs_table([broken]))
    assert "the target is gone" in verify_tables.failure_lines([broken])[0]


def test_failures_are_named_with_their_command_and_many_are_cut_short() -> None:
    failed = report(**dict.fromkeys(CREATE_STEPS, Verdict.FAIL))
    first, command, folder = verify_tables.failure_lines([proof(1, failed), proof(0)])
    assert first.endswith("and 2 more")
    assert CREATE_STEPS[0] in first
    assert command.strip() == "parity conform x"
    assert "out/conformance/x" in folder


def test_a_should_that_is_not_met_is_told_though_it_does_not_count() -> None:
    made = report(Persist=Verdict.FAIL)
    results = tuple(
        Result(**{**{name: getattr(row, name) for name in row.__slots__}, "level": Level.SHOULD})
        if row.verdict is Verdict.FAIL
        else row
        for row in made.results
    )
    lines = verify_tables.recommendation_lines([proof(0, Report(made.run, results))])
    assert lines == ["SHOULD, not met: Persist (s): memory oss"]


def test_corpus_lines_name_and_count() -> None:
    trip = RoundTrip("memory", 2, 1, ("Agent X: spec differs",), 0.5)
    lines = verify_tables.corpus_lines(CorpusProof(Path("c.jsonl"), verify_source(), (trip,)))
    assert lines[0] == "Corpus c.jsonl: 14 records, 2 agents, 12 left out"
    assert sum("left out: line" in line for line in lines) == verify_tables.NAMED_MAX
    assert "and 2 more" in lines[verify_tables.NAMED_MAX + 1]
    assert "Agent X" in lines[-1]
    assert verify_tables.left_out_lines([LeftOut("leveldb", "no driver")]) == ["Left out: leveldb: no driver"]
