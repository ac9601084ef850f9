"""A server whose disk gets full, and is made larger under it: to be run in a mount namespace of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

import grpc
from grpc_health.v1 import health_pb2

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agent.v1.io_pb2 import AgentId
from reference_server.store_health import STORE_HEALTH
from reference_server.tests.conftest import agent
from reference_server.tests.running import Running
from stores.registry import open_store
from stores.suite.full_disk import NAMESPACE, mount

SMALL_MIB, LARGE_MIB = 40, 320
TEXT_BYTES = 200_000
CREATES_MAX = 2000
SECONDS_MAX = 60
CREATE = "ai.stigmer.agentic.agent.v1.AgentCommandController/create"
GET = "ai.stigmer.agentic.agent.v1.AgentQueryController/get"
HEALTH = "grpc.health.v1.Health/Check"


@dataclass(frozen=True, slots=True)
class Told:
    """What the server said, and which agents that it had acknowledged weren't there."""

    created: int
    refused_with: str
    while_full: str
    """The store's health."""
    server_while_full: str
    afterwards: str
    """The store's health, once there was room."""
    lost: list[str]
    lost_after_restart: list[str]


def serve_on_a_full_disk(engine: str, folder: Path) -> Told:
    """Run `main` in a mount namespace. Raises RuntimeError with what the process said if it failed."""
    command = [*NAMESPACE, sys.executable, "-m", __name__, engine, str(folder)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=2 * SECONDS_MAX)
    if done.returncode != 0:
        raise RuntimeError(f"exit code {done.returncode}: {done.stderr[-3000:]}")
    return Told(**json.loads(done.stdout.splitlines()[-1]))


def main(engine: str, folder: Path) -> Told:
    """Mount, serve, fill, make room, wait until the store is healthy, look; stop, open the store, look."""
    mount(folder, f"size={SMALL_MIB}m")
    url = f"{engine}:{folder / 'db'}"
    with served(url) as server:
        made, refused_with = fill(server)
        while_full, server_while_full = health_of(server, STORE_HEALTH), health_of(server, "")
        mount(folder, f"remount,size={LARGE_MIB}m")
        afterwards = health_until(server, "SERVING")
        made.append(server.call(CREATE, agent("Afterwards"), Agent))
        lost = [each.metadata.name for each in made if each != server.call(GET, AgentId(value=each.metadata.id), Agent)]
    with open_store(url) as store:
        gone = [each.metadata.name for each in made if store.get("agent", each.metadata.id) != each]
    return Told(len(made), refused_with, while_full, server_while_full, afterwards, lost, gone)


@contextmanager
def served(url: str) -> Iterator[Running]:
    command = [sys.executable, "-m", "parity.main", "serve", "--store", url, "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().rpartition(" ")[2].strip()
        with grpc.insecure_channel(address) as channel:
            yield Running(address, channel, None)  # type: ignore[arg-type] # the store is another process's
        process.terminate()
        assert process.wait(SECONDS_MAX) == 0
    finally:
        process.kill()
        process.wait(SECONDS_MAX)


def fill(server: Running) -> tuple[list[Agent], str]:
    """Create agents with texts that no engine makes much smaller, until one is refused."""
    made: list[Agent] = []
    for number in range(CREATES_MAX):
        request = agent(f"Agent {number}")
        request.spec.instructions = Random(number).randbytes(TEXT_BYTES // 2).hex()
        try:
            made.append(server.call(CREATE, request, Agent))
        except grpc.RpcError as error:
            return made, str(error.code().name)
    raise RuntimeError(f"{CREATES_MAX} agents went in")


def health_of(server: Running, service: str) -> str:
    answer = server.call(HEALTH, health_pb2.HealthCheckRequest(service=service), health_pb2.HealthCheckResponse)
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


def health_until(server: Running, wanted: str) -> str:
    deadline = time.monotonic() + SECONDS_MAX / 2
    while (found := health_of(server, STORE_HEALTH)) != wanted and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(main(sys.argv[1], Path(sys.argv[2])))) + "\n")
