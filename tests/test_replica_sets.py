"""What is asked of replicas: right sets meet it, one server isn't asked, each wrong set is caught by what it breaks."""

from __future__ import annotations

import pytest

from conformance.replica_calls import ONE_ADDRESS
from conformance.runner import Options, run
from conformance.verdict import EXIT_NOT_CONFORMANT, Report, Verdict
from tests.mutants.hosting import CREDENTIALS, reference
from tests.mutants.matrix import expected
from tests.mutants.wrong_servers import judge, judge_set
from tests.wrong_replicas.sets import RIGHT, SETS

OF_EVENTS_AND_POLICIES = {"REP-REVOKE", "REP-WATCH", "REP-RESUME"}


def passed(report: Report) -> set[str]:
    return {row.id for row in report.results if row.verdict is Verdict.PASS}


@pytest.mark.parametrize(("profile", "count"), [("cloud", 2), ("oss", 3)])
def test_a_right_set_meets_all(profile: str, count: int) -> None:
    report = judge_set(RIGHT, profile=profile, count=count)
    every = {row.id for row in report.results}
    assert passed(report) == (every if profile == "cloud" else every - OF_EVENTS_AND_POLICIES), report.results
    assert report.run.complete


def test_one_server_is_not_asked() -> None:
    with reference("cloud") as address:
        report = run(f"grpc://{address}", Options(profile="cloud", only=("REP-*",), credentials=CREDENTIALS))
    assert {(row.verdict, row.reason) for row in report.results} == {(Verdict.NOT_APPLICABLE, ONE_ADDRESS)}


@pytest.mark.parametrize("name", ["keeps-absences", "hands-on-later"])
def test_a_wrong_set_fails_exactly_what_it_breaks(name: str) -> None:
    outcome = judge(f"replicas:{name}")
    assert sorted(outcome.failing) == expected()[f"replicas:{name}"]
    assert outcome.exit_code == EXIT_NOT_CONFORMANT


def test_every_requirement_of_replicas_is_broken_by_a_set() -> None:
    broken = {name for sin in SETS for name in expected()[f"replicas:{sin}"]}
    assert broken == {row for row in broken if row.startswith("REP-")}
    assert len(broken) == 8
