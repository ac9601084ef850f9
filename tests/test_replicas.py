"""Several servers over one database behave as one."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import orjson
import pytest

from conformance import samples
from conformance.credentials import read_credentials
from conformance.methods import METHODS
from conformance.runner import Options, run
from conformance.verdict import Report, Verdict
from parity.main import run as run_parity
from parity.reference import Reference
from stores.registry import open_store, unavailable
from stores.registry import scheme_of as scheme
from stores.suite.samples import put
from tests.mutants.hosting import token_file

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
    "REP-*",
)
"""What needs that one server reads, refuses and announces what another has done."""


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
            quick=quick,
            seed=int(time.time()),
        )
        return run(target, options)


def assert_conformant(report: Report) -> None:
    bad = [row for row in report.results if row.verdict not in {Verdict.PASS, Verdict.NOT_APPLICABLE}]
    assert not bad, (report.run.seed, bad)
    assert report.run.complete, report.run.reason


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("count", "profile"), [(2, "cloud"), (3, "cloud"), (3, "oss")])
def test_several_servers_are_one(url: str, tmp_path: Path, count: int, profile: str) -> None:
    report = judged(url, profile, tmp_path, count, ACROSS, quick=True)
    assert_conformant(report)
    asked = [row for row in report.results if profile in row.profiles]
    assert [row.id for row in asked if row.verdict is not Verdict.PASS] == []
    assert len([row for row in asked if row.id.startswith("REP-")]) == (8 if profile == "cloud" else 5)


@pytest.mark.full
@pytest.mark.timeout(1200)
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


@contextmanager
def served(url: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`parity serve` as a process; yields it and its address."""
    command = [sys.executable, "-m", "parity.main", "serve", "--store", url, "--listen", "127.0.0.1:0", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("listening on "), line
        yield process, line.split()[-1]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def replicas_of(pid: int) -> list[int]:
    """The replicas that a process has started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(each) for each in children if "spawn_main" in Path(f"/proc/{each}/cmdline").read_text()]


def answers(address: str) -> bool:
    with grpc.insecure_channel(address) as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check", None, None)
        try:
            check(b"", timeout=5, wait_for_ready=True)
        except grpc.RpcError:
            return False
        return True


def until(true: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for child processes in /proc")
def test_replicas_share_a_port_and_are_looked_after(url: str) -> None:
    with served(url, "--replicas", "2") as (process, address):
        first = replicas_of(process.pid)
        assert len(first) == 2
        os.kill(first[0], signal.SIGKILL)
        assert all(answers(address) for _ in range(5)), "the other one serves meanwhile"
        until(lambda: len(set(replicas_of(process.pid)) - set(first)) == 1)
        process.terminate()
        assert process.wait(30) == 0
        assert not answers(address)


@pytest.mark.full
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for child processes in /proc")
def test_replicas_end_with_whoever_looks_after_them(url: str) -> None:
    with served(url, "--replicas", "2") as (process, _):
        left = replicas_of(process.pid)
        process.kill()
        until(lambda: not any(Path(f"/proc/{each}").is_dir() for each in left))


def create(address: str, name: str) -> None:
    request = samples.agent(name, "acme")
    with grpc.insecure_channel(address) as channel:
        call: Any = channel.unary_unary(METHODS["agent.create"].path, None, None)
        call(request.SerializeToString(), metadata=(("authorization", "Bearer token-operator"),), timeout=30)


def delivered(log: Path) -> list[str]:
    """The ids of the events in a log, each where it stands first."""
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return list(dict.fromkeys(orjson.loads(line)["id"] for line in lines))


@pytest.mark.full
@pytest.mark.timeout(300)
def test_events_are_delivered_by_whoever_is_left(url: str, tmp_path: Path) -> None:
    """Each server is killed once, so the one that delivered was; nothing is lost, and the order stays."""
    tokens, log = tmp_path / "tokens.toml", tmp_path / "events"
    tokens.write_text(token_file(), encoding="utf-8")
    arguments = ("--profile", "cloud", "--tokens", str(tokens), "--event-log", str(log))
    with served(url, *arguments) as (first, at_first), served(url, *arguments) as (second, at_second):
        for number in range(6):
            create(at_first if number % 2 else at_second, f"both {number}")
        until(lambda: len(delivered(log)) == 12)
        first.kill()
        for number in range(4):
            create(at_second, f"second {number}")
        until(lambda: len(delivered(log)) == 20)
        with served(url, *arguments) as (_, at_third):
            second.kill()
            for number in range(4):
                create(at_third, f"third {number}")
            until(lambda: len(delivered(log)) == 28)
    with open_store(url) as store:
        assert delivered(log) == [row.id for row in store.scan("event")]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--store", "memory:"], "need a store that they can share"),
        (["--store", "postgresql://127.0.0.1/x", "--listen", "unix:/tmp/s"], "can't share a unix socket"),
        (["--store", "postgresql://u:s3cret@127.0.0.1:9/x", "--print-config"], "takes no password"),
    ],
)
def test_replicas_that_cant_be_had_are_refused(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_parity(["serve", "--listen", "127.0.0.1:0", "--replicas", "2", *arguments]) == 2
    said = capsys.readouterr()
    assert told in said.err
    assert "s3cret" not in said.err + said.out


def test_a_database_that_is_away_is_told_by_the_first_replica() -> None:
    arguments = ["--replicas", "2", "--store", "postgresql://u@127.0.0.1:9/x", "--listen", "127.0.0.1:0"]
    command = [sys.executable, "-m", "parity.main", "serve", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, "is the database up" in ended.stderr) == (3, True), ended.stderr
    assert "Traceback" not in ended.stderr
