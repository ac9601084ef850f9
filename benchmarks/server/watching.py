"""Watch fan-out: how long after a create was answered its event reaches each of many watchers.

All watchers and the one who creates are in one process, so that one clock times both. What this process can't take in
time is its own delay, not the server's: the report says how much of the time it was at work.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from benchmarks.server.load import Tls
from benchmarks.server.operations import PATHS, renamed
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.parity.v1.event_pb2 import WatchRequest, WatchResponse

WATCH = "/parity.v1.EventService/Watch"
STREAMS_PER_CONNECTION = 50
ARRIVAL_S = 10.0
"""An event that takes longer counts as lost."""


@dataclass(frozen=True, slots=True)
class WatchPlan:
    """So many `watchers`, and `creates` of `message` (an Agent, base64) one after the other, named PREFIX-NUMBER."""

    address: str
    watchers: int
    creates: int
    message: str
    prefix: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    tls: Tls | None = None


@dataclass(slots=True)
class WatchReport:
    """`delays_us`: for each watcher and create, from the create's answer to the event; an event may come before it (0).

    `lost`: events that didn't come. `refused`: why there is nothing, if the server doesn't let one watch.
    """

    delays_us: list[float] = field(default_factory=list)
    lost: int = 0
    seconds: float = 0.0
    busy_seconds: float = 0.0
    refused: str = ""

    @property
    def headroom(self) -> float:
        """Wall time over the processor time of this process, all threads together."""
        return self.seconds / self.busy_seconds if self.busy_seconds else float("inf")


class _Arrivals:
    """When events came, by the id of the agent that was created."""

    def __init__(self) -> None:
        self.moments: dict[str, list[float]] = {}
        self._came = asyncio.Event()

    def note(self, created: str) -> None:
        self.moments.setdefault(created, []).append(time.perf_counter())
        self._came.set()

    async def all_of(self, created: str, count: int) -> list[float]:
        """Wait for so many, ARRIVAL_S at most; return what came."""
        with suppress(TimeoutError):
            async with asyncio.timeout(ARRIVAL_S):
                while len(self.moments.get(created, ())) < count:
                    self._came.clear()
                    await self._came.wait()
        return self.moments.get(created, [])


async def watch(plan: WatchPlan) -> WatchReport:
    """Open all watches, create, and time the arrivals."""
    report, channels = WatchReport(), list(_channels(plan))
    arrivals = _Arrivals()
    opened = [asyncio.get_running_loop().create_future() for _ in range(plan.watchers)]
    watchers = [
        asyncio.create_task(_watcher(channels[place // STREAMS_PER_CONNECTION], plan, arrivals, opened[place]))
        for place in range(plan.watchers)
    ]
    try:
        await asyncio.gather(*opened)
        began, busy = time.perf_counter(), time.process_time()
        for number in range(plan.creates):
            await _create(channels[0], plan, number, arrivals, report)
        report.seconds, report.busy_seconds = time.perf_counter() - began, time.process_time() - busy
    except grpc.aio.AioRpcError as error:
        report.refused = _refusal(error)
    finally:
        for each in watchers:
            each.cancel()
        await asyncio.gather(*watchers, return_exceptions=True)
        for channel in channels:
            await channel.close(None)
    return report


def _refusal(error: grpc.aio.AioRpcError) -> str:
    if error.code() is grpc.StatusCode.UNIMPLEMENTED:
        return "it has no parity.v1.EventService to watch (the reference server has one in the cloud profile)"
    return f"{error.code().name}: {error.details()}"


def _channels(plan: WatchPlan) -> Iterator[grpc.aio.Channel]:
    options = (("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1))
    for _ in range(-(-plan.watchers // STREAMS_PER_CONNECTION)):
        if plan.tls is None:
            yield grpc.aio.insecure_channel(plan.address, options=options)
        else:
            files = (plan.tls.ca, plan.tls.key, plan.tls.cert)
            content = [Path(name).read_bytes() if name else None for name in files]
            yield grpc.aio.secure_channel(plan.address, grpc.ssl_channel_credentials(*content), options=options)


async def _watcher(
    channel: grpc.aio.Channel, plan: WatchPlan, arrivals: _Arrivals, opened: asyncio.Future[None]
) -> None:
    """Note when the event of each created agent comes. The first answer says that the watch has begun."""
    call: Any = channel.unary_stream(
        WATCH, request_serializer=WatchRequest.SerializeToString, response_deserializer=WatchResponse.FromString
    )
    try:
        async for response in call(WatchRequest(from_now=True), metadata=tuple(plan.metadata.items())):
            if not opened.done():
                opened.set_result(None)
            elif response.event.type.endswith("agent.v1.created"):
                arrivals.note(response.event.subject)
    except grpc.aio.AioRpcError as error:
        if not opened.done():
            opened.set_exception(error)


async def _create(
    channel: grpc.aio.Channel, plan: WatchPlan, number: int, arrivals: _Arrivals, report: WatchReport
) -> None:
    call: Any = channel.unary_unary(PATHS["create"], request_serializer=None, response_deserializer=Agent.FromString)
    created = await call(
        renamed(base64.b64decode(plan.message), f"{plan.prefix}-{number}"), metadata=tuple(plan.metadata.items())
    )
    answered = time.perf_counter()
    came = await arrivals.all_of(created.metadata.id, plan.watchers)
    report.lost += plan.watchers - len(came)
    report.delays_us += [round(max(0.0, moment - answered) * 1e6, 1) for moment in came]
