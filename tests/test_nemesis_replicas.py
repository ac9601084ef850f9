"""Several servers over one PostgreSQL, under faults: one server to its clients, whichever is killed or stopped."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from conformance.credentials import read_credentials
from conformance.nemesis.faults import FAULTS
from conformance.nemesis.judge import NemesisReport
from conformance.nemesis.run import Plan, run_nemesis
from conformance.runner import Options
from conformance.verdict import EXIT_CONFORMANT, Verdict
from parity.reference import Reference
from stores.registry import scheme_of, unavailable
from stores.suite.subject import UrlSubject
from tests.postgresql import Cluster

if unavailable(scheme_of("postgresql")):
    pytest.skip(str(unavailable(scheme_of("postgresql"))), allow_module_level=True)

BETWEEN_KILLS_SECONDS = 4.0


def tormented(cluster: Cluster, folder: Path, count: int, faults: tuple[str, ...], seconds: float) -> NemesisReport:
    subject = UrlSubject.of(cluster.url, folder)
    url = subject.url_of("db")
    subject.opened.add(url)
    reference = Reference(url, "cloud", folder, folder)
    reference.prepare()
    options = Options(profile="cloud", credentials=read_credentials(reference.credentials), seed=count)
    try:
        return run_nemesis(",".join([reference.target] * count), options, Plan(faults, seconds), out=folder / "out")
    finally:
        subject.remove()


def assert_right(report: NemesisReport) -> None:
    assert {row.id: (row.problems, row.reason) for row in report.rows if row.verdict is not Verdict.PASS} == {}
    assert report.exit_code == EXIT_CONFORMANT


@pytest.mark.full
@pytest.mark.timeout(400)
@pytest.mark.parametrize("count", [1, 3])
def test_replicas_are_right_under_every_fault(cluster: Cluster, tmp_path: Path, count: int) -> None:
    assert_right(tormented(cluster, tmp_path, count, tuple(FAULTS), 60.0))


@pytest.mark.full
@pytest.mark.timeout(400)
def test_the_database_is_killed_in_the_middle_of_commits(cluster: Cluster, tmp_path: Path) -> None:
    ended, kills = threading.Event(), list[int]()

    def strike() -> None:
        while not ended.wait(BETWEEN_KILLS_SECONDS):
            process = cluster.process
            assert process is not None
            process.kill()
            process.wait(10)
            cluster.start()
            kills.append(process.pid)

    thread = threading.Thread(target=strike, daemon=True)
    thread.start()
    try:
        report = tormented(cluster, tmp_path, 2, ("delay",), 30.0)
    finally:
        ended.set()
        thread.join(60)
    assert len(kills) > 2
    assert_right(report)
