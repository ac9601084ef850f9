"""Run the server benchmarks and judge the goals."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.environment import capture
from benchmarks.judge import judge
from benchmarks.payloads.payload import Payloads
from benchmarks.results import Blank, Configuration, Environment, Histogram, Judgement, Raw, Results, Sample, Subject
from benchmarks.runner import Progress, Report
from benchmarks.server.calls import agent_to_create
from benchmarks.server.config import ServerConfig
from benchmarks.server.goals import judge_goals
from benchmarks.server.measure import PAYLOAD, ServerBuild, steps_of
from benchmarks.statistics import median

HEADROOM_MIN = 2.0
"""Below this the generator may be what was measured, so there is no number."""
AFTERMATH_TOLD = 5
"""Work that a load left to do is told from this share of its time on, in %."""


def run_server(config: ServerConfig, progress: Report | None = None) -> Results:
    """Measure and judge. Raises ServerFailed when a server doesn't start, LoadFailed or WrongAnswers while seeding."""
    began = time.monotonic()
    environment = capture(config.directory)
    report = progress or (lambda _: None)
    total = sum(1 for _ in steps_of(config))
    samples: list[Sample] = []
    histograms: list[Histogram] = []
    blanks: list[Blank] = []
    done = 0

    def tell(label: str) -> None:
        nonlocal done
        done = min(done + 1, total)
        report(Progress(done, total, label))

    folder = Path(tempfile.mkdtemp(prefix="servers-", dir=config.directory))
    try:
        for build in range(config.counts.builds):
            for name in ("load", "growth"):
                place = folder / f"{name}-{build}"
                place.mkdir()
                visit = ServerBuild(config, build, place, tell, samples, histograms, blanks)
                if name == "load":
                    visit.run()
                elif config.growth_sizes:
                    visit.run_growth()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    report(Progress(total, total, "done"))
    bound = list(generator_bound(samples))
    raw = Raw(
        environment=environment,
        configuration=_configuration(config),
        samples=tuple(samples),
        histograms=tuple(histograms),
        blanks=(*blanks, *bound),
        notes=tuple(_notes(environment, samples)),
        seconds=round(time.monotonic() - began, 1),
    )
    summaries = judge(raw, claims=()).summaries
    return Results(raw, Judgement(summaries, (), judge_goals(raw, config.engine, config.codec, config.growth_sizes)))


def generator_bound(samples: Sequence[Sample]) -> Iterator[Blank]:
    """Yield a blank for each load whose generator couldn't have made twice as much, in the median of its rounds."""
    found: dict[tuple[str, Subject, str], list[float]] = {}
    for one in samples:
        if one.metric == f"{one.workload}_headroom":
            found.setdefault((one.workload, one.subject, one.payload), []).extend(one.values)
    for load, headrooms in found.items():
        if (middle := median(headrooms)) < HEADROOM_MIN:
            yield Blank(
                *load,
                f"generator-bound: the generator was at work, or waiting for a core, {100 / middle:.0f} % of the time, "
                f"so that its rate says nothing of the server; {100 / HEADROOM_MIN:.0f} % is the most that does",
            )


def _configuration(config: ServerConfig) -> Configuration:
    message = agent_to_create(config.seed, PAYLOAD)
    payloads = Payloads("synthetic", f"seed {config.seed}", (message,), 1)
    subjects = {(one.durability, one.profile): None for one in config.scenarios}
    return Configuration(
        bench="server",
        speed=config.speed,
        seed=config.seed,
        command=config.command,
        subjects=tuple(Subject(config.engine, config.codec, mode, profile) for mode, profile in subjects),
        workloads=tuple(dict.fromkeys(one.metric for one in config.scenarios)),
        payload=payloads.source([(PAYLOAD, [message])]),
        numbers=config.numbers,
    )


def _notes(environment: Environment, samples: Sequence[Sample]) -> list[str]:
    headrooms = _by_load(samples, "headroom")
    notes = [
        f"One fsync costs {environment.fsync.median_us:.0f} us here.",
        "Generator, echo and server share this machine's cores; loads take turns, one at a time.",
    ]
    if headrooms:
        least = min(headrooms, key=lambda name: median(headrooms[name]))
        notes.append(f"Generator headroom: at least {median(headrooms[least]):.1f}x ({least}).")
    left = {name: sum(values) / len(values) for name, values in _by_load(samples, "aftermath").items()}
    told = [f"{name} {share:.0f} %" for name, share in left.items() if share >= AFTERMATH_TOLD]
    if told:
        notes.append(
            "Left to do after its turns (compaction), in % of their time, and in no rate: " + ", ".join(told) + "."
        )
    return notes


def _by_load(samples: Sequence[Sample], what: str) -> dict[str, list[float]]:
    """Return the values of a metric that goes with every load, by the load's name."""
    found: dict[str, list[float]] = {}
    for sample in samples:
        if sample.metric == f"{sample.workload}_{what}":
            found.setdefault(f"{sample.workload} {sample.subject.label}", []).extend(sample.values)
    return found
