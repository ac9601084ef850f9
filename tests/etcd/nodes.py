"""Three nodes of etcd on loopback, and its API over JSON."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

PROGRAM = shutil.which("etcd")
START_SECONDS, STOP_SECONDS, CALL_SECONDS = 30.0, 10.0, 10.0


class EtcdRefused(Exception):
    """etcd answered with an error."""


@dataclass
class Node:
    """One node. `port` is for clients."""

    name: str
    port: int
    process: subprocess.Popen[bytes]

    @contextmanager
    def connection(self) -> Iterator[HTTPConnection]:
        """Keep a connection open between calls."""
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=CALL_SECONDS)) as connection:
            yield connection

    def call(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Make one call over a connection of its own. Raises as `call`."""
        with self.connection() as connection:
            return call(connection, path, body)


def call(connection: HTTPConnection, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Return the answer. Raises EtcdRefused, OSError, HTTPException."""
    connection.request("POST", f"/v3/{path}", json.dumps(body).encode(), {"content-type": "application/json"})
    response = connection.getresponse()
    answer: dict[str, Any] = json.loads(response.read() or b"{}")
    if "error" in answer:
        raise EtcdRefused(str(answer["error"]))
    return answer


def encoded(data: bytes) -> str:
    """Return bytes as the API takes them."""
    return base64.b64encode(data).decode()


def put(key: bytes, value: bytes) -> dict[str, Any]:
    """Return the operation that writes a key."""
    return {"requestPut": {"key": encoded(key), "value": encoded(value)}}


def is_absent(key: bytes) -> dict[str, Any]:
    """Return the comparison that holds where a key isn't there."""
    return {"key": encoded(key), "target": "CREATE", "result": "EQUAL", "createRevision": "0"}


@contextmanager
def nodes(folder: Path) -> Iterator[list[Node]]:
    """Start three, wait until they have a leader, end them."""
    ports = _free_ports(6)
    names = ["n0", "n1", "n2"]
    peers = ",".join(f"{name}=http://127.0.0.1:{port}" for name, port in zip(names, ports[3:], strict=True))
    with ExitStack() as stack:
        places = zip(names, ports[:3], ports[3:], strict=True)
        made = [stack.enter_context(_node(folder, name, port, peer, peers)) for name, port, peer in places]
        until = time.monotonic() + START_SECONDS
        while leader(made) is None:
            if time.monotonic() > until:
                raise EtcdRefused("there is no leader")
            time.sleep(0.1)
        yield made


def leader(made: Sequence[Node]) -> Node | None:
    """Return the node that leads, if any says so."""
    for node in made:
        with suppress(OSError, HTTPException, EtcdRefused):
            status = node.call("maintenance/status", {})
            if status.get("leader") == status["header"]["member_id"]:
                return node
    return None


@contextmanager
def _node(folder: Path, name: str, port: int, peer: int, peers: str) -> Iterator[Node]:
    assert PROGRAM is not None
    client, own = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer}"
    command = [PROGRAM, "--name", name, "--data-dir", str(folder / name), "--log-level", "error"]
    command += ["--listen-client-urls", client, "--advertise-client-urls", client]
    command += ["--listen-peer-urls", own, "--initial-advertise-peer-urls", own]
    command += ["--initial-cluster", peers, "--initial-cluster-state", "new"]
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield Node(name, port, process)
    finally:
        process.kill()
        process.wait(STOP_SECONDS)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
