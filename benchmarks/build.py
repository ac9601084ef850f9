"""One build: every subject gets a new database, and all are put through the workloads in interleaved rounds."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random

from benchmarks.children.run import ChildFailed
from benchmarks.correctness import check
from benchmarks.database import Database, Opener
from benchmarks.native.database import NativeDatabase
from benchmarks.noise import watched
from benchmarks.payloads.corpus import load_corpus
from benchmarks.payloads.generator import generate
from benchmarks.payloads.payload import as_stored
from benchmarks.results import Blank, Noise, Sample, Subject
from benchmarks.workloads import WORKLOADS
from benchmarks.workloads.workload import NotHere, Sizes, Visit, Workload, WrongAnswer
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from stores.contract import StoreError
from stores.registry import open_store

_DIGITS = 3
"""Decimals kept of a value: nanoseconds of microseconds."""


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """Everything that a build depends on: the same plan gives the same keys and agents in the same order.

    `fresh` says whether the workloads that start processes of their own visit it.
    """

    subjects: tuple[Subject, ...]
    workloads: tuple[str, ...]
    payload: str
    build: int
    seed: int
    sizes: Sizes
    directory: Path
    corpus: Path | None = None
    fresh: bool = True

    @property
    def chosen(self) -> tuple[Workload, ...]:
        """The workloads of this build, in the table's order."""
        return tuple(work for work in WORKLOADS if work.name in self.workloads and (self.fresh or not work.fresh))

    @property
    def steps(self) -> int:
        """How many steps the build tells of when nothing fails."""
        return len(self.subjects) * (1 + sum(work.rounds(self.sizes) for work in self.chosen))


@dataclass(slots=True)
class BuildOutcome:
    """What a build gave: samples of the subjects that answered rightly, blanks for the others, how quiet it was."""

    samples: list[Sample] = field(default_factory=list)
    blanks: list[Blank] = field(default_factory=list)
    noises: list[Noise] = field(default_factory=list)

    def add(self, other: BuildOutcome) -> None:
        """Take what another build gave."""
        self.samples += other.samples
        self.blanks += other.blanks
        self.noises += other.noises


Tell = Callable[[str], None]
"""Hears each step as it is done."""


def measure_build(plan: BuildPlan, tell: Tell, opener: Opener | None = None) -> BuildOutcome:
    """Make the databases of a build, measure them, and remove them. Raises PayloadError."""
    opener = opener or partial(open_store, create=True)
    agents = agents_of(plan)
    folder = plan.directory / f"{plan.payload}-{plan.build}"
    databases = [
        _database(subject, folder / f"{place}-{subject.name}-{subject.durability}", agents, opener)
        for place, subject in enumerate(plan.subjects)
    ]
    try:
        return _Build(plan, databases, tell).run()
    finally:
        for database in databases:
            database.remove()
        shutil.rmtree(folder, ignore_errors=True)


def _database(subject: Subject, folder: Path, agents: Sequence[Agent], opener: Opener) -> Database | NativeDatabase:
    if subject.language:
        return NativeDatabase(subject, folder, agents)
    return Database(subject, folder, agents, opener)


def agents_of(plan: BuildPlan) -> tuple[Agent, ...]:
    """Return the agents of a build as a server stores them: another selection of the class in every build."""
    wanted, seed = plan.sizes.agents, f"{plan.seed}/{plan.payload}/{plan.build}"
    random = Random(seed)  # noqa: S311 - repeatable selection
    if plan.corpus is None:
        pool: Sequence[Agent] = generate(wanted, random.getrandbits(32), size_class=plan.payload).agents
    else:
        pool = load_corpus(plan.corpus).of_class(plan.payload)
        pool = random.sample(pool, len(pool))
    return tuple(_numbered(pool[serial % len(pool)], serial, len(pool)) for serial in range(wanted))


def _numbered(agent: Agent, serial: int, pool: int) -> Agent:
    stored = as_stored(agent, serial)
    if serial >= pool:  # a small corpus goes round again, under other slugs
        stored.metadata.slug = f"{stored.metadata.slug}-again-{serial}"
    return stored


class _Build:
    """The state of one build while it runs: which subjects are still in it."""

    def __init__(self, plan: BuildPlan, databases: Sequence[Database | NativeDatabase], tell: Tell) -> None:
        self._plan = plan
        self._databases = {database.subject: database for database in databases}
        self._tell = tell
        self._random = Random(f"{plan.seed}/order/{plan.payload}/{plan.build}")  # noqa: S311 - repeatable order
        self._outcome = BuildOutcome()

    def run(self) -> BuildOutcome:
        """Put all subjects through all workloads."""
        filled = False
        for workload in self._plan.chosen:
            if not filled and not workload.fills:
                self._fill_and_check()
                filled = True
            for index in range(workload.rounds(self._plan.sizes)):
                self._round(workload, index)
        if not filled:
            self._fill_and_check()
        return self._outcome

    def _round(self, workload: Workload, index: int) -> None:
        seed = f"{self._plan.seed}/{workload.name}/{self._plan.payload}/{self._plan.build}/{index}"
        visit = Visit(index, seed, self._plan.sizes)
        for database in self._in_turn(self._plan.subjects):
            label = f"{workload.name} {database.subject.label}"
            self._guarded(database, label, partial(self._visit_or_blank, workload, database, visit))

    def _visit_or_blank(self, workload: Workload, database: Database | NativeDatabase, visit: Visit) -> None:
        try:
            self._visit(workload, database, visit)
        except NotHere as error:
            blank = Blank(workload.name, database.subject, self._plan.payload, str(error))
            if blank not in self._outcome.blanks:
                self._outcome.blanks.append(blank)

    def _visit(self, workload: Workload, database: Database | NativeDatabase, visit: Visit) -> None:
        with watched(lambda: database.process if isinstance(database, NativeDatabase) else None) as seen:
            if isinstance(database, NativeDatabase):
                measured = list(database.measure(workload, visit))
            else:
                measured = list(workload.measure(database, visit))
        where = workload.name, database.subject, self._plan.payload
        figures = (seen.others_s, seen.seconds, seen.probe_us)
        self._outcome.noises.append(Noise(*where, *(round(value, _DIGITS) for value in figures)))
        self._outcome.samples += [
            Sample(
                workload.name,
                one.metric,
                one.unit,
                database.subject,
                self._plan.payload,
                self._plan.build,
                visit.round,
                tuple(round(value, _DIGITS) for value in one.values),
            )
            for one in measured
        ]

    def _fill_and_check(self) -> None:
        for database in self._in_turn(self._plan.subjects):
            self._guarded(database, f"check {database.subject.label}", partial(self._check, database))

    def _check(self, database: Database | NativeDatabase) -> None:
        if isinstance(database, NativeDatabase):
            database.prove(f"{self._plan.seed}/{self._plan.build}")
            return
        database.fill()
        check(database, f"{self._plan.seed}/{self._plan.build}")
        # Again from the files: an answer out of a cache proves nothing about them.
        database.close()
        check(database, f"{self._plan.seed}/{self._plan.build}/reopened")

    def _in_turn(self, subjects: Sequence[Subject]) -> Iterator[Database | NativeDatabase]:
        """Yield the databases that are still in, in an order drawn anew each time."""
        for subject in self._random.sample(subjects, len(subjects)):
            if subject in self._databases:
                yield self._databases[subject]

    def _guarded(self, database: Database | NativeDatabase, label: str, action: Callable[[], None]) -> None:
        try:
            action()
        except (StoreError, WrongAnswer, ChildFailed, OSError) as error:
            self._drop(database, f"{label}: {error}")
        self._tell(label)

    def _drop(self, database: Database | NativeDatabase, reason: str) -> None:
        """Leave a subject out from here on, and take back what was measured of it: a wrong store has no number."""
        subject = database.subject
        del self._databases[subject]
        self._outcome.samples = [one for one in self._outcome.samples if one.subject != subject]
        self._outcome.blanks += [Blank(name, subject, self._plan.payload, reason) for name in self._plan.workloads]
        database.remove()
