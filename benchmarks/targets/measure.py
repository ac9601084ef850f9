"""Measure targets side by side: closed loops in turns, open loops at given rates, the rate that holds an objective."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from benchmarks.results import Blank, Histogram, Sample, Subject
from benchmarks.server import calls
from benchmarks.server.calls import WrongAnswers, require_right
from benchmarks.server.latency import encoded, merged, percentile_us
from benchmarks.server.launch import run_in_process, run_turns_in_processes, run_watch
from benchmarks.server.load import LoadFailed, LoadPlan, LoadReport, Traffic
from benchmarks.server.turns import TurnsPlan
from benchmarks.server.watching import WatchPlan, WatchReport
from benchmarks.targets.config import CONCURRENCY, WATCHED_CREATES, Address, TargetsConfig
from benchmarks.targets.mixes import BY_NAME, LIST, Mix
from benchmarks.targets.objective import RATE_FIRST, Objective, highest_rate
from benchmarks.targets.traffic import Stock, judges_of, traffic_of
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent

PAYLOAD = "medium"
KEPT_MAX = 512
"""So many of a target's agents are known: enough that no server answers all of them from one page of its memory."""
LOAD_S = 120.0
SUSTAINED = 0.99
"""Of the calls that were due: fewer answers than that, and the rate wasn't kept."""

Tell = Callable[[str], None]


@dataclass(slots=True)
class Measured:
    """One target while it runs."""

    name: str
    address: Address
    stock: Stock
    run: str = field(default_factory=lambda: secrets.token_hex(4))
    loads: int = 0

    @property
    def subject(self) -> Subject:
        """The target as what was measured."""
        return Subject(self.name, "", "")

    def plan(self, traffic: tuple[Traffic, ...], concurrency: int = CONCURRENCY) -> LoadPlan:
        """Return a load on this target, to be given its length."""
        where = self.address
        return LoadPlan(
            where.name, traffic, metadata=where.metadata, tls=where.tls, concurrency=concurrency,
            connections=min(2, concurrency),
        )  # fmt: skip

    def prefix(self) -> str:
        """Return the beginning of names that no load had, neither of this run nor of one before."""
        self.loads += 1
        return f"bench-{self.run}-{self.loads}"


@dataclass(slots=True)
class Findings:
    """What a run has found so far."""

    samples: list[Sample] = field(default_factory=list)
    histograms: list[Histogram] = field(default_factory=list)
    blanks: list[Blank] = field(default_factory=list)

    def add(self, workload: str, metric: str, unit: str, subject: Subject, place: int, *values: float) -> None:
        """Note raw values of one visit."""
        rounded = tuple(round(value, 3) for value in values)
        self.samples.append(Sample(workload, metric, unit, subject, PAYLOAD, place, 0, rounded))

    def blank(self, workload: str, subject: Subject, reason: str, payload: str = PAYLOAD) -> None:
        """Note once why there is no number."""
        found = Blank(workload, subject, payload, reason)
        if found not in self.blanks:
            self.blanks.append(found)


def prepare(name: str, address: Address) -> Measured:
    """Find out what a target offers. Raises LoadFailed."""
    measured = Measured(name, address, Stock(address.organization))
    probe = measured.plan(traffic_of(BY_NAME[LIST], measured.stock, Agent(), "", Random(0)), 1)  # noqa: S311
    report = run_in_process(replace(probe, seconds=LOAD_S, calls=1))
    measured.stock.has_list = 0 in report.statuses
    return measured


def create(target: Measured, count: int, seed: int, seconds: float = LOAD_S) -> int:
    """Create agents until there are `count` more, or time is up; return how many. Raises LoadFailed, WrongAnswers."""
    prefix = target.prefix()
    message = calls.agent_to_create(seed, PAYLOAD, target.address.organization)
    plan = target.plan((Traffic("create", calls.encoded([message]), unique=prefix),))
    report = run_in_process(replace(plan, seconds=seconds, calls=count, samples_kept=KEPT_MAX))
    require_right(report, {"create": calls.is_created(prefix)}, f"{target.name}: create")
    made = [Agent.FromString(base64.b64decode(one)) for one in report.samples]
    target.stock.agents = sorted([*target.stock.agents, *made], key=_made_at)[-KEPT_MAX:]
    return report.statuses[0]


def _made_at(agent: Agent) -> tuple[int, int]:
    created = agent.status.audit.spec_audit.created_at
    return created.seconds, created.nanos


class Comparison:
    """The loads of a run on targets that are prepared."""

    def __init__(self, config: TargetsConfig, targets: Sequence[Measured], found: Findings, tell: Tell) -> None:
        self._config = config
        self._targets = targets
        self._found = found
        self._tell = tell
        self._random = Random(f"{config.seed}")  # noqa: S311 - a repeatable order
        self._resting = tuple(one.address.process for one in targets if one.address.process is not None)

    # ---- closed loops

    def visit(self, place: int) -> None:
        """Take every mix once, all targets in turns."""
        for name in self._random.sample(self._config.mixes, len(self._config.mixes)):
            self._tell(f"{name}, {CONCURRENCY} callers")
            self._take_turns(BY_NAME[name], place)

    def _take_turns(self, mix: Mix, place: int) -> None:
        counts = self._config.counts
        left = [one for one in self._targets if not self._is_blank(mix.name, one.subject)]
        if not left:
            return
        loads = [(one, *self._load(one, mix)) for one in self._random.sample(left, len(left))]
        plans = tuple(
            replace(plan, seconds=counts.turn_ms / 1e3, warmup_s=counts.warmup_ms / 1e3) for _, plan, _ in loads
        )
        try:
            reports = run_turns_in_processes(TurnsPlan(plans, counts.turns, self._resting))
        except LoadFailed as error:
            for one, _, _ in loads:
                self._found.blank(mix.name, one.subject, str(error))
            return
        for (one, _, prefix), report in zip(loads, reports, strict=True):
            if self._is_right(mix.name, one, report, prefix):
                self._found.add(mix.name, mix.name, "us/request", one.subject, place, 1e6 / report.rate)
                self._found.add(mix.name, f"{mix.name}_headroom", "times", one.subject, place, report.headroom)

    def _load(self, target: Measured, mix: Mix) -> tuple[LoadPlan, str]:
        prefix = target.prefix()
        message = calls.agent_to_create(self._config.seed, PAYLOAD, target.address.organization)
        return target.plan(traffic_of(mix, target.stock, message, prefix, self._random)), prefix

    def _is_right(self, workload: str, target: Measured, report: LoadReport, prefix: str) -> bool:
        try:
            require_right(report, judges_of(target.stock, prefix), f"{target.name}: {workload}")
        except WrongAnswers as error:
            self._found.blank(workload, target.subject, str(error))
            return False
        return True

    def _is_blank(self, workload: str, subject: Subject) -> bool:
        return any((one.workload, one.subject) == (workload, subject) for one in self._found.blanks)

    # ---- open loops

    def open_loops(self, mix: Mix, place: int) -> None:
        """Put each rate on each target, one at a time, and keep all latencies."""
        for rate in self._config.rates:
            for target in self._random.sample(self._targets, len(self._targets)):
                workload = f"{mix.name}_at_{rate:g}"
                self._tell(f"{mix.name} at {rate:g}/s on {target.name}")
                report = self._at(target, mix, rate, self._config.counts.open_ms / 1e3, workload)
                if report is None:
                    continue
                for name, values in (("service", report.service_us), ("response", report.response_us)):
                    histogram = Histogram(
                        workload, f"{workload}_{name}", target.subject, PAYLOAD, place, 0, encoded(values), rate
                    )
                    self._found.histograms.append(histogram)
                self._found.add(workload, f"{workload}_kept", "%", target.subject, place, 100 * _kept(report, rate))

    def watches(self, place: int) -> None:
        """Let many watch while one creates, target by target, and keep how long each event took to each of them."""
        for count in self._config.watchers:
            for target in self._random.sample(self._targets, len(self._targets)):
                workload = f"watch_{count}"
                self._tell(f"{count} watchers of {target.name}")
                if self._is_blank(workload, target.subject):
                    continue
                message = calls.agent_to_create(self._config.seed, PAYLOAD, target.address.organization)
                where = target.address
                plan = WatchPlan(
                    where.name, count, WATCHED_CREATES, calls.encoded([message])[0], target.prefix(), where.metadata,
                    where.tls,
                )  # fmt: skip
                try:
                    report = run_watch(plan)
                except LoadFailed as error:
                    self._found.blank(workload, target.subject, str(error))
                else:
                    self._keep_watch(workload, target, report, place)

    def _keep_watch(self, workload: str, target: Measured, report: WatchReport, place: int) -> None:
        if report.refused or not report.delays_us:
            self._found.blank(workload, target.subject, report.refused or "no event came")
            return
        events = len(report.delays_us) + report.lost
        self._found.histograms.append(
            Histogram(
                workload, f"{workload}_response", target.subject, PAYLOAD, place, 0, encoded(report.delays_us), events
            )
        )
        self._found.add(workload, f"{workload}_kept", "%", target.subject, place, 100 * (1 - report.lost / events))
        self._found.add(workload, f"{workload}_headroom", "times", target.subject, place, report.headroom)

    def _at(self, target: Measured, mix: Mix, rate: float, seconds: float, workload: str) -> LoadReport | None:
        plan, prefix = self._load(target, mix)
        try:
            report = run_in_process(replace(plan, seconds=seconds, rate=rate))
        except LoadFailed as error:
            self._found.blank(workload, target.subject, str(error))
            return None
        return report if self._is_right(workload, target, report, prefix) else None

    def search(self, mix: Mix, objective: Objective) -> None:
        """Find the highest rate that holds the objective, target by target."""
        workload = f"{mix.name}_within_{objective.text}"
        for target in self._targets:

            def holds(rate: float, target: Measured = target) -> bool:
                self._tell(f"{mix.name} within {objective.text}: {rate:.0f}/s on {target.name}")
                report = self._at(target, mix, rate, self._config.counts.probe_ms / 1e3, workload)
                return report is not None and _kept(report, rate) >= SUSTAINED and _within(report, objective)

            found = highest_rate(holds)
            if found is None:
                self._found.blank(workload, target.subject, f"even {RATE_FIRST:.0f}/s didn't hold it")
            else:
                self._found.add(workload, workload, "requests/s", target.subject, 0, found)


def _kept(report: LoadReport, rate: float) -> float:
    """Return which part of the calls that were due was answered in time to be counted."""
    return report.completed / (rate * report.seconds)


def _within(report: LoadReport, objective: Objective) -> bool:
    if not report.completed:
        return False
    return percentile_us(merged([encoded(report.response_us)]), objective.percentile) <= objective.within_us
