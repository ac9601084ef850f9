"""Lines between a suite and a server that aren't as good as they should be: proxies of TCP, each named by its sin."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

CHUNK_BYTES = 65536
START_SECONDS = 10.0


@dataclass
class Line:
    """A proxy that passes bytes on, closes each connection at an age, and may lose an answer.

    `loses` looks at what the client sends; from the piece for which it says yes, the server's answers are kept from the
    client, and `LOST_AFTER_SECONDS` later, when the server has done what it was asked, the connection is closed.
    """

    upstream: str
    age_seconds: float = 0.0
    loses: Callable[[bytes], bool] = lambda _: False
    closed: int = 0
    """How many connections were closed by the line."""
    lost: int = 0
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until an end is closed, or the line closes it."""
        host, _, port = self.upstream.rpartition(":")
        with suppress(OSError):
            up_reader, up_writer = await asyncio.open_connection(host, int(port))
            self._open |= {writer, up_writer}
            silenced = asyncio.Event()
            pumps = [
                asyncio.create_task(self._up(reader, up_writer, silenced)),
                asyncio.create_task(self._down(up_reader, writer, silenced)),
            ]
            _, open_ones = await asyncio.wait(
                pumps, timeout=self.age_seconds or None, return_when=asyncio.FIRST_COMPLETED
            )
            self.closed += len(open_ones) == len(pumps)
            for pump in open_ones:
                pump.cancel()
            up_writer.close()
            self._open.discard(up_writer)
        writer.close()
        self._open.discard(writer)

    def close_all(self) -> None:
        """Close every connection."""
        for writer in self._open:
            writer.close()

    async def _up(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, silenced: asyncio.Event) -> None:
        with suppress(OSError):
            while data := await source.read(CHUNK_BYTES):
                if self.loses(data):
                    silenced.set()
                    self.lost += 1
                    sink.write(data)
                    await asyncio.sleep(LOST_AFTER_SECONDS)
                    return
                sink.write(data)
                await sink.drain()

    async def _down(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, silenced: asyncio.Event) -> None:
        with suppress(OSError):
            while data := await source.read(CHUNK_BYTES):
                if not silenced.is_set():
                    sink.write(data)
                    await sink.drain()


LOST_AFTER_SECONDS = 0.2
"""Long for a create."""


@contextmanager
def carried(line: Line) -> Iterator[str]:
    """Carry connections to a line's server; yield the address to call instead."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="line", daemon=True)
    thread.start()

    async def listen() -> asyncio.Server:
        return await asyncio.start_server(line.carry, "127.0.0.1", 0)

    async def end() -> None:
        server.close()
        line.close_all()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        await asyncio.gather(*tasks, return_exceptions=True)

    server = asyncio.run_coroutine_threadsafe(listen(), loop).result(START_SECONDS)
    try:
        host, port = server.sockets[0].getsockname()
        yield f"{host}:{port}"
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(START_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(START_SECONDS)
        loop.close()


def once(text: bytes) -> Callable[[bytes], bool]:
    """Return what says yes to the first piece that holds a text, and to no other."""
    done = threading.Event()

    def loses(data: bytes) -> bool:
        if done.is_set() or text not in data:
            return False
        done.set()
        return True

    return loses
