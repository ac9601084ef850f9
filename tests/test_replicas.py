"""Several servers over one database behave as one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from conformance.credentials import read_credentials
from conformance.features import read_declaration
from conformance.runner import Options, run
from conformance.verdict import Report, Verdict
from parity.reference import Reference
from stores.registry import open_store, unavailable
from stores.registry import scheme_of as scheme
from stores.suite.samples import put
from stores.suite.subject import UrlSubject
from tests.postgresql import Cluster

if unavailable(scheme("postgresql")):
    pytest.skip(str(unavailable(scheme("postgresql"))), allow_module_level=True)

ACROSS = (
    "ORD-RACE",
    "IAM-EFFECT",
    "PUB-AGENT",
    "PUB-ORDER",
    "PUB-DURABLE",
    "PERSIST-ALL",
    "UPD-SPEC",
    "DEL-GONE",
    "DUP-SLUG",
)
"""What needs that one server reads, refuses and announces what another has done."""


@pytest.fixture
def url(cluster: Cluster, tmp_path: Path) -> Iterator[str]:
    subject = UrlSubject.of(cluster.url, tmp_path)
    subject.opened.add(subject.url_of("db"))
    yield subject.url_of("db")
    subject.remove()


def judged(url: str, profile: str, folder: Path, count: int, only: tuple[str, ...] = (), *, quick: bool) -> Report:
    reference = Reference(url, profile, folder, folder)
    reference.prepare()
    with ExitStack() as stack:
        servers = [stack.enter_context(reference.started()) for _ in range(count)]
        target = ",".join(f"grpc://{server.address}" for server in servers)
        options = Options(
            profile="cloud" if profile == "cloud" else "oss",
            only=only,
            credentials=read_credentials(reference.credentials),
            declaration=read_declaration(reference.declaration) if count == 1 else Options().declaration,
            quick=quick,
            seed=int(time.time()),
        )
        return run(target, options)


def assert_conformant(report: Report) -> None:
    bad = [row for row in report.results if row.verdict not in {Verdict.PASS, Verdict.NOT_APPLICABLE}]
    assert not bad, (report.run.seed, bad)
    assert report.run.complete, report.run.reason


@pytest.mark.timeout(120)
def test_two_servers_are_one(url: str, tmp_path: Path) -> None:
    report = judged(url, "cloud", tmp_path, 2, ACROSS, quick=True)
    assert_conformant(report)
    assert sum(row.verdict is Verdict.PASS for row in report.results) >= len(ACROSS) - 1


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("profile", ["cloud", "oss"])
@pytest.mark.parametrize("count", [1, 3])
def test_the_whole_suite(url: str, tmp_path: Path, profile: str, count: int) -> None:
    assert_conformant(judged(url, profile, tmp_path, count, quick=False))


def test_one_leads_and_another_takes_over(url: str) -> None:
    with open_store(url, create=True) as one, open_store(url) as two:
        assert one.try_lead(), "nobody leads yet"  # type: ignore[attr-defined] # a store with shared writers
        assert one.try_lead()  # type: ignore[attr-defined]
        assert not two.try_lead()  # type: ignore[attr-defined]
        one.close()
        deadline = time.monotonic() + 10
        while not two.try_lead():  # type: ignore[attr-defined]
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_the_event_loop_goes_on_while_the_database_is_silent(url: str) -> None:
    from stores.bridge import bridged

    async def main() -> int:
        turns = 0
        with open_store(url, create=True) as store:
            await asyncio.to_thread(store.commit, [put("a")])

            def slow() -> object:
                with store._connections.borrowed() as connection:  # type: ignore[attr-defined]
                    connection.execute("SELECT pg_sleep(0.3)")
                return store.get_bytes("agent", "a")

            waiting = asyncio.create_task(bridged(slow))
            while not waiting.done():
                await asyncio.sleep(0.01)
                turns += 1
            assert await waiting is not None
        return turns

    assert asyncio.run(main()) >= 5
