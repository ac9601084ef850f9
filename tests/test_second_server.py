"""Two readings of the contract: the suite passes a server that shares no code with the reference, and finds what is
planted in it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.catalogue import catalogue
from conformance.checks import all_checks
from conformance.evidence import LEAVING, SETUP, value_at
from conformance.evidence_file import read_evidence
from conformance.rejudge import recheck
from conformance.run_context import PROFILES, Profile
from conformance.runner import Options, run
from conformance.verdict import EXIT_CONFORMANT, EXIT_NOT_CONFORMANT, Report, Verdict
from tests.mutants.hosting import CREDENTIALS, TOKENS, identity, reference
from tests.mutants.matrix import expected
from tests.mutants.wrong_servers import judge, judge_second, judge_traced
from tests.second_server import CHOICES, DEFECTS, start

TELLING_MAX = 6
"""So many of the requirements that a defect breaks are asked here; `make mutants` asks all of them."""


@pytest.mark.parametrize("profile", PROFILES)
def test_nothing_planted_nothing_found(profile: Profile) -> None:
    report = judge_second("", profile=profile)
    assert report.failing() == ()
    assert report.leaks == ()
    assert report.exit_code == EXIT_CONFORMANT


@pytest.mark.parametrize("profile", PROFILES)
def test_the_reference_is_conformant(profile: Profile) -> None:
    options = Options(profile=profile, credentials=CREDENTIALS, jobs=4, quick=True)
    with reference(profile) as address:
        report = run(f"grpc://{address}", options)
    assert report.failing() == ()
    assert report.leaks == ()
    assert report.exit_code == EXIT_CONFORMANT


@pytest.mark.parametrize("defect", DEFECTS)
def test_each_planted_defect_is_found(defect: str) -> None:
    telling = tuple(expected()[f"second:{defect}"][:TELLING_MAX])
    assert telling
    assert judge(f"second:{defect}", telling).failing == tuple(sorted(telling, key=list(_order()).index))


def _choosing_otherwise(*only: str, strict: bool = False) -> Report:
    server = start("cloud", TOKENS, identity("operator"), defects=frozenset(CHOICES))
    try:
        options = Options(profile="cloud", credentials=CREDENTIALS, jobs=4, quick=True, only=only, strict=strict)
        return run(f"grpc://{server.address}", options)
    finally:
        server.stop()


_CHOICES = [row.id for row in catalogue().values() if row.choice]


def _deviating(report: Report) -> list[str]:
    return [row.id for row in report.results if row.verdict is Verdict.DEVIATION]


def test_another_choice_is_a_deviation_and_no_failure() -> None:
    beside = [name for row in all_checks() if set(row.judges) & set(_CHOICES) for name in row.judges]
    report = _choosing_otherwise(*beside)
    assert report.failing() == ()
    assert _deviating(report) == _CHOICES
    assert [row.reason for row in report.results if row.id == "INS-PARENT"] == [catalogue()["INS-PARENT"].choice]
    assert report.of("ATOM-INS-PARENT").verdict is Verdict.NOT_APPLICABLE
    assert report.exit_code == EXIT_CONFORMANT
    assert report.conclusion == f"conformant, with {len(_CHOICES)} deviations"


def test_a_strict_run_calls_another_choice_a_failure() -> None:
    report = _choosing_otherwise("INS-PARENT", "BYA-SIZE", strict=True)
    assert report.failing() == ("INS-PARENT", "BYA-SIZE")
    assert report.exit_code == EXIT_NOT_CONFORMANT


@pytest.mark.full
def test_nothing_else_is_said_of_a_server_that_chooses_otherwise() -> None:
    report = _choosing_otherwise()
    assert report.failing() == ()
    assert _deviating(report) == _CHOICES
    assert report.leaks == ()


def test_evidence_shows_the_set_up_and_no_token(tmp_path: Path) -> None:
    server = start("cloud", TOKENS, identity("operator"))
    try:
        options = Options(profile="cloud", only=("SLUG-GIVEN",), credentials=CREDENTIALS)
        report = run(f"grpc://{server.address}", options, out=tmp_path)
    finally:
        server.stop()
    stored = read_evidence(tmp_path / "evidence.jsonl")
    set_up, leaving = stored.evidence[SETUP], stored.evidence[LEAVING]
    roles = ("org_admin", "org_member", "other_org_member")
    for role in roles:
        exchange = set_up[f"member.{role}"]
        assert (exchange.role, exchange.code) == ("operator", "OK")
        assert value_at(exchange.request, "principal.id") == identity(role)
        assert leaving[f"leave.{role}"].code == "OK"
    assert [row.label for row in leaving.under("left.")] != []
    assert [row.id for row in report.results] == ["SLUG-GIVEN"]
    assert recheck(tmp_path) == report
    assert [token for token in TOKENS if token in (tmp_path / "evidence.jsonl").read_text()] == []


def _order() -> dict[str, None]:
    return dict.fromkeys(catalogue())


@pytest.mark.parametrize("profile", PROFILES)
def test_step_spans_of_the_reference_are_as_the_contract_names_them(profile: str) -> None:
    report = judge_traced(lambda operations: operations, profile)
    assert [row.verdict for row in report.results] == [Verdict.PASS] * 3


@pytest.mark.full
@pytest.mark.parametrize("profile", PROFILES)
def test_many_at_a_time_gives_the_same_verdicts_as_one(profile: Profile) -> None:
    verdicts = []
    for jobs in (1, 8):
        server = start(profile, TOKENS, identity("operator"))
        try:
            options = Options(profile=profile, credentials=CREDENTIALS, jobs=jobs, quick=True)
            report = run(f"grpc://{server.address}", options)
        finally:
            server.stop()
        verdicts.append([(row.id, row.verdict) for row in report.results])
    assert verdicts[0] == verdicts[1]


def test_two_runs_at_once_and_a_foreign_resource_leave_each_other_alone() -> None:
    from concurrent.futures import ThreadPoolExecutor

    from conformance.samples import agent

    server = start("oss", {})
    try:
        foreign = agent("foreign", "somebody")
        foreign.metadata.id = "agt-foreign"
        server.state.resources["agent"]["agt-foreign"] = foreign
        options = Options(profile="oss", only=("DEL-*", "LST-*", "DUP-*", "APL-*"), quick=True)
        with ThreadPoolExecutor(2) as pool:
            both = list(pool.map(lambda _: run(f"grpc://{server.address}", options), range(2)))
        assert [report.exit_code for report in both] == [EXIT_CONFORMANT, EXIT_CONFORMANT]
        assert list(server.state.resources["agent"]) == ["agt-foreign"]
    finally:
        server.stop()
