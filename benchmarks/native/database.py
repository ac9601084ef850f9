"""A database that the native program holds: the same agents, seeds, operations and order as Python's subjects get."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random

from benchmarks.correctness import FIRST, SAMPLED
from benchmarks.database import allocated_bytes, copy_with_holes
from benchmarks.native.payload import write_agents
from benchmarks.native.process import Session, command_of, run_once
from benchmarks.results import Subject
from benchmarks.workloads import cold
from benchmarks.workloads.listing import LISTS_PER_VISIT
from benchmarks.workloads.size import UNIT as SIZE_UNIT
from benchmarks.workloads.workload import Measured, Visit, Workload, WrongAnswer
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent


class NativeDatabase:
    """The native side of `benchmarks.database.Database` and the workloads. Raises ChildFailed where it can't go on."""

    def __init__(self, subject: Subject, folder: Path, agents: Sequence[Agent]) -> None:
        """Describe the database; nothing is started yet."""
        self.subject = subject
        self.folder = folder
        self.agents = agents
        self.saved = 0
        self._session: Session | None = None

    @property
    def session(self) -> Session:
        """The open store; opened when it isn't."""
        if self._session is None:
            if not self._payload.exists():
                self.folder.parent.mkdir(parents=True, exist_ok=True)
                write_agents(self._payload, self.agents)
            self._session = Session(self.subject, self.folder, self._payload)
        return self._session

    @property
    def process(self) -> int | None:
        """The process that holds the store open, if one does."""
        return None if self._session is None else self._session.pid

    @property
    def _payload(self) -> Path:
        """One file for all native databases of a build."""
        return self.folder.with_name("agents.bin")

    def measure(self, workload: Workload, visit: Visit) -> Iterator[Measured]:
        """Do what a workload does in Python. Nothing for a workload of Python alone. Raises WrongAnswer."""
        measure = _WORKLOADS.get(workload.name)
        return iter(()) if measure is None else measure(self, visit)

    def prove(self, seed: str) -> None:
        """Fill, compare samples with what was stored, open again, compare again. Raises WrongAnswer."""
        self.session.ask("fill", places=list(range(self.saved, len(self.agents))))
        self.saved = len(self.agents)
        self._check(seed)
        self.close()
        self._check(f"{seed}/reopened")

    def _check(self, seed: str) -> None:
        if (count := self.session.ask("count").count) != len(self.agents):
            raise WrongAnswer(f"count says {count}, {len(self.agents)} agents were stored")
        everyone = range(len(self.agents))
        places = sorted({0, *Random(seed).sample(everyone, min(SAMPLED, len(everyone)))})  # noqa: S311 - repeatable
        self._same("get", self.session.ask("get", places=places).agents, [self.agents[place] for place in places])
        first = self.session.ask("first", limit=FIRST).agents
        self._same("a list", first, self.agents[:FIRST])
        org = self.agents[0].metadata.org
        of_org = [agent for agent in self.agents if agent.metadata.org == org][:FIRST]
        self._same("a list by organization", self.session.ask("first", limit=FIRST, org=org).agents, of_org)

    @staticmethod
    def _same(what: str, found: Sequence[bytes], expected: Sequence[Agent]) -> None:
        if [Agent.FromString(data) for data in found] != list(expected):
            raise WrongAnswer(f"{what} is not what was stored")

    def close(self) -> None:
        """Close the store if it is open."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def copy(self, name: str) -> NativeDatabase:
        """Return a copy on disk beside this one, which is closed for it."""
        self.close()
        folder = self.folder.with_name(f"{self.folder.name}-{name}")
        shutil.copytree(self.folder, folder, copy_function=copy_with_holes)
        twin = NativeDatabase(self.subject, folder, self.agents)
        twin.saved = self.saved
        return twin

    def remove(self) -> None:
        """Close and delete the files."""
        with suppress(Exception):  # a broken store may not even close; its files go all the same
            self.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def allocated_bytes(self) -> int:
        """Return what the files take on disk. Closes the store."""
        self.close()
        return allocated_bytes(self.folder)


def _write(database: NativeDatabase, visit: Visit) -> Iterator[Measured]:
    share = visit.sizes.writes // visit.sizes.visits
    places = list(range(database.saved, database.saved + share))
    yield Measured("write", "us", database.session.ask("write", places=places).values)
    database.saved += share


def _read(database: NativeDatabase, visit: Visit) -> Iterator[Measured]:
    random = Random(visit.seed)  # noqa: S311 - the keys that Python's subjects read
    places = random.choices(range(database.saved), k=visit.sizes.reads)
    if visit.round == 0:
        database.session.ask("read", places=list(range(database.saved)))  # warm, as in Python
    yield Measured("read", "us", database.session.ask("read", places=places).values)


def _cold(database: NativeDatabase, visit: Visit) -> Iterator[Measured]:
    places = cold.chosen_places(visit, database.saved)
    database.close()
    cold.drop_pages(database.folder)
    session = database.session
    values = session.ask("read", places=places).values
    yield cold.cold(values, 0, cold.read_from_disk(session.pid))


def _list(database: NativeDatabase, visit: Visit) -> Iterator[Measured]:
    limit = min(visit.sizes.listed, database.saved)
    orgs = Counter(agent.metadata.org for agent in database.agents[: database.saved])
    org = Random(visit.seed).choice(sorted(orgs))  # noqa: S311 - the organization that Python's subjects list
    if visit.round == 0:
        # Python's readers are warm from the workload before; a process that was opened again isn't.
        database.session.ask("list", limit=limit, times=1)
    ask = database.session.ask
    yield Measured("list", "us", ask("list", limit=limit, times=LISTS_PER_VISIT).values)
    of_org = min(orgs[org], limit)
    yield Measured("list_by_org", "us", ask("list", org=org, limit=of_org, times=LISTS_PER_VISIT).values)


def _size(database: NativeDatabase, visit: Visit) -> Iterator[Measured]:
    twin = database.copy(f"size-{visit.round}")
    agents = len(database.agents)
    try:
        yield Measured("size_loaded", SIZE_UNIT, (twin.allocated_bytes() / agents,))
        twin.session.ask("overwrite", places=list(range(agents)))
        yield Measured("size_overwritten", SIZE_UNIT, (twin.allocated_bytes() / agents,))
        twin.session.ask("compact")
        yield Measured("size_compacted", SIZE_UNIT, (twin.allocated_bytes() / agents,))
    finally:
        twin.remove()


def _startup(database: NativeDatabase, visit: Visit) -> Iterator[Measured]:
    agent = Random(visit.seed).choice(database.agents)  # noqa: S311 - the agent that Python's subjects read
    twin = database.copy(f"start-{visit.round}")
    try:
        begin = time.monotonic_ns()
        told = json.loads(run_once(command_of("start", twin.subject, twin.folder, agent.metadata.id)))
    finally:
        twin.remove()
    if Agent.FromString(bytes.fromhex(told["agent"])) != agent:
        raise WrongAnswer(f"the first read of {agent.metadata.id!r} after a start is not what was stored")
    opening, reading = told["opened"] - told["opening"], told["answered"] - told["opened"]
    steps = {
        "startup_total": told["answered"] - begin,
        "startup_store": opening + reading,
        "startup_interpreter": told["running"] - begin,
        "startup_open": opening,
        "startup_first_read": reading,
    }
    for metric, value in steps.items():
        yield Measured(metric, "ms", (value / 1e6,))


def _memory(database: NativeDatabase, visit: Visit) -> Iterator[Measured]:
    twin = database.copy(f"memory-{visit.round}")
    ids = "\n".join(agent.metadata.id for agent in database.agents)
    try:
        told = json.loads(run_once(command_of("memory", twin.subject, twin.folder), ids))
    finally:
        twin.remove()
    if told["agents"] != len(database.agents):
        raise WrongAnswer(f"a fresh process found {told['agents']} agents where {len(database.agents)} are stored")
    yield Measured("memory_peak", "KiB", (float(told["peak_kib"]),))


_WORKLOADS: dict[str, Callable[[NativeDatabase, Visit], Iterator[Measured]]] = {
    "write": _write,
    "read": _read,
    "list": _list,
    "size": _size,
    "startup": _startup,
    "memory": _memory,
    "cold": _cold,
}
