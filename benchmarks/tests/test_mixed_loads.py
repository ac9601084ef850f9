"""Loads of several sorts of calls, made by several processes; latencies as histograms."""

from __future__ import annotations

import asyncio
import base64
import math
import random
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from benchmarks.server.calls import agent_to_create, encoded
from benchmarks.server.latency import encoded as encoded_latencies
from benchmarks.server.latency import merged, percentile_us
from benchmarks.server.launch import run_turns_in_processes, run_watch
from benchmarks.server.load import LoadFailed, LoadPlan, LoadReport, Traffic
from benchmarks.server.processes import Credentials, Running, make_credentials, reference, started
from benchmarks.server.turns import TurnsPlan, run_turns
from benchmarks.server.watching import WatchPlan
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agent.v1.io_pb2 import AgentId


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("bare")
    (folder / "fixed").write_bytes(b"fixed")
    with started([sys.executable, "-m", "benchmarks.children.bare", str(folder / "fixed")], folder / "log") as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("server")
    with reference("memory:", "oss", Credentials(Path(), {}), folder / "log") as running:
        yield running


def agent() -> Agent:
    return agent_to_create(1, "small")


def one_process(plan: LoadPlan) -> LoadReport:
    (report,) = run_turns(TurnsPlan((plan,)))
    return report


def test_each_sort_of_call_has_its_share(bare: Running) -> None:
    traffic = (Traffic("echo", (_text(b"x"),), share=3), Traffic("fixed", (_text(b"y"),), share=1))
    report = one_process(LoadPlan(bare.address, traffic, seconds=20.0, calls=2_000))
    counts = {name: part.statuses[0] for name, part in report.operations.items()}
    assert sum(counts.values()) == 2_000
    assert counts["echo"] == pytest.approx(1_500, abs=120)
    assert {base64.b64decode(one) for one in report.operations["fixed"].samples} == {b"fixed"}


def test_a_life_follows_the_agent_that_was_answered(server: Running) -> None:
    create = Traffic("create", encoded([agent()]), unique="life", then=("get", "update", "delete"))
    report = one_process(LoadPlan(server.address, (create,), seconds=20.0, calls=10, concurrency=4))
    assert {name: part.statuses for name, part in report.operations.items()} == {
        name: {0: 10} for name in ("create", "get", "update", "delete")
    }
    (changed,) = {
        Agent.FromString(base64.b64decode(one)).spec.instructions[:7] for one in report.operations["delete"].samples
    }
    assert changed == "Changed"
    gone = Agent.FromString(base64.b64decode(report.operations["delete"].samples[0])).metadata.id
    after = one_process(
        LoadPlan(server.address, (Traffic("get", encoded([AgentId(value=gone)])),), seconds=5.0, calls=1)
    )
    assert after.statuses == {5: 1}


def test_what_does_not_answer_an_agent_has_no_life(bare: Running) -> None:
    broken = Traffic("echo", (_text(b"\xff\xff"),), then=("get",))
    with pytest.raises(LoadFailed, match="no agent"):
        one_process(LoadPlan(bare.address, (broken,), seconds=5.0, calls=2))


def test_two_processes_make_one_load_with_names_of_their_own(server: Running) -> None:
    create = Traffic("create", encoded([agent()]), unique="shared")
    plan = LoadPlan(server.address, (create,), seconds=20.0, calls=41, concurrency=6, samples_kept=100)
    (report,) = run_turns_in_processes(TurnsPlan((plan,)), processes=2)
    names = {Agent.FromString(base64.b64decode(one)).metadata.name for one in report.samples}
    assert report.statuses == {0: 41}
    assert len(names) == 41
    assert {name.split("-")[1] for name in names} == {"0", "1"}


def test_two_processes_keep_the_rate_of_one(bare: Running) -> None:
    plan = LoadPlan(bare.address, (Traffic("echo", (_text(b"x"),)),), seconds=1.0, rate=200.0)
    (report,) = run_turns_in_processes(TurnsPlan((plan,)), processes=2)
    assert report.statuses[0] + report.dropped == pytest.approx(200, abs=4)


def test_a_process_that_finds_no_server_says_so() -> None:
    plan = LoadPlan("127.0.0.1:1", (Traffic("echo", (_text(b"x"),)),), seconds=0.2)
    with pytest.raises(LoadFailed, match=r"127\.0\.0\.1:1"):
        run_turns_in_processes(TurnsPlan((plan,)), processes=2)


def test_answers_that_are_kept_are_from_the_whole_load(bare: Running) -> None:
    messages = tuple(_text(b"%d" % number) for number in range(1_000))
    report = one_process(LoadPlan(bare.address, (Traffic("echo", messages),), seconds=20.0, calls=1_000))
    kept = [int(base64.b64decode(one)) for one in report.samples]
    assert len(kept) == 64
    assert max(kept) > 500


def test_histograms_merge_without_loss_to_three_digits() -> None:
    draw = random.Random(1)
    values = [math.exp(draw.gauss(7, 1.5)) for _ in range(20_000)]
    ordered = sorted(values)
    whole = merged([encoded_latencies(values[place::3]) for place in range(3)])
    assert whole.total_count == len(values)
    for share in (50.0, 99.0, 99.9, 99.99):
        found, rank = percentile_us(whole, share), round(share / 100 * len(ordered))
        assert ordered[rank - 2] * 0.998 < found < ordered[rank] * 1.002
    assert whole.get_max_value() == pytest.approx(max(values), rel=0.002)


def test_a_latency_beyond_the_histogram_counts_as_its_end() -> None:
    assert merged([encoded_latencies([1e12, 0.2])]).total_count == 2


def _text(message: bytes) -> str:
    return base64.b64encode(message).decode()


# ---- watchers


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Credentials]]:
    folder = tmp_path_factory.mktemp("cloud")
    credentials = make_credentials(folder)
    with reference("memory:", "cloud", credentials, folder / "log") as running:
        yield running, credentials


def test_every_watcher_gets_every_event(cloud: tuple[Running, Credentials]) -> None:
    running, credentials = cloud
    message = _text(agent().SerializeToString())
    report = run_watch(WatchPlan(running.address, 60, 3, message, "watched", credentials.metadata))
    assert (len(report.delays_us), report.lost, report.refused) == (180, 0, "")
    assert 0 <= max(report.delays_us) < 5e6
    assert report.headroom > 0


def test_who_may_not_watch_is_told_so(cloud: tuple[Running, Credentials], server: Running) -> None:
    message = _text(agent().SerializeToString())
    assert run_watch(WatchPlan(cloud[0].address, 2, 1, message, "w")).refused.startswith("UNAUTHENTICATED")
    assert run_watch(WatchPlan(server.address, 2, 1, message, "w")).refused.startswith("it has no ")


# ---- what the generator says of a server, where it is known


class StallingServer:
    """A bare server whose event loop stands still for `stall_s` of every `period_s`."""

    def __init__(self, stall_s: float, period_s: float) -> None:
        self.address = ""
        self._stall_s, self._period_s = stall_s, period_s
        self._ready, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    async def _serve(self) -> None:
        async def echo(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
            return request

        server = grpc.aio.server()
        handlers = {"echo": grpc.unary_unary_rpc_method_handler(echo)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("parity.bench.Bare", handlers),))
        self.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        await server.start()
        self._ready.set()
        while not self._over.is_set():
            await asyncio.sleep(self._period_s - self._stall_s)
            time.sleep(self._stall_s)  # noqa: ASYNC251 - this is the stall
        await server.stop(None)

    def __enter__(self) -> str:
        self._thread.start()
        assert self._ready.wait(20)
        return self.address

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(20)


def test_a_server_that_stands_still_has_the_p99_that_follows_from_it() -> None:
    # A tenth of the calls are due in a stall, and wait evenly between nothing and all of it: so 99 of 100 wait less
    # than nine tenths of a stall. A closed loop would have sent next to nothing meanwhile.
    stall = 0.3
    with StallingServer(stall, 10 * stall) as address:
        traffic = (Traffic("echo", (_text(b"x"),)),)
        report = one_process(LoadPlan(address, traffic, seconds=20 * stall, rate=200.0, connections=1))
    found = percentile_us(merged([encoded_latencies(report.response_us)]), 99.0)
    assert found == pytest.approx(0.9 * stall * 1e6, rel=0.4)  # a busy machine adds stalls of its own
