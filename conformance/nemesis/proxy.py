"""A proxy of TCP in front of an address, which passes on what is said until it is told to be worse than that.

It knows nothing of HTTP/2, so it stands before any server, also one that speaks TLS.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from random import Random

from conformance.address import Address
from conformance.nemesis.chance import another

CHUNK_BYTES = 65536
START_SECONDS = 10.0
LINGER_SECONDS = 0.05
"""How long the server's end stays open where a request is to arrive whole and its answer is not."""
CUTS = ("at once", "within a request", "after a request", "within an answer", "before an answer")
"""Where a connection can break."""


@dataclass(eq=False)
class Line:
    """One connection that is carried."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    silenced: bool = False
    """Whether what the server says is dropped."""
    unheard: bool = False
    """Whether what the client says is dropped."""
    cut: str = ""
    """Where it is to break, of `CUTS`."""

    def abort(self) -> None:
        """End both sides at once."""
        for writer in (self.client, self.server):
            writer.transport.abort()


@dataclass
class Proxy:
    """One proxy. What is public here may be called from any thread."""

    upstream: Address
    random: Random
    counts: Counter[str] = field(default_factory=Counter)
    """What it did to connections, since it began."""
    delay_seconds: tuple[float, float] = (0.0, 0.0)
    """Between which times each piece waits."""
    port: int = 0
    _parted: bool = False
    _lines: set[Line] = field(default_factory=set)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    @property
    def address(self) -> Address:
        """What to call instead of the upstream address; a certificate is still the upstream's."""
        host = self.upstream.name.rpartition(":")[0].strip("[]")
        return replace(self.upstream, name=f"127.0.0.1:{self.port}", host=host if self.upstream.secure else "")

    def silence(self) -> None:
        """From now on drop what the server says on one connection."""
        self._choose(lambda line: not line.silenced, self._silence)

    def break_silenced(self) -> None:
        """Break the connections that were silenced."""

        def end() -> None:
            for line in [line for line in self._lines if line.silenced]:
                self._break(line)

        self._on_loop(end)

    def cut(self) -> None:
        """Break one connection, at a place that chance chooses."""
        self._choose(lambda line: not line.cut, self._cut)

    def part(self) -> None:
        """From now on drop whatever is said, either way, on all connections and on new ones; none of them ends."""
        self._parted = True

        def drop() -> None:
            for line in self._lines:
                line.silenced = line.unheard = True

        self._on_loop(drop)

    def heal(self) -> None:
        """Pass on again whatever is said; connections of which something is missing are broken."""
        self.delay_seconds = (0.0, 0.0)
        self._parted = False
        self.break_silenced()

        def whole() -> None:
            for line in self._lines:
                line.cut = ""

        self._on_loop(whole)

    def _on_loop(self, function: Callable[[], object]) -> None:
        self._loop.call_soon_threadsafe(function)

    def _choose(self, fits: Callable[[Line], bool], do: Callable[[Line], None]) -> None:
        def chosen() -> None:
            lines = [line for line in self._lines if fits(line)]
            if lines:
                do(self.random.choice(lines))

        self._on_loop(chosen)

    def _silence(self, line: Line) -> None:
        line.silenced = True
        self.counts["silenced"] += 1

    def _cut(self, line: Line) -> None:
        line.cut = self.random.choice(CUTS)
        if line.cut == CUTS[0]:
            self._break(line)

    def _break(self, line: Line) -> None:
        self.counts[f"closed {line.cut}".strip()] += 1
        line.abort()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until an end is closed, or the proxy breaks it."""
        try:
            up_reader, up_writer = await _connect(self.upstream)
        except OSError:
            writer.transport.abort()
            return
        line = Line(writer, up_writer, silenced=self._parted, unheard=self._parted)
        self._lines.add(line)
        pumps = [asyncio.create_task(self._up(reader, line)), asyncio.create_task(self._down(up_reader, line))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            self._lines.discard(line)
            line.abort()

    async def _up(self, source: asyncio.StreamReader, line: Line) -> None:
        with suppress(OSError):
            while data := await self._read(source):
                if line.unheard:
                    self.counts["bytes dropped"] += len(data)
                    continue
                if line.cut == "within a request":
                    line.server.write(data[: len(data) // 2])
                    await line.server.drain()
                    self._break(line)
                    return
                line.server.write(data)
                await line.server.drain()
                if line.cut == "after a request":
                    line.silenced = True  # what comes back must not end the server's side early
                    line.client.transport.abort()
                    await asyncio.sleep(LINGER_SECONDS)
                    self._break(line)
                    return

    async def _down(self, source: asyncio.StreamReader, line: Line) -> None:
        with suppress(OSError):
            while data := await self._read(source):
                if line.silenced:
                    self.counts["bytes dropped"] += len(data)
                    continue
                if line.cut in {"within an answer", "before an answer"}:
                    line.client.write(data[: len(data) // 2] if line.cut == "within an answer" else b"")
                    await line.client.drain()
                    await asyncio.sleep(0)  # the half is on its way before the connection ends
                    self._break(line)
                    return
                line.client.write(data)
                await line.client.drain()

    async def _read(self, source: asyncio.StreamReader) -> bytes:
        data = await source.read(CHUNK_BYTES)
        low, high = self.delay_seconds
        if data and high:
            await asyncio.sleep(self.random.uniform(low, high))
            self.counts["pieces delayed"] += 1
        return data

    async def _close(self, server: asyncio.Server) -> None:
        server.close()
        for line in list(self._lines):
            line.abort()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        await asyncio.gather(*tasks, return_exceptions=True)


async def _connect(address: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if address.name.startswith("unix:"):
        return await asyncio.open_unix_connection(address.name.removeprefix("unix:"))
    host, _, port = address.name.rpartition(":")
    return await asyncio.open_connection(host.strip("[]"), int(port))


@contextmanager
def proxies(upstreams: Sequence[Address], random: Random) -> Iterator[list[Proxy]]:
    """Put a proxy before each address, all in one thread of their own, for as long as the block lasts."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="conform-proxies", daemon=True)
    thread.start()
    made = [Proxy(upstream, another(random), _loop=loop) for upstream in upstreams]
    servers = list[asyncio.Server]()
    try:
        for proxy in made:
            starting = asyncio.start_server(proxy.carry, "127.0.0.1", 0)
            server = asyncio.run_coroutine_threadsafe(starting, loop).result(START_SECONDS)
            proxy.port = server.sockets[0].getsockname()[1]
            servers.append(server)
        yield made
    finally:
        for proxy, server in zip(made, servers, strict=False):
            asyncio.run_coroutine_threadsafe(proxy._close(server), loop).result(START_SECONDS)  # noqa: SLF001 - as above
        loop.call_soon_threadsafe(loop.stop)
        thread.join(START_SECONDS)
        loop.close()
