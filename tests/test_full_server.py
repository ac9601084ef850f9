"""The suite on a server that strangers have filled: answers longer than any other are judged whole."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import pytest

from conformance.evidence_file import large_path, read_evidence
from conformance.rejudge import judge_run
from conformance.run_context import PROFILES, profile_named
from conformance.verdict import EVIDENCE_FILE, Verdict
from tests.full_server import AGENTS, EVENTS, POLICIES, counts, fill, judged, options

SOME, FEW_EVENTS = 300, 600
LISTS = ("LST-VISIBLE", "LST-KIND", "SEND-LIST", "RED-LIST")
LONG_ANSWER = 8 * 1024 * 1024
LARGE_AGENT, LARGE_AGENTS = 80_000, 180
"""Two in three of them are in the organization that is listed: together more than 8 MiB."""


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory) -> str:
    return fill(tmp_path_factory.mktemp("some"), agents=SOME, events=FEW_EVENTS)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = fill(tmp_path_factory.mktemp("many"))
    found = counts(url)
    assert found["agent"] >= AGENTS
    assert found["iam_policy"] >= POLICIES
    assert found["event"] >= EVENTS
    return url


def verdicts(url: str, out: Path) -> dict[str, Verdict]:
    report = judged(url, options("cloud", quick=True, only=LISTS), out).report
    again = judge_run(read_evidence(out / EVIDENCE_FILE))
    assert {row.id: row.verdict for row in again.results} == {row.id: row.verdict for row in report.results}
    return {row.id: row.verdict for row in report.results}


def leak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reference_server.steps.list_resources.redacted", lambda kind, resource: resource)


def test_a_right_server_passes_though_its_lists_are_long(some: str, tmp_path: Path) -> None:
    found = verdicts(some, tmp_path)
    assert set(found.values()) == {Verdict.PASS}, found
    assert large_path(tmp_path / EVIDENCE_FILE).exists(), "no answer was long"


def test_a_secret_in_a_long_list_is_seen(some: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leak(monkeypatch)
    assert verdicts(some, tmp_path)["RED-LIST"] is Verdict.FAIL


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("profile", PROFILES)
def test_the_whole_suite_is_green_on_a_full_server(many: str, profile: str, tmp_path: Path) -> None:
    report = judged(many, options(profile_named(profile)), tmp_path).report
    assert (report.exit_code, report.failing(), report.leaks) == (0, (), ())


@pytest.mark.full
@pytest.mark.timeout(600)
def test_a_secret_on_a_full_server_is_seen(many: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leak(monkeypatch)
    assert verdicts(many, tmp_path)["RED-LIST"] is Verdict.FAIL


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("leaking", "wanted"), [(False, Verdict.PASS), (True, Verdict.FAIL)], ids=["right", "leaks"])
def test_a_list_of_8_mb_is_judged_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, leaking: bool, wanted: Verdict
) -> None:
    monkeypatch.setattr("reference_server.steps.list_resources._PAGE_BYTES_MAX", 4 * LONG_ANSWER)
    if leaking:
        leak(monkeypatch)
    url = fill(tmp_path, agents=LARGE_AGENTS, events=0, padding=LARGE_AGENT)
    assert verdicts(url, tmp_path)["RED-LIST"] is wanted
    with ZipFile(large_path(tmp_path / EVIDENCE_FILE)) as large:
        assert max(entry.file_size for entry in large.infolist()) > LONG_ANSWER
