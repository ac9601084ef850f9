"""The load generator's connections and loops: it begins calls when they are due and takes their answers in."""

from __future__ import annotations

import asyncio
import base64
import math
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count, cycle
from pathlib import Path
from random import Random
from typing import NamedTuple, cast

from google.protobuf.message import DecodeError

from benchmarks.server.http2 import Connection, HttpResponse, ProtocolError, header_block
from benchmarks.server.load import LoadFailed, LoadPlan, LoadReport, OperationReport, Traffic
from benchmarks.server.operations import PATHS, follow_up, renamed

OPEN_LOOP_TICK_S = 0.001
IN_FLIGHT_MAX = 2_000
"""Calls that an open loop has under way at most; what is due beyond that is dropped, and counted."""
LATE_US = 5_000
DRAIN_S = 10.0
_ORDER = 4_096
"""So many calls, drawn by share, make the order in which sorts of calls come; then it begins again."""


class _Call(NamedTuple):
    """A call under way: its operation, when it was due and sent, and what follows its answer."""

    operation: str
    intended: float
    sent: float
    then: tuple[str, ...]


class Generator:
    """The state of one load: what is due next, what is under way, what came back."""

    def __init__(self, plan: LoadPlan) -> None:
        self.plan = plan
        self.report = LoadReport()
        self._links: list[_Link] = []
        self._headers: dict[str, bytes] = {}
        self._random = Random(plan.seed)  # noqa: S311 - a repeatable order
        self._calls = self._draw()
        self._made = 0
        self._from = self._until = float("inf")
        self._busy_from = self._worked_from = self._worked = 0.0
        self._failure: Exception | None = None
        self._over: asyncio.Event = asyncio.Event()

    def _draw(self) -> Iterator[tuple[Traffic, bytes]]:
        """Yield calls without end, each sort as often as its share says."""
        sorts = [(each, _bodies(each)) for each in self.plan.traffic]
        shares = [each.share for each in self.plan.traffic]
        order = [0] if len(sorts) == 1 else self._random.choices(range(len(sorts)), shares, k=_ORDER)
        for place in cycle(order):
            traffic, bodies = sorts[place]
            yield traffic, next(bodies)

    async def connect(self) -> None:
        """Open the connections. Raises LoadFailed."""
        try:
            for _ in range(self.plan.connections):
                self._links.append(await asyncio.wait_for(self._open(), DRAIN_S))
        except (OSError, ValueError) as error:
            raise LoadFailed(f"{self.plan.address}: {error}") from error

    async def _open(self) -> _Link:
        plan, loop = self.plan, asyncio.get_running_loop()

        def link() -> _Link:
            return _Link(self)

        if plan.address.startswith("unix:"):
            return (await loop.create_unix_connection(link, plan.address.removeprefix("unix:")))[1]
        host, _, port = plan.address.rpartition(":")
        tls = None if plan.tls is None else plan.tls.context()
        return (await loop.create_connection(link, host.strip("[]"), int(port), ssl=tls))[1]

    def close(self) -> None:
        """Close the connections."""
        for link in self._links:
            link.close()

    # ---- loops

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
            report.busy_seconds += max(busy_seconds() - self._busy_from, self._worked - self._worked_from)
            await self._drain()
        except (OSError, ProtocolError) as error:
            raise LoadFailed(f"{plan.address}: {error}") from error

    def _start_clock(self) -> None:
        self._busy_from, self._worked_from = busy_seconds(), self._worked

    def worked_since(self, begin: float) -> None:
        """Count time from `begin` until now as work, also where it slept or waited for a page: no call was taken up."""
        self._worked += time.perf_counter() - begin

    async def _closed_loop(self) -> None:
        for number in range(self.plan.concurrency):
            self.begin(self._links[number % len(self._links)], time.perf_counter())
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
                    self.begin(self._links[due % len(self._links)], intended)
                due += 1
            for link in self._links:
                link.flush()
            self.worked_since(now)
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

    # ---- calls

    def begin(self, link: _Link, intended: float) -> None:
        """Begin the next call that is due on a link."""
        if self.plan.calls is not None and self._made >= self.plan.calls:
            if not any(each.connection.open_calls for each in self._links):
                self._over.set()
            return
        self._made += 1
        traffic, body = next(self._calls)
        self._send(link, traffic.operation, body, intended, traffic.then)

    def _send(self, link: _Link, operation: str, body: bytes, intended: float, then: tuple[str, ...]) -> None:
        now = time.perf_counter()
        self.report.late += (now - intended) * 1e6 > LATE_US
        headers = self._headers.get(operation) or self._headers_of(operation)
        link.under_way[link.connection.call(headers, body)] = _Call(operation, intended, now, then)

    def _headers_of(self, operation: str) -> bytes:
        plan = self.plan
        authority = "localhost" if plan.address.startswith("unix:") else plan.address
        scheme = "http" if plan.tls is None else "https"
        block = self._headers[operation] = header_block(
            PATHS.get(operation, operation), authority, plan.metadata, scheme
        )
        return block

    def answered(self, link: _Link, response: HttpResponse) -> None:
        """Take an answer into the report, and keep the caller going: with what follows, or in a closed loop anew."""
        call = link.under_way.pop(response.stream)
        now = time.perf_counter()
        report = self.report.operations.setdefault(call.operation, OperationReport())
        report.statuses[response.status] = report.statuses.get(response.status, 0) + 1
        if response.status == 0:
            if self._from <= now < self._until:
                report.completed += 1
                report.service_us.append(round((now - call.sent) * 1e6, 1))
                if self.plan.rate is not None:
                    report.response_us.append(round((now - call.intended) * 1e6, 1))
            self._keep(report, response.message)
            if call.then and now < self._until:
                self._follow(link, call.then, response.message, now)
                return
        if self.plan.rate is None and now < self._until:
            self.begin(link, now)

    def _follow(self, link: _Link, then: tuple[str, ...], message: bytes, now: float) -> None:
        try:
            self._send(link, then[0], follow_up(then[0], message, self._made), now, then[1:])
        except DecodeError:
            self.failed(ProtocolError("an answer is no agent"))

    def _keep(self, report: OperationReport, message: bytes) -> None:
        """Keep some of the answers, each as likely as any other."""
        kept = report.samples
        if len(kept) < self.plan.samples_kept:
            kept.append(base64.b64encode(message).decode())
        elif (place := self._random.randrange(report.statuses[0])) < len(kept):
            kept[place] = base64.b64encode(message).decode()

    def failed(self, error: Exception) -> None:
        """End the load: a connection is lost."""
        self._failure = self._failure or error
        self._over.set()


def _bodies(traffic: Traffic) -> Iterator[bytes]:
    bodies = cycle([base64.b64decode(message) for message in traffic.messages])
    if not traffic.unique:
        return bodies
    return (renamed(body, f"{traffic.unique}-{number}") for body, number in zip(bodies, count(), strict=False))


def busy_seconds() -> float:
    """Return how long this thread has run or been ready to run: on a full machine it is late without being at work."""
    schedstat = Path("/proc/self/schedstat")
    if not schedstat.exists():
        return time.process_time()
    ran, waited, _ = schedstat.read_text(encoding="ascii").split()
    return (int(ran) + int(waited)) / 1e9


class _Link(asyncio.Protocol):
    """One socket of the generator."""

    def __init__(self, generator: Generator) -> None:
        self.connection = Connection()
        self.under_way: dict[int, _Call] = {}
        self._generator = generator
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is one without saying so
        self.flush()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        begin = time.perf_counter()
        try:
            for answer in self.connection.feed(data):
                self._generator.answered(self, answer)
        except ProtocolError as error:
            self._generator.failed(error)
        self.flush()
        self._generator.worked_since(begin)

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
