"""Start-up: a fresh process opens the database and gives one right answer; its way there is taken apart.

Every start gets its own copy of the closed database, so that what an engine leaves for the next opening (replaying a
log) is paid every time. The files are in the page cache: these are warm starts. `startup_store` is opening and first
read without any import: the engine's own part.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from random import Random

from benchmarks.children.run import run_child
from benchmarks.database import Database
from benchmarks.workloads.workload import Measured, Visit, Workload, WrongAnswer

METRICS = (
    "startup_total",
    "startup_store",
    "startup_interpreter",
    "startup_import",
    "startup_open",
    "startup_first_read",
)


def measure(database: Database, visit: Visit) -> Iterator[Measured]:
    """Start once; milliseconds. Raises WrongAnswer when the first read isn't the stored agent."""
    agent = Random(visit.seed).choice(database.agents)  # noqa: S311 - repeatable choice
    twin = database.copy(f"start-{visit.round}")
    try:
        begin = time.monotonic_ns()
        told = run_child("startup", twin.url, agent.metadata.id)
    finally:
        twin.remove()
    expected = hashlib.sha256(agent.SerializeToString(deterministic=True)).hexdigest()
    if told["sha256"] != expected:
        raise WrongAnswer(f"the first read of {agent.metadata.id!r} after a start is not what was stored")
    for metric, value in zip(METRICS, _steps_ms(begin, told), strict=True):
        yield Measured(metric, "ms", (value,))


def _steps_ms(begin: int, told: Mapping[str, int]) -> tuple[float, ...]:
    """Return the values of METRICS. Imports count as imports even where opening or reading causes them."""
    interpreter = told["running"] - begin
    imports = told["imported"] - told["running"] + told["imports_within_open"] + told["imports_within_read"]
    opening = told["opened"] - told["imported"] - told["imports_within_open"]
    reading = told["answered"] - told["opened"] - told["imports_within_read"]
    total = told["answered"] - begin
    return tuple(step / 1e6 for step in (total, opening + reading, interpreter, imports, opening, reading))


WORKLOAD = Workload("startup", "a fresh process up to its first right answer", METRICS, measure, fresh=True)
