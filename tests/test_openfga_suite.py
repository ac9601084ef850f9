"""The suite's cloud profile judges a server whose authorizer is OpenFGA: one over LevelDB, two over PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from conformance.credentials import read_credentials
from conformance.runner import Options, run
from conformance.verdict import Report, Verdict
from parity.reference import Reference
from stores.registry import scheme_of, unavailable
from stores.suite.subject import UrlSubject
from tests.openfga.build import missing
from tests.openfga.server import OpenFgaServer, openfga
from tests.postgresql import Cluster

DECIDED = (
    "AUTH-*",
    "IAM-*",
    "PERM-*",
    "SEEN-*",
    "FILTER-*",
    "EVT-*",
    "GET-*",
    "RACE-REVOKE",
    "LOAD-POLICY",
    "ORD-RACE",
)
"""What permissions are in, and what waits for OpenFGA to follow."""

pytestmark = [pytest.mark.skipif(missing() is not None, reason=str(missing())), pytest.mark.timeout(900)]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenFgaServer]:
    """An OpenFGA that each server started from here has as authorizer."""
    with openfga(tmp_path, outlives=False) as running:
        monkeypatch.setenv("PARITY_SERVER_AUTHORIZER", running.installed().setting)
        yield running


def judged(url: str, folder: Path, count: int, only: tuple[str, ...]) -> Report:
    reference = Reference(url, "cloud", folder, folder)
    reference.prepare()
    options = Options(
        profile="cloud", only=only, credentials=read_credentials(reference.credentials), quick=True, seed=20_261_127
    )
    with ExitStack() as stack:
        servers = [stack.enter_context(reference.started()) for _ in range(count)]
        return run(",".join(f"grpc://{each.address}" for each in servers), options)


def assert_conformant(report: Report) -> None:
    bad = [row for row in report.results if row.verdict not in {Verdict.PASS, Verdict.NOT_APPLICABLE}]
    assert bad == []
    assert report.run.complete, report.run.reason
    assert sum(row.verdict is Verdict.PASS for row in report.results) >= len(DECIDED)


@pytest.mark.parametrize("only", [DECIDED, pytest.param((), marks=pytest.mark.full, id="all")])
def test_one_server_over_leveldb(only: tuple[str, ...], server: OpenFgaServer, tmp_path: Path) -> None:
    report = judged(f"leveldb:{tmp_path / 'db'}", tmp_path, 1, only)
    assert_conformant(report)
    log = (tmp_path / "server.log").read_text(encoding="utf-8")
    assert "OpenFGA answers and follows" in log
    assert "OpenFGA refuses what stored policies allow" not in log


@pytest.mark.full
@pytest.mark.skipif(bool(unavailable(scheme_of("postgresql"))), reason=str(unavailable(scheme_of("postgresql"))))
def test_two_servers_over_postgresql(server: OpenFgaServer, tmp_path: Path, cluster: Cluster) -> None:
    subject = UrlSubject.of(cluster.url, tmp_path)
    url = subject.url_of("db")
    subject.opened.add(url)
    try:
        assert_conformant(judged(url, tmp_path, 2, ()))
    finally:
        subject.remove()
