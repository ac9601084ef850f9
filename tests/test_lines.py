"""The line is not the server: what a connection loses is asked again, removed and counted, and blames nobody."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conformance.evidence import Exchange
from conformance.evidence_file import read_evidence
from conformance.line import ATTEMPTS_MAX, LINE, ended_under, likely_slug, line_evidence
from conformance.runner import Options, run
from conformance.verdict import EXIT_CONFORMANT, EXIT_INCOMPLETE, Report, Verdict
from parity.main import run as parity
from tests.hostile_servers import dropping
from tests.lines import Line, carried, once
from tests.mutants.hosting import CREDENTIALS, TOKENS, identity
from tests.second_server import start

SOME = ("VAL-*", "SLUG-*", "DUP-*", "APL-*")
API_VERSION = b"agentic.stigmer.ai/v1"
"""What is sent when a resource is, and not when it is asked for."""


def options(*only: str, profile: str = "oss") -> Options:
    cloud = profile == "cloud"
    if cloud:
        return Options(profile="cloud", only=only, credentials=CREDENTIALS, jobs=4, quick=True)
    return Options(profile="oss", only=only, jobs=4, quick=True)


def not_judged_by_the_line(report: Report) -> None:
    """Nothing failed; what the line kept from being judged, if anything, is said to be unknown."""
    red = [row for row in report.results if row.verdict not in {Verdict.PASS, Verdict.NOT_APPLICABLE}]
    assert [row.id for row in red if row.verdict is not Verdict.NOT_RUN] == []
    assert all("the connection ended under a call" in row.reason for row in red)
    assert report.exit_code == (EXIT_INCOMPLETE if red else EXIT_CONFORMANT)


@pytest.mark.parametrize(
    ("only", "age_seconds"), [(SOME, 0.2), pytest.param((), 0.7, marks=pytest.mark.full)], ids=["some", "all"]
)
def test_a_line_that_closes_connections_by_age_makes_nothing_fail(
    only: tuple[str, ...], age_seconds: float, tmp_path: Path
) -> None:
    server = start("cloud", TOKENS, identity("operator"))
    try:
        line = Line(server.address, age_seconds=age_seconds)
        with carried(line) as address:
            report = run(f"grpc://{address}", options(*only, profile="cloud"), out=tmp_path)
        left = {kind: list(rows) for kind, rows in server.state.resources.items() if rows}
    finally:
        server.stop()
    assert line.closed > 1
    assert report.run.complete, report.run.reason
    not_judged_by_the_line(report)
    assert report.summary.counts[Verdict.PASS] > 40
    assert (report.leaks, left) == ((), {})
    kept = read_evidence(tmp_path / "evidence.jsonl").evidence
    assert report.lost_calls == (len(kept[LINE].exchanges) if LINE in kept else 0)


def test_the_lost_answer_of_a_create_is_looked_for_by_name_and_its_check_runs_again(tmp_path: Path) -> None:
    server = start("oss", {})
    try:
        line = Line(server.address, loses=once(b"-slug-given-"))
        with carried(line) as address:
            report = run(f"grpc://{address}", options("SLUG-GIVEN", "INST-*"), out=tmp_path)
        left = {kind: list(rows) for kind, rows in server.state.resources.items() if rows}
    finally:
        server.stop()
    assert line.lost == 1
    assert report.exit_code == EXIT_CONFORMANT
    assert report.of("SLUG-GIVEN").verdict is Verdict.PASS
    assert report.lost_calls >= 1
    assert (report.leaks, left) == ((), {})
    stored = read_evidence(tmp_path / "evidence.jsonl")
    assert [row for row in stored.evidence[LINE].exchanges if row.label.startswith("SLUG-GIVEN/")]
    assert all(row.lost for row in stored.evidence[LINE].exchanges)
    assert not any(row.lost for row in stored.evidence["SLUG-GIVEN"].exchanges)


def test_a_line_that_loses_too_much_leaves_the_run_incomplete() -> None:
    server = start("oss", {})
    try:
        with dropping(server.address, every=2) as address:
            report = run(f"grpc://{address}", options("SLUG-GIVEN", "DEF-*"))
    finally:
        server.stop()
    assert report.exit_code == EXIT_INCOMPLETE
    assert report.summary.counts[Verdict.FAIL] == 0
    # Where the line loses even what the suite asks first, nothing is judged at all.
    assert report.lost_calls >= ATTEMPTS_MAX or not report.run.complete


def test_a_call_that_ends_the_connection_each_time_is_told_and_is_no_pass() -> None:
    server = start("oss", {})
    try:
        with carried(
            Line(server.address, loses=lambda data: b"-slug-given-" in data and API_VERSION in data)
        ) as address:
            report = run(f"grpc://{address}", options("SLUG-GIVEN"))
    finally:
        server.stop()
    result = report.of("SLUG-GIVEN")
    assert (report.exit_code, result.verdict) == (EXIT_INCOMPLETE, Verdict.NOT_RUN)
    assert "under agent.create" in result.reason
    assert "it is the server that ends it" in result.reason


def test_the_command_line_counts_lost_calls(capsys: pytest.CaptureFixture[str]) -> None:
    server = start("oss", {})
    try:
        with carried(Line(server.address, loses=once(b"-slug-given-"))) as address:
            code = parity(("conform", f"grpc://{address}", "--only", "SLUG-GIVEN"))
    finally:
        server.stop()
    assert code == EXIT_CONFORMANT
    assert re.search(r"[12] calls? lost by the connection, not by the server", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("code", "message", "lost"),
    [
        ("UNAVAILABLE", "Stream removed (Socket closed)", True),
        ("UNAVAILABLE", "Stream removed (recvmsg:Connection reset by peer (104))", True),
        ("UNAVAILABLE", "upstream connect error or disconnect/reset before headers", True),
        ("UNAVAILABLE", "the store is busy", False),
        ("NOT_FOUND", "socket closed", False),
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", False),
    ],
)
def test_the_line_and_the_server_are_told_apart(code: str, message: str, lost: bool) -> None:
    assert ended_under(code, message) is lost


def test_small_rules() -> None:
    assert likely_slug({"name": " My  Cool Agent! "}) == "my-cool-agent"
    assert likely_slug({"name": "My Agent", "slug": "Given"}) == "Given"
    row = Exchange(1, "A", "create", "agent.create", "", "/x", {}, "UNAVAILABLE", lost=True)
    assert [(one.check, one.label) for one in line_evidence([row]).exchanges] == [(LINE, "A/create")]
