"""Loads that take turns: a little of one, a little of the next, until each has had all of its turns.

A machine that is shared goes from fast to slow and back within a second. Loads of seconds, one after the other, meet
different machines, and their ratio is mostly the machine's; in turns of a tenth of a second all meet the same one.
Before a turn begins the servers must rest, so that none works at what a turn before left to do while another is
measured; how long that took is in the report of whose turn it was.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import uvloop

from benchmarks.server.generator import Generator
from benchmarks.server.load import LoadPlan, LoadReport

READY, GO = b"ready\n", b"go\n"
REST_AT_MOST_S = 5.0
"""So long a turn waits at most for what the turns before it left to do."""
_GLANCE_S = 0.01
_BUSY_SHARE = 0.05
"""Of a glance: below this a server keeps house, above it works."""


@dataclass(frozen=True, slots=True)
class TurnsPlan:
    """Loads with as many turns each; a turn has its load's own `seconds` and warm-up. `resting` are process ids."""

    loads: tuple[LoadPlan, ...]
    turns: int = 1
    resting: tuple[int, ...] = ()

    @property
    def seconds(self) -> float:
        """How long all turns take, pauses left out."""
        return self.turns * sum(load.seconds + load.warmup_s for load in self.loads)


def run_turns(plan: TurnsPlan, gate: Callable[[], None] = lambda: None) -> list[LoadReport]:
    """Put the loads on their servers, in this process; return their reports in order. Raises LoadFailed.

    `gate` is called before each turn of each load, and returns when it may begin.
    """
    return uvloop.run(_run(plan, gate))


async def _run(plan: TurnsPlan, gate: Callable[[], None]) -> list[LoadReport]:
    generators = [Generator(load) for load in plan.loads]
    try:
        for generator in generators:
            await generator.connect()
        await _rest(plan.resting)
        for turn in range(plan.turns):
            # There and back again: what grows or shrinks evenly strikes all alike.
            for generator in generators if turn % 2 == 0 else reversed(generators):
                gate()
                await generator.turn()
                generator.report.aftermath_seconds += await _rest(plan.resting)
    finally:
        for generator in generators:
            generator.close()
    return [generator.report for generator in generators]


async def _rest(servers: Iterable[int]) -> float:
    """Wait until the servers do nothing; return how long they still worked, in seconds."""
    servers = tuple(servers)
    if not servers:
        return 0.0
    began = time.perf_counter()
    before, at = processor_ns(servers), began
    while True:
        await asyncio.sleep(_GLANCE_S)
        ran, now = processor_ns(servers), time.perf_counter()
        if ran - before <= _BUSY_SHARE * (now - at) * 1e9 or now - began > REST_AT_MOST_S:
            return at - began
        before, at = ran, now


def processor_ns(servers: Iterable[int]) -> int:
    """Return the processor time of these processes' threads that live, in ns; 0 where the system doesn't tell."""
    total = 0
    for server in servers:
        for thread in Path(f"/proc/{server}/task").glob("*/schedstat"):
            with suppress(OSError):  # a thread may end while one looks
                total += int(thread.read_text(encoding="ascii").split()[0])
    return total
