"""The load generator: closed loop (so many calls in flight) and open loop (so many calls per second, come what may).

In a closed loop a slow server slows its own load down, which hides its stalls; latency is therefore taken in the open
loop, from the moment at which a call was due. The generator tells how much of its time it was busy: its headroom.
"""

from __future__ import annotations

import asyncio
import base64
import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count, cycle
from pathlib import Path
from typing import cast

from benchmarks.server.http2 import Connection, HttpResponse, ProtocolError, header_block
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.commons.apiresource.metadata_pb2 import ApiResourceMetadata

OPEN_LOOP_TICK_S = 0.001
IN_FLIGHT_MAX = 2_000
"""Calls that an open loop has under way at most; what is due beyond that is dropped, and counted."""
LATE_US = 5_000
DRAIN_S = 10.0
SAMPLES_KEPT = 64


class LoadFailed(Exception):
    """The load could not be put on the server. The message says why."""


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """One load: where, what, how much of it.

    `messages` (base64 of wire bytes) are sent in turn. With `unique`, each Agent gets another name, PREFIX-NUMBER.
    `rate` per second makes it an open loop; without, `concurrency` calls are in flight all the time. A turn
    ends after `seconds` (and `warmup_s` before them, which don't count), or after `calls`; most loads have one turn.
    """

    address: str
    path: str
    messages: tuple[str, ...]
    seconds: float = 1.0
    concurrency: int = 32
    connections: int = 2
    rate: float | None = None
    calls: int | None = None
    warmup_s: float = 0.0
    unique: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class LoadReport:
    """What came of a load. Latencies in microseconds: `service` from sending, `response` from when the call was due.

    `statuses` counts every answer, warm-up and drain included; `completed` only the good ones inside the `seconds`.
    """

    completed: int = 0
    seconds: float = 0.0
    busy_seconds: float = 0.0
    statuses: dict[int, int] = field(default_factory=dict)
    service_us: list[float] = field(default_factory=list)
    response_us: list[float] = field(default_factory=list)
    late: int = 0
    dropped: int = 0
    aftermath_seconds: float = 0.0
    """How long the servers still worked after its turns ended."""
    samples: list[str] = field(default_factory=list)

    @property
    def headroom(self) -> float:
        """How many times this load the generator could have made: wall time over the time it ran or waited to run."""
        return self.seconds / self.busy_seconds if self.busy_seconds else float("inf")

    @property
    def rate(self) -> float:
        """Good answers per second."""
        return self.completed / self.seconds if self.seconds else 0.0


def renamed(message: bytes, name: str) -> bytes:
    """Return an Agent's bytes with another name: in wire bytes, what comes again is merged into the earlier."""
    return message + Agent(metadata=ApiResourceMetadata(name=name)).SerializeToString()


def _busy_seconds() -> float:
    """Return how long this thread has run or been ready to run: on a full machine it is late without being at work."""
    schedstat = Path("/proc/self/schedstat")
    if not schedstat.exists():
        return time.process_time()
    ran, waited, _ = schedstat.read_text(encoding="ascii").split()
    return (int(ran) + int(waited)) / 1e9


class Generator:
    """The state of one load: what is due next, what is under way, what came back."""

    def __init__(self, plan: LoadPlan) -> None:
        self.plan = plan
        self.report = LoadReport()
        self.statuses: Counter[int] = Counter()
        self._links: list[_Link] = []
        self._messages = self._make_messages()
        self._made = 0
        self._from = self._until = float("inf")
        self._busy_from = 0.0
        self._failure: Exception | None = None
        self._over: asyncio.Event = asyncio.Event()

    def _make_messages(self) -> Iterator[bytes]:
        bodies = cycle([base64.b64decode(message) for message in self.plan.messages])
        if not self.plan.unique:
            return bodies
        return (renamed(body, f"{self.plan.unique}-{number}") for body, number in zip(bodies, count(), strict=False))

    async def turn(self) -> None:
        """Load for one turn: warm up, load, drain. The report is of all turns so far. Raises LoadFailed."""
        plan, report = self.plan, self.report
        self._made = 0
        self._over.clear()
        self._start_clock()
        begin = time.perf_counter()
        self._from, self._until = begin + plan.warmup_s, begin + plan.warmup_s + plan.seconds
        asyncio.get_running_loop().call_later(plan.warmup_s, self._start_clock)
        try:
            await (self._closed_loop() if plan.rate is None else self._open_loop(plan.rate))
            report.seconds += max(min(time.perf_counter(), self._until) - self._from, 1e-9)
            report.busy_seconds += _busy_seconds() - self._busy_from
            await self._drain()
        except (OSError, ProtocolError) as error:
            raise LoadFailed(f"{plan.address}: {error}") from error
        report.statuses = dict(self.statuses)

    def _start_clock(self) -> None:
        self._busy_from = _busy_seconds()

    async def connect(self) -> None:
        """Open the connections. Raises LoadFailed."""
        try:
            await self._connect()
        except OSError as error:
            raise LoadFailed(f"{self.plan.address}: {error}") from error

    def close(self) -> None:
        """Close the connections."""
        for link in self._links:
            link.close()

    async def _connect(self) -> None:
        host, _, port = self.plan.address.rpartition(":")
        headers = header_block(self.plan.path, self.plan.address, self.plan.metadata)
        loop = asyncio.get_running_loop()
        for _ in range(self.plan.connections):
            opening = loop.create_connection(lambda: _Link(self, headers), host, int(port))
            _, link = await asyncio.wait_for(opening, DRAIN_S)
            self._links.append(link)

    async def _closed_loop(self) -> None:
        for number in range(self.plan.concurrency):
            link = self._links[number % len(self._links)]
            self.send(link, time.perf_counter())
        for link in self._links:
            link.flush()
        await self._wait(self.plan.warmup_s + self.plan.seconds)

    async def _open_loop(self, rate: float) -> None:
        begin = time.perf_counter()
        due = 0
        while not self._over.is_set() and time.perf_counter() < self._until:
            now = time.perf_counter()
            while (intended := begin + due / rate) <= now and intended < self._until:
                if sum(link.connection.open_calls for link in self._links) >= IN_FLIGHT_MAX:
                    self.report.dropped += 1
                else:
                    self.send(self._links[due % len(self._links)], intended)
                due += 1
            for link in self._links:
                link.flush()
            await asyncio.sleep(OPEN_LOOP_TICK_S)
        self._raise_failure()
        # What became due while this process wasn't let run was not sent, and may not be forgotten.
        self.report.dropped += max(0, math.ceil(rate * (self._until - begin)) - due)

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), seconds)
        self._raise_failure()

    async def _drain(self) -> None:
        """Wait for the calls under way: their state on the server is part of the run."""
        deadline = time.perf_counter() + DRAIN_S
        while any(link.connection.open_calls for link in self._links) and time.perf_counter() < deadline:
            self._raise_failure()
            await asyncio.sleep(OPEN_LOOP_TICK_S)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise ProtocolError(str(self._failure))

    def send(self, link: _Link, intended: float) -> None:
        """Begin the next call on a link."""
        if self.plan.calls is not None and self._made >= self.plan.calls:
            if not any(each.connection.open_calls for each in self._links):
                self._over.set()
            return
        self._made += 1
        now = time.perf_counter()
        self.report.late += (now - intended) * 1e6 > LATE_US
        link.under_way[link.connection.call(next(self._messages))] = (intended, now)

    def answered(self, link: _Link, response: HttpResponse) -> None:
        """Take an answer into the report, and keep a closed loop going."""
        intended, sent = link.under_way.pop(response.stream)
        now = time.perf_counter()
        self.statuses[response.status] += 1
        if response.status == 0:
            if self._from <= now < self._until:
                self.report.completed += 1
                self.report.service_us.append(round((now - sent) * 1e6, 1))
                if self.plan.rate is not None:
                    self.report.response_us.append(round((now - intended) * 1e6, 1))
            if len(self.report.samples) < SAMPLES_KEPT:
                self.report.samples.append(base64.b64encode(response.message).decode())
        if self.plan.rate is None and now < self._until:
            self.send(link, now)

    def failed(self, error: Exception) -> None:
        """End the load: a connection is lost."""
        self._failure = self._failure or error
        self._over.set()


class _Link(asyncio.Protocol):
    """One socket of the generator."""

    def __init__(self, generator: Generator, headers: bytes) -> None:
        self.connection = Connection(headers)
        self.under_way: dict[int, tuple[float, float]] = {}
        self._generator = generator
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is one without saying so
        self.flush()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        try:
            for answer in self.connection.feed(data):
                self._generator.answered(self, answer)
        except ProtocolError as error:
            self._generator.failed(error)
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        if self.under_way:
            self._generator.failed(
                exc or ProtocolError(f"the connection was lost with {len(self.under_way)} calls open")
            )

    def flush(self) -> None:
        """Write what is to be written, in one go."""
        data = self.connection.take_outgoing()
        if data and self._transport is not None:
            self._transport.write(data)

    def close(self) -> None:
        """Close the socket."""
        self.under_way.clear()
        if self._transport is not None:
            self._transport.close()
