"""Raw: the bare driver and codec, and beside it a store around the same ones. `benchmarks/overhead.py` compares them.

Both begin empty and get the same agents in the same order, one call here, one there, taking turns in going first. So
both hold the same, in the same state of their files and caches, and what the machine does in between strikes both.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from random import Random

from benchmarks.database import KIND, Database
from benchmarks.raw_drivers import RAW_DRIVERS, RawDriver
from benchmarks.workloads.workload import Measured, Visit, Workload, WrongAnswer, quiet, timed_us
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from stores.codecs import Codec, codec_of
from stores.contract import Store

Call = Callable[[Agent], float]
"""Does something with an agent and says how many microseconds it took."""


def measure(database: Database, visit: Visit) -> Iterator[Measured]:
    """Put and get the same agents in new databases; microseconds per agent. Nothing for a driver without a row."""
    open_driver = RAW_DRIVERS.get(database.subject.engine)
    if open_driver is None:
        return
    folder = database.folder.with_name(f"{database.folder.name}-raw-{visit.round}")
    folder.mkdir(parents=True)
    codec = codec_of(database.subject.codec)
    agents = Random(visit.seed).sample(database.agents, min(visit.sizes.reads, len(database.agents)))  # noqa: S311
    driver = open_driver(folder, durable=database.subject.durability == "durable")
    beside = database.sibling(folder / "store", agents)
    try:
        with quiet():
            puts = _both(agents, partial(_put, driver, codec), partial(_save, beside))
            gets = [partial(_get, driver, codec), partial(_read, beside.store)]
            _both(agents, *gets)  # warm, as for the read workload
            for metric, values in zip(_METRICS, (*puts, *_both(agents, *gets)), strict=True):
                yield Measured(metric, "us", tuple(values))
    finally:
        driver.close()
        beside.remove()
        shutil.rmtree(folder, ignore_errors=True)


def _both(agents: Sequence[Agent], bare: Call, store: Call) -> tuple[list[float], list[float]]:
    """Return the times of both, agent by agent."""
    times: tuple[list[float], list[float]] = ([], [])
    calls = (bare, store)
    for number, agent in enumerate(agents):
        for side in (0, 1) if number % 2 else (1, 0):
            times[side].append(calls[side](agent))
    return times


def _save(database: Database, agent: Agent) -> float:
    return timed_us(lambda: database.save(agent))


def _read(store: Store, agent: Agent) -> float:
    def read() -> None:
        if store.get(KIND, agent.metadata.id) is None:
            raise WrongAnswer(f"the store lost {agent.metadata.id!r}")

    return timed_us(read)


def _put(driver: RawDriver, codec: Codec, agent: Agent) -> float:
    return timed_us(lambda: driver.put(agent.metadata.id, codec.encode(agent, None)))


def _get(driver: RawDriver, codec: Codec, agent: Agent) -> float:
    def read() -> None:
        value = driver.get(agent.metadata.id)
        if value is None or codec.message(Agent, bytes(value)) is None:
            raise WrongAnswer(f"the bare driver lost {agent.metadata.id!r}")

    return timed_us(read)


_METRICS = ("raw_write", "store_write", "raw_read", "store_read")
WORKLOAD = Workload("raw", "codec and driver without a store, and a store beside them", _METRICS, measure)
