"""Run the store benchmarks: builds one after the other, each in a process of its own, then the judgement."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from benchmarks.build import BuildOutcome, BuildPlan, agents_of
from benchmarks.config import Speed, StoresConfig
from benchmarks.durability import prove
from benchmarks.environment import capture
from benchmarks.judge import judge
from benchmarks.native import build as native
from benchmarks.native.process import settings_of
from benchmarks.payloads.corpus import load_corpus
from benchmarks.payloads.payload import Payloads
from benchmarks.results import Blank, Configuration, DurabilityProof, Environment, Raw, Results, Sample, Subject
from benchmarks.unfinished import Unfinished
from stores.registry import scheme_of, unavailable

BUILD_DEADLINE_S = 1_800.0
"""The longest build of a full run takes some minutes; one that takes half an hour hangs."""
_TAIL = 2_000
RESUMED = "{} builds were measured before the run was interrupted."


class BenchmarkFailed(Exception):
    """The run can't go on. The message says in which build, and what it said."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: steps done of all, and what was just done."""

    done: int
    total: int
    label: str


Report = Callable[[Progress], None]


def run_stores(config: StoresConfig, progress: Report | None = None) -> Results:
    """Measure and judge. `progress` is called from this thread. Databases stand below `config.directory` until the end.

    Raises BenchmarkFailed, PayloadError (a corpus that can't be read), StoreError (unknown engine).
    """
    began = time.monotonic()
    environment = capture(config.directory)
    missing = _missing(config.subjects)
    measured = tuple(one for one in config.subjects if one not in missing and _may(one, environment))
    folder = Path(tempfile.mkdtemp(prefix="databases-", dir=config.directory))
    try:
        plans = _plans(config, measured, folder)
        configuration = _configuration(config, plans)  # reads the corpus: what is wrong with it is said at once
        steps = _Steps(progress or (lambda _: None), sum(plan.steps for plan in plans))
        settings = tuple(settings_of(subject, folder) for subject in measured if subject.language)
        proofs = _prove_all(measured if config.proven else (), folder, steps)
        unfinished = Unfinished(config.directory)
        outcome, left = _run_all(plans, steps, unfinished)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    blanks = [*outcome.blanks, *_blanks_of_missing(config, missing)]
    raw = Raw(
        environment=environment,
        configuration=configuration,
        samples=tuple(_without_blanks(outcome.samples, blanks)),
        blanks=tuple(blanks),
        durability=tuple(proofs),
        notes=(*_notes(config, environment), *settings, *([RESUMED.format(left)] if left else [])),
        noises=tuple(outcome.noises),
        seconds=round(time.monotonic() - began, 1),
    )
    return Results(raw, judge(raw))


def _may(subject: Subject, environment: Environment) -> bool:
    return not (subject.durability == "durable" and environment.durable_refusal)


def _missing(subjects: Iterable[Subject]) -> dict[Subject, str]:
    """Return the subjects whose driver isn't installed, with the reason. Raises StoreError for an unknown engine."""
    reasons = {
        subject: native.missing(subject.engine) if subject.language else unavailable(scheme_of(subject.engine))
        for subject in subjects
    }
    return {subject: reason for subject, reason in reasons.items() if reason}


def _blanks_of_missing(config: StoresConfig, missing: dict[Subject, str]) -> list[Blank]:
    return [
        Blank(workload, subject, payload, reason)
        for subject, reason in missing.items()
        for payload in config.payloads
        for workload in config.visited
    ]


def _plans(config: StoresConfig, subjects: tuple[Subject, ...], folder: Path) -> list[BuildPlan]:
    """Return all builds; those of one number follow each other, so that every class meets every hour of the machine."""
    return [
        BuildPlan(
            subjects=tuple(one for one in config.subjects_with(payload) if one in subjects),
            workloads=config.visited,
            payload=payload,
            build=build,
            seed=config.seed,
            sizes=config.counts,
            directory=folder,
            corpus=config.corpus,
            fresh=build < config.fresh_builds,
        )
        for build in range(config.counts.builds)
        for payload in config.payloads
    ]


class _Steps:
    """Counts the steps of a run and reports each."""

    def __init__(self, report: Report, total: int) -> None:
        self._report = report
        self._done = 0
        self.total = total

    def done(self, label: str) -> None:
        """Count one step."""
        self._done = min(self._done + 1, self.total)
        self._report(Progress(self._done, self.total, label))

    def all_done(self) -> None:
        """Say that nothing is left, whatever failed on the way."""
        self._report(Progress(self.total, self.total, "done"))


def _prove_all(subjects: Sequence[Subject], folder: Path, steps: _Steps) -> list[DurabilityProof]:
    durable = [subject for subject in subjects if subject.durability == "durable" and subject.engine != "memory"]
    steps.total += len(durable)
    proofs = []
    for subject in durable:
        proofs.append(prove(subject, folder))
        steps.done(f"count the syncs of {subject.label}")
    return proofs


def _run_all(plans: Sequence[BuildPlan], steps: _Steps, unfinished: Unfinished) -> tuple[BuildOutcome, int]:
    """Run all builds but those that an interrupted run has left; return what they gave, and how many were left."""
    whole, left = BuildOutcome(), 0
    for plan in plans:
        label = f"build {plan.build + 1}, {plan.payload}"
        outcome = unfinished.outcome_of(plan)
        if outcome is not None:
            left += 1
            for _ in range(plan.steps):
                steps.done(f"{label}: was measured before the run was interrupted")
        else:
            outcome = BuildOutcome()
            for step in _run_build(plan, outcome):
                steps.done(f"{label}: {step}")
            unfinished.keep(plan, outcome)
        whole.add(outcome)
    steps.all_done()
    unfinished.forget()
    return whole, left


def _run_build(plan: BuildPlan, whole: BuildOutcome) -> Iterable[str]:
    """Yield the steps of a build in a fresh process and add its outcome to the whole. Raises BenchmarkFailed."""
    where = f"build {plan.build + 1} with {plan.payload} agents"
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.children.build"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
        )
        deadline = threading.Timer(BUILD_DEADLINE_S, process.kill)
        deadline.start()
        try:
            yield from _listen(process, plan, whole)
            code = process.wait()
        finally:
            deadline.cancel()
            process.kill()
            process.wait()
        if code != 0:
            said.seek(0)
            tail = said.read()[-_TAIL:].decode(errors="replace").strip()
            raise BenchmarkFailed(f"{where} ended with {code}: {tail or 'killed, or over its deadline'}")


def _listen(process: subprocess.Popen[bytes], plan: BuildPlan, whole: BuildOutcome) -> Iterable[str]:
    if process.stdin is None or process.stdout is None:
        raise BenchmarkFailed("a build was started without pipes")
    with process.stdin:
        process.stdin.write(TypeAdapter(BuildPlan).dump_json(plan))
    with process.stdout:
        for line in process.stdout:
            if line.startswith(b'"'):
                yield TypeAdapter(str).validate_json(line)
            else:
                outcome = TypeAdapter(BuildOutcome).validate_json(line)
                whole.add(outcome)


def _without_blanks(samples: Iterable[Sample], blanks: Iterable[Blank]) -> Iterable[Sample]:
    """Yield the samples of what has no blank: measured everywhere, of subjects that were right in every build."""
    wrong = {(blank.workload, blank.subject, blank.payload) for blank in blanks}
    return (sample for sample in samples if (sample.workload, sample.subject, sample.payload) not in wrong)


def _configuration(config: StoresConfig, plans: Sequence[BuildPlan]) -> Configuration:
    used = [(plan.payload, agents_of(plan)) for plan in plans if plan.build == 0]
    if config.corpus is None:
        made = sum(len(agents) for _, agents in used)
        payloads = Payloads(
            "synthetic", f"seed {config.seed}", tuple(one for _, agents in used for one in agents), made
        )
    else:
        payloads = load_corpus(config.corpus)
    return Configuration(
        bench="stores",
        speed=config.speed,
        seed=config.seed,
        command=config.command,
        subjects=config.subjects,
        workloads=config.visited,
        payload=payloads.source(used),
        numbers=config.numbers,
    )


def _notes(config: StoresConfig, environment: Environment) -> tuple[str, ...]:
    fsync = f"{environment.fsync.median_us:.0f} us"
    notes = [
        f"One fsync costs {fsync} here: where it costs more, durable writes of all engines come closer together.",
        "All agents fit in the caches: reads and lists compare work in memory, not disks.",
        "Start-ups are warm: the files are in the page cache.",
    ]
    if not config.proven:
        notes.append("Durability was declared, not proven: no syncs were counted.")
    if config.speed is Speed.QUICK:
        notes.append("A quick run measures the claims' sides alone, and in the durable mode with medium agents alone.")
    if environment.load_average > environment.cpu_count / 2:
        notes.append(f"The machine was busy when the run began (load {environment.load_average}): intervals are wider.")
    return tuple(notes)
