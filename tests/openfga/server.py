"""An OpenFGA of a test's own: over SQLite in its folder, on free ports of loopback; killed, paused, started again."""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any, TypeVar

from reference_server.authorization.model import default_model
from reference_server.authorization.openfga.address import OpenFgaPlace, parse_place
from reference_server.authorization.openfga.client import OpenFgaClient
from reference_server.authorization.openfga.rendering import model_json, types_of
from reference_server.authorization.openfga.tuples import TupleKey
from reference_server.tests.certificates import Pair
from tests.openfga.build import missing, program

T = TypeVar("T")
START_SECONDS = 60.0
SECONDS = 5.0
"""So long a request waits for it: longer than a busy machine keeps it waiting."""
STOP_SECONDS = 20.0


class OpenFgaServer:
    """One server. What it holds outlives it, so that it can be killed and started again, or is in memory only."""

    def __init__(self, folder: Path, *, outlives: bool = True) -> None:
        self._folder = folder
        self.tls: Pair | None = None
        """What it speaks TLS with from its next start on."""
        self.key = ""
        """What callers must show, if anything."""
        self._engine = ["--datastore-engine", "memory"]
        if outlives:
            self._engine = ["--datastore-engine", "sqlite", "--datastore-uri", f"file:{folder / 'openfga.sqlite'}"]
        self._outlives = outlives
        self.port, self._grpc_port = free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is, without a store."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        log = (self._folder / "openfga.log").open("ab")
        with log:
            if self._outlives:
                migrate = [_program(), "migrate", *self._engine]
                subprocess.run(migrate, check=True, stdout=log, stderr=log, timeout=START_SECONDS)
            command = [_program(), "run", *self._engine, "--http-addr", f"127.0.0.1:{self.port}"]
            command += ["--grpc-addr", f"127.0.0.1:{self._grpc_port}", "--log-level", "error"]
            command += ["--metrics-enabled=false", "--playground-enabled=false"]
            if self.key:
                command += ["--authn-method", "preshared", "--authn-preshared-keys", self.key]
            if self.tls:
                command += ["--http-tls-enabled", "--http-tls-cert", str(self.tls.cert)]
                command += ["--http-tls-key", str(self.tls.key)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"OpenFGA didn't start: {(self._folder / 'openfga.log').read_text()[-2000:]}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=1)
        if self.tls:
            anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
            connection = HTTPSConnection("127.0.0.1", self.port, timeout=1, context=anybody)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == HTTPStatus.OK
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def installed(self) -> OpenFgaPlace:
        """Make a store with the server's model in it."""
        return asyncio.run(install(self.url))

    def write_model(self, store: str, model: Mapping[str, Any]) -> None:
        """Make a model the latest of a store."""
        asyncio.run(
            _with_client(parse_place(f"{self.url}?store={store}"), lambda client: client.write_model(store, model))
        )

    def change(
        self,
        place: OpenFgaPlace,
        added: Sequence[tuple[str, str, str]] = (),
        removed: Sequence[tuple[str, str, str]] = (),
    ) -> None:
        """Change tuples behind the back of the server that asks it."""
        new, old = ([TupleKey(*each) for each in some] for some in (added, removed))
        asyncio.run(_with_client(place, lambda client: client.write(new, old, place.model)))

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal: SIGSTOP pauses it, SIGCONT lets it go on."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it without warning."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_SECONDS)
            self._process = None


async def install(url: str) -> OpenFgaPlace:
    """Make a store with the server's model in it; return the place that names both."""

    async def made(client: OpenFgaClient) -> OpenFgaPlace:
        store = await client.make_store("tests")
        model = await client.write_model(store, model_json(types_of(default_model())))
        return parse_place(f"{url}?store={store}&model={model}&seconds={SECONDS:g}")

    return await _with_client(parse_place(url, needs_store=False), made)


async def _with_client(place: OpenFgaPlace, asking: Callable[[OpenFgaClient], Awaitable[T]]) -> T:
    client = OpenFgaClient(place)
    try:
        return await asking(client)
    finally:
        await client.close()


@contextmanager
def openfga(folder: Path, *, outlives: bool = True, tls: Pair | None = None, key: str = "") -> Iterator[OpenFgaServer]:
    """Start a server and end it afterwards."""
    server = OpenFgaServer(folder, outlives=outlives)
    server.tls, server.key = tls, key
    try:
        server.start()
        yield server
    finally:
        server.kill()


def free_port() -> int:
    """Return a port of loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _program() -> str:
    found = program()
    if found is None:
        raise RuntimeError(missing())
    return str(found)
