"""Measure the reference server against a bare echo: the same message, the same load, in turns, in one run."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from benchmarks.results import Blank, Histogram, Sample, Subject
from benchmarks.server import calls, processes
from benchmarks.server.calls import Judge, WrongAnswers, require_right
from benchmarks.server.config import ServerConfig
from benchmarks.server.goals import ECHO, FIXED, GROWING, PLAIN, RELAXED, Scenario, agents_label
from benchmarks.server.latency import encoded
from benchmarks.server.launch import run_in_process, run_turns_in_processes
from benchmarks.server.load import LoadFailed, LoadPlan, LoadReport, Traffic
from benchmarks.server.processes import Credentials, Running
from benchmarks.server.turns import TurnsPlan
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent

PAYLOAD = "medium"
OPEN_LOOP_SHARE = 0.5
"""Of the rate that the closed loop reached: half full is where a server that is well kept runs."""
GROWTH_PAYLOAD = "small"
_SEEDING_S = 90.0
_SINGLE_CALLS_S = 10.0
"""So long a turn of single calls lasts at most."""

Tell = Callable[[str], None]


@dataclass(slots=True)
class Target:
    """One server under load, with what was created on it so far."""

    running: Running
    subject: Subject
    metadata: dict[str, str]
    agents: list[Agent]


@dataclass(frozen=True, slots=True)
class Load:
    """What to send, whose cost that is (subject and payload), and which answers are right."""

    plan: LoadPlan
    subject: Subject
    judge: Judge
    payload: str = PAYLOAD

    def require_right(self, report: LoadReport, what: str) -> None:
        """Raise WrongAnswers unless all was answered, and rightly."""
        judges = {traffic.operation: self.judge for traffic in self.plan.traffic}
        require_right(report, judges, f"{self.subject.label}: {what}")


@dataclass(slots=True)
class ServerBuild:
    """One build: servers started from nothing, and what was measured of them."""

    config: ServerConfig
    build: int
    folder: Path
    tell: Tell
    samples: list[Sample]
    histograms: list[Histogram]
    blanks: list[Blank]
    servers: list[Running] = field(default_factory=list)
    """All that run; a turn begins when they rest."""
    loads: int = 0

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """The loads of this build."""
        return self.config.scenarios

    def run(self) -> None:
        """Start the servers, visit them in interleaved rounds, end them."""
        random = Random(f"{self.config.seed}/{self.build}")  # noqa: S311 - repeatable order
        message = calls.agent_to_create(self.config.seed, PAYLOAD)
        credentials = processes.make_credentials(self.folder)
        with ExitStack() as stack:
            modes = {(one.profile, mode) for one in self.scenarios for mode in (one.durability, "relaxed")}
            needed = sorted({("oss", "relaxed"), *modes})
            targets = {place: self._start(stack, *place, credentials) for place in needed}
            plain = {
                (one.profile, one.durability): self._start_plain(stack, one, credentials)
                for one in {
                    (one.profile, one.durability): one for one in self.scenarios if PLAIN in one.baselines
                }.values()
            }
            for target in (*targets.values(), *plain.values()):
                target.agents += self._create_some(target, message, 64)
            fixed = self.folder / "fixed"
            fixed.write_bytes(targets["oss", "relaxed"].agents[0].SerializeToString())
            echo = stack.enter_context(processes.bare(fixed, self.folder / "bare.log"))
            self.servers = [echo, *(target.running for target in (*targets.values(), *plain.values()))]
            for index in range(self.config.counts.rounds):
                for scenario in random.sample(self.scenarios, len(self.scenarios)):
                    loads = self._loads(scenario, targets, plain, echo, message)
                    for load, report in self._take(scenario.metric, random.sample(loads, len(loads))):
                        self._add(scenario.metric, "us/request", load.subject, index, (1e6 / report.rate,))
                        self._add("headroom", "times", load.subject, index, (report.headroom,), scenario.metric)
                        after = 100 * report.aftermath_seconds / report.seconds
                        self._add("aftermath", "%", load.subject, index, (after,), scenario.metric)
            self._latencies(targets["oss", "relaxed"], message)

    def _start(self, stack: ExitStack, profile: str, mode: str, credentials: Credentials) -> Target:
        subject = Subject(self.config.engine, self.config.codec, mode, profile)
        store = self.folder / f"{profile}-{mode}"
        store.mkdir()
        url = f"{subject.engine}:{store / 'db'}?codec={subject.codec}&durability={mode}"
        log = self.folder / f"{profile}-{mode}.log"
        running = stack.enter_context(processes.reference(url, profile, credentials, log))
        metadata = credentials.metadata if profile == "cloud" else {}
        return Target(running, subject, metadata, [])

    def _start_plain(self, stack: ExitStack, scenario: Scenario, credentials: Credentials) -> Target:
        """Start the scenario's server without its fast paths."""
        mode, profile = scenario.durability, scenario.profile
        place = f"plain-{profile}-{mode}"
        (self.folder / place).mkdir()
        url = f"{self.config.engine}:{self.folder / place / 'db'}?codec={self.config.codec}&durability={mode}"
        log = self.folder / f"{place}.log"
        running = stack.enter_context(processes.reference(url, profile, credentials, log, fast_paths=False))
        return Target(
            running, Subject(PLAIN, "", mode, profile), credentials.metadata if profile == "cloud" else {}, []
        )

    def _prefix(self) -> str:
        """Return a name that no load of this build had."""
        self.loads += 1
        return f"load-{self.build}-{self.loads}"

    def _create_some(self, target: Target, message: Agent, count: int) -> list[Agent]:
        prefix = self._prefix()
        create = Traffic("create", calls.encoded([message]), unique=prefix)
        plan = LoadPlan(target.running.address, (create,), seconds=_SEEDING_S, calls=count, metadata=target.metadata)
        report = run_in_process(plan)
        Load(plan, target.subject, calls.is_created(prefix)).require_right(report, "create")
        return [Agent.FromString(base64.b64decode(sample)) for sample in report.operations["create"].samples]

    def _loads(
        self,
        scenario: Scenario,
        targets: Mapping[tuple[str, str], Target],
        plain: Mapping[tuple[str, str], Target],
        echo: Running,
        message: Agent,
    ) -> list[Load]:
        """Return the load of a scenario, and the same on each of its baselines."""
        place = (scenario.profile, scenario.durability)
        target, others = targets[place], {RELAXED: targets[scenario.profile, "relaxed"]}
        if place in plain:
            others[PLAIN] = plain[place]
        if scenario.metric == "get":
            loads = self._get_loads(target, others, echo)
        else:
            loads = self._create_loads(target, others, echo, message)
        counts = self.config.counts
        common = {
            "seconds": counts.turn_ms / 1e3,
            "warmup_s": counts.warmup_ms / 1e3,
            "concurrency": scenario.concurrency,
            "metadata": target.metadata,
        }
        wanted = ("", *scenario.baselines)
        return [replace(loads[name], plan=replace(loads[name].plan, **common)) for name in wanted]  # type: ignore[arg-type]  # fields of the plan

    def _create_loads(
        self, target: Target, others: Mapping[str, Target], echo: Running, message: Agent
    ) -> dict[str, Load]:
        create, prefix, size = calls.encoded([message]), self._prefix(), message.ByteSize()
        bare = LoadPlan(echo.address, (Traffic("echo", create, unique=prefix),))
        created = calls.is_created(prefix)

        def on(server: Target) -> Load:
            plan = LoadPlan(server.running.address, (Traffic("create", create, unique=prefix),))
            return Load(plan, server.subject, created)

        return {
            "": on(target),
            ECHO: Load(bare, _bare(ECHO, target), calls.has_bytes(size - 64, 128)),
            **{name: on(other) for name, other in others.items()},
        }

    def _get_loads(self, target: Target, others: Mapping[str, Target], echo: Running) -> dict[str, Load]:
        get, same, size = calls.gets(target.agents), calls.encoded(target.agents), target.agents[0].ByteSize()
        right = calls.is_one_of(target.agents)
        on_echo, on_fixed = (LoadPlan(echo.address, (Traffic(*each),)) for each in (("echo", same), ("fixed", get)))

        def on(server: Target) -> Load:
            plan = LoadPlan(server.running.address, (Traffic("get", calls.gets(server.agents)),))
            return Load(plan, server.subject, calls.is_one_of(server.agents))

        return {
            "": on(target),
            **{name: on(other) for name, other in others.items()},
            ECHO: Load(on_echo, _bare(ECHO, target), right),
            FIXED: Load(on_fixed, _bare(FIXED, target), calls.has_bytes(size - 64, 128)),
        }

    def _take(self, metric: str, loads: Sequence[Load]) -> Iterator[tuple[Load, LoadReport]]:
        """Let the loads take turns; yield those that were answered rightly, and note why the others weren't."""
        self.tell(f"{metric} {', '.join(load.subject.label for load in loads)}")
        resting = tuple(server.pid for server in self.servers)
        try:
            reports = run_turns_in_processes(
                TurnsPlan(tuple(load.plan for load in loads), self.config.counts.turns, resting)
            )
        except LoadFailed as error:
            self.blanks += [Blank(metric, load.subject, load.payload, str(error)) for load in loads]
            return
        for load, report in zip(loads, reports, strict=True):
            try:
                load.require_right(report, metric)
            except WrongAnswers as error:
                self.blanks.append(Blank(metric, load.subject, load.payload, str(error)))
            else:
                yield load, report

    def _add(
        self, metric: str, unit: str, subject: Subject, index: int, values: Sequence[float], of: str = "",
        payload: str = PAYLOAD,
    ) -> None:  # fmt: skip
        name = f"{of}_{metric}" if of else metric
        rounded = tuple(round(value, 3) for value in values)
        self.samples.append(Sample(of or metric, name, unit, subject, payload, self.build, index, rounded))

    def _latencies(self, target: Target, message: Agent) -> None:
        """Take latencies at half the rate that the closed loops reached, open loop, from when calls were due."""
        prefix = self._prefix()
        loads = {
            "get": (Traffic("get", calls.gets(target.agents)), calls.is_one_of(target.agents)),
            "create": (Traffic("create", calls.encoded([message]), unique=prefix), calls.is_created(prefix)),
        }
        for metric, (traffic, judge) in loads.items():
            self.tell(f"{metric} latency {target.subject.label}")
            costs = [
                one.values[0]
                for one in self.samples
                if (one.metric, one.subject, one.build) == (metric, target.subject, self.build)
            ]
            if not costs:
                continue
            rate = OPEN_LOOP_SHARE * 1e6 / (sum(costs) / len(costs))
            seconds, warmup = self.config.counts.latency_ms / 1e3, self.config.counts.warmup_ms / 1e3
            plan = LoadPlan(target.running.address, (traffic,), seconds, rate=rate, warmup_s=warmup)
            self._take_latency(f"{metric}_latency", Load(plan, target.subject, judge))

    def _take_latency(self, metric: str, load: Load) -> None:
        subject = load.subject
        try:
            report = run_in_process(load.plan)
            load.require_right(report, metric)
        except (LoadFailed, WrongAnswers) as error:
            self.blanks.append(Blank(metric, subject, PAYLOAD, str(error)))
            return
        for name, values in (("service", report.service_us), ("response", report.response_us)):
            histogram = Histogram(metric, f"{metric}_{name}", subject, PAYLOAD, self.build, 0, encoded(values))
            self.histograms.append(histogram)
        self._add("late", "calls", subject, 0, (float(report.late + report.dropped),), metric)

    # ---- growth

    def run_growth(self) -> None:
        """Start one server per number of agents, and time single requests on all of them in turns."""
        message = calls.agent_to_create(self.config.seed, GROWTH_PAYLOAD)
        credentials = processes.make_credentials(self.folder)
        with ExitStack() as stack:
            grown: list[tuple[str, Target]] = []
            for size in self.config.growth_sizes:
                (self.folder / str(size)).mkdir()
                place = replace(self, folder=self.folder / str(size))
                target = place._start(stack, "oss", "relaxed", credentials)  # noqa: SLF001 - another view of itself
                self.tell(f"create {agents_label(size)}")
                target.agents += self._create_some(target, message, size)
                grown.append((agents_label(size), target))
            self.servers = [target.running for _, target in grown]
            for index in range(self.config.counts.rounds):
                for operation in GROWING:
                    metric = f"growth_{operation}"
                    loads = [self._single_calls(operation, target, payload, message) for payload, target in grown]
                    for load, report in self._take(metric, loads):
                        self._add(metric, "us", load.subject, index, report.service_us, payload=load.payload)
            for payload, target in grown:
                peak = target.running.memory_peak_kib()
                if peak is not None:
                    self._add("server_memory_peak", "KiB", target.subject, 0, (peak,), payload=payload)

    def _single_calls(self, operation: str, target: Target, payload: str, message: Agent) -> Load:
        prefix = self._prefix()
        right, messages = calls.is_one_of(target.agents), {
            "get": calls.gets, "get_by_reference": calls.gets_by_reference, "get_by_agent": calls.gets_by_agent,
        }  # fmt: skip
        judges = {"get_by_agent": calls.has_default_instance(target.agents), "create": calls.is_created(prefix)}
        traffic = (
            Traffic("create", calls.encoded([message]), unique=prefix)
            if operation == "create"
            else Traffic(operation, messages[operation](target.agents))
        )
        plan = LoadPlan(
            target.running.address, (traffic,), seconds=_SINGLE_CALLS_S, concurrency=1, connections=1,
            calls=self.config.counts.growth_calls, metadata=target.metadata,
        )  # fmt: skip
        return Load(plan, target.subject, judges.get(operation, right), payload)


def _bare(name: str, beside: Target) -> Subject:
    """Return the bare server as the subject that stands beside a target."""
    return Subject(name, "", beside.subject.durability, beside.subject.profile)


def steps_of(config: ServerConfig) -> Iterator[str]:
    """Yield one entry for each step that a whole run tells of when nothing fails."""
    counts = config.counts
    for _ in range(counts.builds):
        yield from ["load"] * (len(config.scenarios) * counts.rounds + 2)
        if config.growth_sizes:
            yield from ["growth"] * (len(config.growth_sizes) + counts.rounds * len(GROWING))
