"""A failing check is run again: what fails always is a failure, what fails sometimes is flaky, and as red."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conformance.evidence import Evidence
from conformance.evidence_file import read_evidence
from conformance.exercises import RERUNS_MAX
from conformance.known_failing import Known
from conformance.rejudge import recheck
from conformance.rounds import Round, settle
from conformance.runner import Options, run
from conformance.transcript import failure_cards
from conformance.verdict import EXIT_CONFORMANT, EXIT_NOT_CONFORMANT, Problem, Report, Verdict
from reports.html import render_page
from reports.read import read_run
from tests.second_server import resources, start
from tests.second_server.state import slug_of as right

PASSED = Round(Verdict.PASS, (), "", Evidence("c"))
FAILED = Round(Verdict.FAIL, (Problem("p"),), "", Evidence("c"))
UNTESTABLE = Round(Verdict.UNTESTABLE, (), "no", Evidence("c"))


@pytest.mark.parametrize(
    ("rounds", "verdict", "reason"),
    [
        ([PASSED], Verdict.PASS, ""),
        ([FAILED], Verdict.FAIL, ""),
        ([FAILED] * 6, Verdict.FAIL, ""),
        ([FAILED, UNTESTABLE], Verdict.FAIL, ""),
        ([FAILED, PASSED, FAILED], Verdict.FLAKY, "failed in 2 of 3 rounds"),
        ([PASSED, FAILED], Verdict.FLAKY, "failed in 1 of 2 rounds"),
        ([FAILED, *[PASSED] * 5], Verdict.FLAKY, "failed in 1 of 6 rounds"),
    ],
)
def test_what_all_rounds_say_together(rounds: list[Round], verdict: Verdict, reason: str) -> None:
    settled = settle(rounds)
    assert (settled.verdict, settled.reason) == (verdict, reason)
    assert bool(settled.problems) is (Verdict.FAIL in {one.verdict for one in rounds})


def judged(
    wrong: Callable[[int], bool],
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    **options: Any,
) -> Report:
    """Judge a server that makes a wrong slug at those derivations that `wrong` says, counted from 1."""
    numbers = itertools.count(1)

    def slug_of(name: str) -> str:
        return f"{right(name)}x" if "cool" in name.lower() and wrong(next(numbers)) else right(name)

    monkeypatch.setattr(resources, "slug_of", slug_of)
    server = start("oss", {})
    try:
        only = ("SLUG-DERIVE", "SLUG-LENGTH")
        return run(f"grpc://{server.address}", Options(profile="oss", only=only, quick=True, **options), out=out)
    finally:
        server.stop()


def test_what_fails_always_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, int, int]] = []
    report = judged(lambda _: True, tmp_path, monkeypatch, progress=lambda *step: told.append(step))
    assert report.of("SLUG-DERIVE").verdict is Verdict.FAIL
    assert told[-RERUNS_MAX:] == [("SLUG-DERIVE again", 3 + n, 2 + RERUNS_MAX) for n in range(RERUNS_MAX)]
    rounds = [name for name in read_evidence(tmp_path / "evidence.jsonl").outcomes if name.startswith("SLUG-DERIVE")]
    assert len(rounds) == 1 + RERUNS_MAX
    assert report.exit_code == EXIT_NOT_CONFORMANT


def test_what_fails_sometimes_is_flaky_and_shown_beside_what_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = judged(lambda number: number % 3 == 1, tmp_path, monkeypatch)
    flaky = report.of("SLUG-DERIVE")
    assert (flaky.verdict, flaky.reason) == (Verdict.FLAKY, "failed in 2 of 6 rounds")
    assert report.of("SLUG-LENGTH").verdict is Verdict.PASS
    assert report.exit_code == EXIT_NOT_CONFORMANT
    assert recheck(tmp_path) == report
    kept = read_evidence(tmp_path / "evidence.jsonl").evidence
    failed, passed = kept["SLUG-DERIVE"]["create"], kept["SLUG-DERIVE#2"]["create"]
    assert (flaky.evidence, flaky.beside) == ((failed.seq,), (passed.seq,))
    assert failed.value("metadata.slug").endswith("x")
    assert not passed.value("metadata.slug").endswith("x")
    (card,) = failure_cards(report, tmp_path)
    assert card.index(f"[{failed.seq}]") < card.index("the same in a round that passed") < card.index(f"[{passed.seq}]")
    assert "in a round that passed" in render_page(read_run(tmp_path))


def test_without_reruns_nothing_is_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = judged(lambda number: number == 1, tmp_path, monkeypatch, reruns=0)
    assert report.of("SLUG-DERIVE").verdict is Verdict.FAIL


@pytest.mark.parametrize(("sometimes", "code"), [(True, EXIT_CONFORMANT), (False, EXIT_NOT_CONFORMANT)])
def test_a_flaky_requirement_is_known_only_where_it_is_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sometimes: bool, code: int
) -> None:
    known = Known("SLUG-DERIVE", "create: metadata.slug", "a race", sometimes=sometimes)
    report = judged(lambda number: number == 1, tmp_path, monkeypatch, known_failing=(known,))
    assert report.exit_code == code
    assert [line for line in report.known_failing_errors if "sometimes = true" not in line] == []
    assert bool(report.known_failing_errors) is not sometimes
