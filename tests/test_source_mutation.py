"""Mutation testing of the source: what is drawn, what kills, and that reasons don't outlive what they excuse."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.mutation.functions import ROOT, place_of
from tests.mutation.generate import SourceMutant, mutants, sample
from tests.mutation.page import page_of
from tests.mutation.plan import Planner
from tests.mutation.reach import START, Reach
from tests.mutation.reasons import LeftOut, Reason, Reasons, ReasonUnmatched, Why, read_reasons
from tests.mutation.score import score_of, wilson
from tests.mutation.session import Session
from tests.mutation.settings import SETTINGS
from tests.mutation.trial import Ending, Judgement

DUPLICATE = "reference_server/steps/check_duplicate.py"


@pytest.fixture(scope="module")
def some() -> list[SourceMutant]:
    return list(mutants((DUPLICATE,)))


def test_a_mutant_is_one_change_that_can_be_compiled(some: list[SourceMutant]) -> None:
    source = (ROOT / DUPLICATE).read_text("utf-8")
    assert len(some) > 20
    assert len({mutant.key for mutant in some}) == len(some)
    for mutant in some:
        compile(mutant.text, mutant.file, "exec")
        assert mutant.text != source
        assert mutant.line in " ".join(line.strip() for line in source.splitlines())


def test_a_smaller_sample_is_the_beginning_of_a_larger_one(some: list[SourceMutant]) -> None:
    assert sample(some, 10, seed=4)[:5] == sample(some, 5, seed=4)
    assert sample(some, 10, seed=4) != sample(some, 10, seed=5)
    assert len(sample(some, 10_000, seed=4)) == len(some)


def test_the_reasons_of_this_repository_all_match() -> None:
    reasons = read_reasons()
    reasons.check(list(mutants(sorted({entry.file for entry in reasons.reason}))))
    assert not {entry.file for entry in reasons.left_out} & set(reasons.mutated_files())


def test_a_reason_that_matches_nothing_is_named(some: list[SourceMutant]) -> None:
    gone = Reason(file=DUPLICATE, why=Why.EQUIVALENT, line="return nothing", reason="it was there once")
    with pytest.raises(ReasonUnmatched, match="return nothing"):
        Reasons(reason=(gone,)).check(some)
    with pytest.raises(ReasonUnmatched, match=r"steps/gone\.py: no such file"):
        Reasons(left_out=(LeftOut(file="reference_server/steps/gone.py", reason="r"),)).check(some)


def test_the_score_leaves_out_what_is_excused(some: list[SourceMutant], tmp_path: Path) -> None:
    killed, hung, excused, survivor = some[:4]
    session = Session(tmp_path / "session.db", "suite")
    for mutant, ending in ((killed, Ending.KILLED), (hung, Ending.TIMEOUT), (excused, Ending.SURVIVED)):
        session.add(mutant.key, Judgement(ending, "X", 1.0))
    session.add(survivor.key, Judgement(Ending.SURVIVED, "", 2.0))
    reason = Reason(
        file=DUPLICATE,
        why=Why.EQUIVALENT,
        line=excused.line,
        operator=excused.operator,
        mutated=excused.mutated,
        reason="as good",
    )
    judged, reasons = Session(tmp_path / "session.db", "suite").judged(), Reasons(reason=(reason,))
    score = score_of(some, judged, reasons)
    assert (score.judged, score.killed, score.killable, score.share) == (4, 2, 3, 2 / 3)
    assert score.unexplained == (survivor,)
    assert session.outdated() == set()
    session.add(survivor.key, Judgement(Ending.SURVIVED, "", 2.0), of_all=False)
    assert session.outdated() == {survivor.key}
    assert Session(tmp_path / "session.db", "another suite").outdated() == {excused.key, survivor.key}
    page = page_of(some, some[:4], judged, reasons, "`--sample 4`", "abcdef")
    assert "**66.7% of those that aren't equivalent are killed** (2 of 3)." in page
    assert "as good" in page


def test_what_the_contract_leaves_to_the_server_is_not_killed(some: list[SourceMutant], tmp_path: Path) -> None:
    session = Session(tmp_path / "session.db", "suite")
    session.add(some[0].key, Judgement(Ending.SURVIVED))
    session.add(some[1].key, Judgement(Ending.KILLED, "DUP-SLUG (cloud)"))
    reason = Reason(file=DUPLICATE, why=Why.OPEN, line=some[0].line, mutated=some[0].mutated, reason="its own words")
    score = score_of(some, session.judged(), Reasons(reason=(reason,)))
    assert (score.killed, score.killable, score.asked, score.unexplained) == (1, 2, 1, ())


def test_a_kill_stands_as_long_as_its_requirement_says_the_same(some: list[SourceMutant], tmp_path: Path) -> None:
    session = Session(tmp_path / "session.db", "suite")
    session.add(some[0].key, Judgement(Ending.KILLED, "GET-UNKNOWN (cloud)"))
    assert some[0].key in session.judged()
    with closing(sqlite3.connect(tmp_path / "session.db")) as connection, connection:
        connection.execute("UPDATE judgement SET sentence = 'It said something else.'")
    assert session.judged() == {}


def test_a_line_belongs_to_the_innermost_function_that_runs_it() -> None:
    source = (ROOT / "reference_server/steps/authorize.py").read_text("utf-8").splitlines()

    def function_at(line: str) -> str:
        number = source.index(line) + 1
        return place_of("reference_server/steps/authorize.py", number, number).function

    assert function_at("        caller = known_caller(state)") == "authorize_on.authorize"
    assert function_at("    return authorize") == "authorize_on"
    assert function_at("def authorize_on(target: Target = by_option) -> StepFunction:") == ""


def test_what_reaches_a_function_is_asked_and_killers_first(some: list[SourceMutant]) -> None:
    mutant = some[0]
    line = str(mutant.lines[0])
    lines = {setting.name: {DUPLICATE: {line: ["GET-UNKNOWN", "DUP-ID"]}} for setting in SETTINGS[:1]}
    planner = Planner(Reach({setting.name: lines.get(setting.name, {}) for setting in SETTINGS}))
    asked = ("DUP-ID", "DUP-ID-UNCHANGED", "GET-UNKNOWN")
    assert planner.likely(mutant) == {SETTINGS[0].name: [list(asked)]}
    assert planner.everything(mutant) == {SETTINGS[0].name: (asked,)}
    planner.learn(mutant, Judgement(Ending.KILLED, "GET-UNKNOWN (cloud)"))
    assert planner.likely(mutant)[SETTINGS[0].name][0][0] == "GET-UNKNOWN"
    at_start = Planner(Reach({setting.name: {DUPLICATE: {line: [START]}} for setting in SETTINGS}))
    assert at_start.everything(mutant) == {setting.name: ((),) for setting in SETTINGS}


def test_the_interval_is_wilsons() -> None:
    # Source of the figures: Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(0, 0) == (0.0, 1.0)


def test_a_reason_without_its_place_is_bad_usage(tmp_path: Path) -> None:
    bad = tmp_path / "reasons.toml"
    bad.write_text('[[reason]]\nfile = "reference_server/steps/persist.py"\n', encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "tests.mutation", "--reasons", str(bad)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 2
    assert "reason" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.full
@pytest.mark.timeout(600)
def test_a_mutant_is_killed_and_a_later_run_goes_on(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.mutation", "--sample", "1", "--seed", "1"]
    command += ["--session", str(tmp_path / "s.db"), "--page", str(tmp_path / "page.md")]
    first, again = (subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False) for _ in range(2))
    assert first.returncode == 0, first.stdout
    assert " 1/1]" in first.stdout
    assert " 1/1]" not in again.stdout
    assert "1 of 1 killed" in again.stdout
