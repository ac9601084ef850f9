"""Several servers over one PostgreSQL, under faults: one server to its clients, whichever is killed or stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from conformance.address import Address
from conformance.credentials import read_credentials
from conformance.nemesis.chance import chance
from conformance.nemesis.faults import FAULTS
from conformance.nemesis.judge import NemesisReport
from conformance.nemesis.proxy import CUTS, proxies
from conformance.nemesis.run import Plan, run_nemesis
from conformance.runner import Options
from conformance.verdict import EXIT_CONFORMANT, Verdict
from parity.reference import Reference
from stores.registry import scheme_of, unavailable
from stores.suite.subject import UrlSubject
from tests.postgresql import Cluster

if unavailable(scheme_of("postgresql")):
    pytest.skip(str(unavailable(scheme_of("postgresql"))), allow_module_level=True)

BETWEEN_SECONDS = 3.0


def tormented(
    url: str,
    folder: Path,
    count: int,
    faults: tuple[str, ...],
    seconds: float,
    strike: Callable[[], None] | None = None,
) -> NemesisReport:
    """Torment replicas over a database; `strike` is done to the database again and again while the clients work."""
    subject = UrlSubject.of(url, folder)
    store = subject.url_of("db")
    subject.opened.add(store)
    reference = Reference(store, "cloud", folder, folder)
    reference.prepare()
    options = Options(profile="cloud", credentials=read_credentials(reference.credentials), seed=count)
    history, ended = folder / "out" / "history.jsonl", threading.Event()

    def striking() -> None:
        while not (history.exists() and history.stat().st_size) and not ended.wait(0.1):
            pass  # the servers start, which they don't without their database
        until = time.monotonic() + seconds - BETWEEN_SECONDS
        while strike is not None and time.monotonic() < until and not ended.wait(BETWEEN_SECONDS):
            strike()

    thread = threading.Thread(target=striking, daemon=True)
    thread.start()
    try:
        return run_nemesis(",".join([reference.target] * count), options, Plan(faults, seconds), out=folder / "out")
    finally:
        ended.set()
        thread.join(60)
        subject.remove()


def assert_right(report: NemesisReport) -> None:
    assert {row.id: (row.problems, row.reason) for row in report.rows if row.verdict is not Verdict.PASS} == {}
    assert report.exit_code == EXIT_CONFORMANT


@pytest.mark.full
@pytest.mark.timeout(400)
@pytest.mark.parametrize("count", [1, 3])
def test_replicas_are_right_under_every_fault(cluster: Cluster, tmp_path: Path, count: int) -> None:
    assert_right(tormented(cluster.url, tmp_path, count, tuple(FAULTS), 60.0))


@pytest.mark.full
@pytest.mark.timeout(400)
def test_connections_to_the_database_break_at_every_step(cluster: Cluster, tmp_path: Path) -> None:
    """Within and after a commit's request, within and before its answer; or the database says nothing for a while."""
    with proxies([Address(f"127.0.0.1:{cluster.port}")], chance(7)) as (proxy,):

        def strike() -> None:
            for _ in range(12):
                proxy.cut()
                time.sleep(0.1)
            proxy.silence()
            time.sleep(0.5)
            proxy.heal()

        url = cluster.url.replace(f":{cluster.port}/", f":{proxy.port}/")
        report = tormented(url, tmp_path, 2, ("delay",), 30.0, strike)
        counts = dict(proxy.counts)
    assert {f"closed {cut}" for cut in CUTS} <= counts.keys(), counts
    assert counts["bytes dropped"]
    assert_right(report)
