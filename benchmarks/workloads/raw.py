"""Raw: the same codec and driver without a store around them; what the store adds is in `benchmarks/overhead.py`."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from random import Random

from benchmarks.database import Database
from benchmarks.raw_drivers import RAW_DRIVERS, RawDriver
from benchmarks.workloads.workload import Measured, Visit, Workload, WrongAnswer, quiet, timed_us
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from stores.codecs import Codec, codec_of


def measure(database: Database, visit: Visit) -> Iterator[Measured]:
    """Encode and put, get and decode, on a new table; microseconds per agent. Nothing for a driver without a row."""
    open_driver = RAW_DRIVERS.get(database.subject.engine)
    if open_driver is None:
        return
    folder = database.folder.with_name(f"{database.folder.name}-raw-{visit.round}")
    folder.mkdir(parents=True)
    codec = codec_of(database.subject.codec)
    agents = Random(visit.seed).sample(database.agents, min(visit.sizes.reads, len(database.agents)))  # noqa: S311
    driver = open_driver(folder, durable=database.subject.durability == "durable")
    try:
        with quiet():
            yield Measured("raw_write", "us", tuple(_put(driver, codec, agent) for agent in agents))
            for agent in agents:
                driver.get(agent.metadata.id)  # warm, as for the read workload
            yield Measured("raw_read", "us", tuple(_get(driver, codec, agent) for agent in agents))
    finally:
        driver.close()
        shutil.rmtree(folder, ignore_errors=True)


def _put(driver: RawDriver, codec: Codec, agent: Agent) -> float:
    return timed_us(lambda: driver.put(agent.metadata.id, codec.encode(agent, None)))


def _get(driver: RawDriver, codec: Codec, agent: Agent) -> float:
    def read() -> None:
        value = driver.get(agent.metadata.id)
        if value is None or codec.message(Agent, bytes(value)) is None:
            raise WrongAnswer(f"the bare driver lost {agent.metadata.id!r}")

    return timed_us(read)


WORKLOAD = Workload("raw", "codec and driver without a store", ("raw_write", "raw_read"), measure)
