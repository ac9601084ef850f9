"""One server of two is cut off from the database, which nobody tells it: it answers all the same, and says so."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from conformance import samples
from conformance.address import Address
from conformance.credentials import read_credentials
from conformance.methods import METHODS, Proto
from conformance.nemesis.chance import chance
from conformance.nemesis.client import Answer, ask
from conformance.nemesis.proxy import Proxy, proxies
from parity.reference import Reference
from stores.registry import scheme_of, unavailable
from stores.suite.subject import UrlSubject
from tests import postgresql
from tests.database_faults import cut_off
from tests.database_faults.namespaces import NETWORK, missing, within
from tests.postgresql import Cluster

if unavailable(scheme_of("postgresql")):
    pytest.skip(str(unavailable(scheme_of("postgresql"))), allow_module_level=True)

STORE = "parity.store"
SOON_SECONDS = 2.0
NOTICED_SECONDS = 20.0
PATIENT_SECONDS = 60.0
FAR_HOST = "127.0.0.11"
DROPS = "PARITY_TESTS_DROP_PACKETS"
"""Set where this runs in a network of its own."""
GIVEN_UP_SECONDS = 20.0
"""After this the kernel has given up the connections on which something was said (`tcp_user_timeout`)."""


@dataclass
class Server:
    """One server, and its operator."""

    channel: grpc.Channel
    token: str

    def ask(self, method: str, request: Proto, seconds: float = PATIENT_SECONDS) -> Answer:
        return ask(self.channel, method, request, (("authorization", f"Bearer {self.token}"),), seconds)

    def create(self, name: str, seconds: float = PATIENT_SECONDS) -> Answer:
        return self.ask("agent.create", samples.agent(name, "acme"), seconds)

    def get(self, agent: str, seconds: float = PATIENT_SECONDS) -> Answer:
        return self.ask("agent.get", METHODS["agent.get"].request(value=agent), seconds)

    def health(self, service: str = STORE) -> str:
        stub = health_pb2_grpc.HealthStub(self.channel)
        status = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=PATIENT_SECONDS).status
        return str(health_pb2.HealthCheckResponse.ServingStatus.Name(status))


@contextmanager
def served(url: str, folder: Path) -> Iterator[Server]:
    reference = Reference(url, "cloud", folder, folder)
    reference.prepare()
    with reference.started() as running, grpc.insecure_channel(running.address) as channel:
        yield Server(channel, read_credentials(reference.credentials).roles["operator"].token)


@pytest.fixture
def way(cluster: Cluster) -> Iterator[Proxy]:
    with proxies([Address(f"127.0.0.1:{cluster.port}")], chance(1)) as (made,):
        yield made


@contextmanager
def two_servers(through: str, url: str, folder: Path) -> Iterator[tuple[Server, Server]]:
    """Serve one store over two URLs of its database."""
    subjects = [UrlSubject.of(each, folder) for each in (through, url)]
    subjects[1].opened.add(subjects[1].url_of("db"))
    with ExitStack() as stack:
        far, near = (
            stack.enter_context(served(subject.url_of("db"), folder / name))
            for subject, name in zip(subjects, ("far", "near"), strict=True)
        )
        yield far, near
    subjects[1].remove()


def until(true: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def comes_back(far: Server, near: Server, cut: Callable[[], None], mend: Callable[[], None], held: float = 0) -> None:
    """Cut the far server off, look at both, wait a while, mend, and look again."""
    agent = far.create("before").message.metadata.id
    assert near.get(agent).code == "OK"
    cut()
    began = time.monotonic()
    assert far.get(agent, SOON_SECONDS).code in {"DEADLINE_EXCEEDED", "UNAVAILABLE"}
    assert far.create("lost", SOON_SECONDS).code in {"DEADLINE_EXCEEDED", "UNAVAILABLE"}
    assert time.monotonic() - began < 3 * SOON_SECONDS
    until(lambda: far.health() == "NOT_SERVING", NOTICED_SECONDS)
    assert far.health("") == "SERVING", "it answers, though it can't do much"
    assert near.health() == "SERVING"
    with ThreadPoolExecutor(16) as pool:
        began = time.monotonic()
        patient = [pool.submit(far.get, agent) for _ in range(16)]
        assert {each.result().code for each in patient} == {"UNAVAILABLE"}
        assert time.monotonic() - began < PATIENT_SECONDS / 4, "who waits for ever is answered as well"
    assert far.create("meanwhile").code == "UNAVAILABLE"
    other = near.create("meanwhile")
    assert (other.code, near.get(agent).code) == ("OK", "OK"), "the others go on"
    time.sleep(held)
    mend()
    until(lambda: far.health() == "SERVING", NOTICED_SECONDS)
    assert far.get(other.message.metadata.id).message == other.message
    assert far.create("after").code == "OK"
    assert near.ask("agent.by_reference", samples.reference("lost", "acme")).code == "NOT_FOUND"


@pytest.mark.timeout(120)
def test_a_server_that_is_cut_off_says_so_and_comes_back(cluster: Cluster, way: Proxy, tmp_path: Path) -> None:
    through = cluster.url.replace(f":{cluster.port}/", f":{way.port}/")
    with two_servers(through, cluster.url, tmp_path) as (far, near):
        comes_back(far, near, way.part, way.heal)


@pytest.mark.full
@pytest.mark.timeout(300)
@pytest.mark.skipif(not os.environ.get(DROPS), reason="runs in a network of its own, which the next test makes")
def test_packets_that_are_dropped(tmp_path: Path) -> None:
    cut_off.prepare()
    with (
        postgresql.cluster({"listen_addresses": f"127.0.0.1,{FAR_HOST}"}) as made,
        two_servers(made.url.replace("127.0.0.1", FAR_HOST), made.url, tmp_path) as (far, near),
    ):
        comes_back(far, near, lambda: cut_off.cut(FAR_HOST), lambda: cut_off.mend(FAR_HOST), GIVEN_UP_SECONDS)


@pytest.mark.full
@pytest.mark.timeout(400)
def test_a_network_that_drops_packets() -> None:
    if why := missing(NETWORK):
        pytest.skip(why)
    command = within(NETWORK, ["-m", "pytest", "-q", f"{__file__}::{test_packets_that_are_dropped.__name__}"])
    environment = {**os.environ, DROPS: "1"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=390, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
