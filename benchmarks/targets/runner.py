"""Run a comparison of servers: growth first, on servers with nothing in them, then the loads."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager

from benchmarks.environment import capture
from benchmarks.judge import judge
from benchmarks.payloads.payload import Payloads
from benchmarks.results import Configuration, Factor, Judgement, Raw, Results, Subject, Summary
from benchmarks.runner import Progress, Report
from benchmarks.samples import Samples
from benchmarks.server.calls import agent_to_create
from benchmarks.server.runner import generator_bound
from benchmarks.statistics import TooFewBuilds, paired_ratio
from benchmarks.targets import growth
from benchmarks.targets.config import TargetsConfig
from benchmarks.targets.measure import PAYLOAD, Comparison, Findings, Measured, create, prepare
from benchmarks.targets.mixes import BY_NAME

BENCH = "targets"


def run_targets(config: TargetsConfig, progress: Report | None = None) -> Results:
    """Measure and compare. Raises LoadFailed or WrongAnswers if a target can't be filled, and what opening raises."""
    began = time.monotonic()
    environment = capture(config.directory)
    report, total, done = progress or (lambda _: None), _steps(config), 0

    def tell(label: str) -> None:
        nonlocal done
        done = min(done + 1, total)
        report(Progress(done, total, label))

    found = Findings()
    interrupted: tuple[str, ...] = ()
    try:
        _measure(config, found, tell)
    except KeyboardInterrupt:
        if not found.samples:
            raise
        interrupted = (f"Interrupted: {done} of {total} steps are finished.",)
    report(Progress(total, total, "done"))
    raw = Raw(
        environment=environment,
        configuration=_configuration(config),
        samples=tuple(found.samples),
        histograms=tuple(found.histograms),
        blanks=(*found.blanks, *generator_bound(found.samples)),
        notes=(*interrupted, *_notes(config)),
        seconds=round(time.monotonic() - began, 1),
    )
    return Results(raw, Judgement(_in_order(judge(raw, claims=()).summaries, config), tuple(_factors(raw))))


def _measure(config: TargetsConfig, found: Findings, tell: Callable[[str], None]) -> None:
    """Do all that is asked for; what was measured is in `found`, whatever ends this."""
    if config.growth_sizes:
        with _opened(config) as targets:
            growth.grow(config, targets, found, tell)
    with _opened(config) as targets:
        for target in targets:
            tell(f"{target.name}: {config.counts.loaded:,} agents")
            create(target, config.counts.loaded, config.seed)
        comparison = Comparison(config, targets, found, tell)
        mix = BY_NAME[config.mixes[-1]]
        for place in range(config.counts.visits):
            comparison.visit(place)
            comparison.open_loops(mix, place)
            comparison.watches(place)
        if config.objective is not None:
            comparison.search(mix, config.objective)


@contextmanager
def _opened(config: TargetsConfig) -> Iterator[list[Measured]]:
    with ExitStack() as stack:
        yield [prepare(one.name, stack.enter_context(one.open())) for one in config.targets]


def _steps(config: TargetsConfig) -> int:
    targets, visits = len(config.targets), config.counts.visits
    growing = len(config.growth_sizes) * (targets + len(growth.OPERATIONS))
    return growing + targets + visits * (len(config.mixes) + (len(config.rates) + len(config.watchers)) * targets)


def _in_order(summaries: Iterable[Summary], config: TargetsConfig) -> tuple[Summary, ...]:
    """Return each metric's summaries with the targets as they were named, whatever the order they were visited in."""
    found = tuple(summaries)
    metrics = {name: place for place, name in enumerate(dict.fromkeys(one.metric for one in found))}
    names = [target.name for target in config.targets]
    return tuple(sorted(found, key=lambda one: (metrics[one.metric], names.index(one.subject.name))))


def _factors(raw: Raw) -> Iterator[Factor]:
    """Yield how many times faster each further target is than the first, mix by mix. Blank loads have no ratio."""
    samples, blank = Samples(raw.samples), {(one.workload, one.subject) for one in raw.blanks}
    first, *others = raw.configuration.subjects
    for mix in raw.configuration.workloads:
        for other in others:
            if {(mix, first), (mix, other)} & blank:
                continue
            try:
                found = paired_ratio(
                    samples.nested(mix, first, PAYLOAD), samples.nested(mix, other, PAYLOAD),
                )  # fmt: skip
            except (LookupError, TooFewBuilds, ValueError):
                continue
            yield Factor("server", mix, PAYLOAD, "", f"{first.name} to {other.name}", found)


def _configuration(config: TargetsConfig) -> Configuration:
    message = agent_to_create(config.seed, PAYLOAD)
    payloads = Payloads("synthetic", f"seed {config.seed}", (message,), 1)
    return Configuration(
        bench=BENCH,
        speed=config.speed,
        seed=config.seed,
        command=config.command,
        subjects=tuple(Subject(one.name, "", "") for one in config.targets),
        workloads=config.mixes,
        payload=payloads.source([(PAYLOAD, [message])]),
        numbers=config.numbers,
    )


def _notes(config: TargetsConfig) -> tuple[str, ...]:
    notes = [f"{one.name} is {one.text}" for one in config.targets]
    notes += [f"{name}: {BY_NAME[name].says}" for name in config.mixes]
    return (
        *notes,
        "Generator and servers share this machine's cores; loads take turns, one at a time.",
        "Intervals hold what differs between visits to one server, not between starts of it.",
    )
