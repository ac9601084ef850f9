"""All deliberately wrong servers, and how the suite is run against each: over the stores and with the fast paths that
people use.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from conformance.features import FEATURES, Declaration
from conformance.known_failing import kind_of_failure
from conformance.run_context import profile_named
from conformance.runner import Options, run
from conformance.verdict import FAILED, Report
from reference_server.pipelines import OPERATIONS
from tests.mutants.believing_sins import BELIEVING_SINS
from tests.mutants.change_sins import CHANGE_SINS
from tests.mutants.create_sins import CREATE_SINS
from tests.mutants.edge_sins import EDGE_SINS
from tests.mutants.environment_sins import ENVIRONMENT_SINS
from tests.mutants.form_sins import FORM_SINS
from tests.mutants.grant_sins import GRANT_SINS
from tests.mutants.half_done_sins import HALF_DONE_SINS
from tests.mutants.holder_sins import HOLDER_SINS
from tests.mutants.hosting import CREDENTIALS, TOKENS, identity, reference
from tests.mutants.instance_sins import INSTANCE_SINS
from tests.mutants.kept_sins import KEPT_SINS
from tests.mutants.mutant import Mutant
from tests.mutants.operators import generated
from tests.mutants.policy_sins import POLICY_SINS
from tests.mutants.racing_sins import RACING_SINS
from tests.mutants.read_sins import READ_SINS
from tests.mutants.refusal_sins import REFUSAL_SINS
from tests.mutants.restart_sins import RESTART_SINS
from tests.mutants.rule_sins import RULE_SINS
from tests.mutants.second_look_sins import SECOND_LOOK_SINS
from tests.mutants.ways_sins import WAYS_SINS
from tests.mutants.wrapping import Change, renamed, step_renamed, swap
from tests.second_server import DEFECTS, start
from tests.wrong_replicas.sets import SETS, Set, served

SINS = (
    REFUSAL_SINS,
    CREATE_SINS,
    READ_SINS,
    CHANGE_SINS,
    INSTANCE_SINS,
    ENVIRONMENT_SINS,
    POLICY_SINS,
    GRANT_SINS,
    HALF_DONE_SINS,
    EDGE_SINS,
    SECOND_LOOK_SINS,
    HOLDER_SINS,
    BELIEVING_SINS,
    RACING_SINS,
    RULE_SINS,
    WAYS_SINS,
    FORM_SINS,
    KEPT_SINS,
)
STORES = {
    "leveldb": "leveldb:{folder}/store",
    "sqlite": "sqlite:{folder}/store.db?codec=protobuf&durability=relaxed",
}
"""Both ways of committing: durable in a thread, relaxed on the event loop. SQLite's default codec is JSON, which drops
unknown fields (RPC-UNKNOWN) whatever the server does; the sets are of servers, so it isn't used."""
OWN_STORE = ("second:", "undeclared:", "command:", "replicas:")
PLAIN_EVERY = 5
JOBS = 4
"""Checks at a time: with more, threads that share one interpreter wait for each other."""
ALONE = frozenset(
    {"delete-takes-neighbour", "by-agent-all", "default-instance-twice", "slug-empty-accepted", "list-shows-deleted"}
)
"""Their sins reach into what other checks do at the same time, so only one check at a time gives one exact set."""
EVENT_SECONDS = 5.0
"""Only a server that announces nothing takes this long: events are awaited until a later one has come."""


@dataclass(frozen=True)
class Outcome:
    """What the suite said of one wrong server."""

    name: str
    store: str
    """A name of `STORES`; empty: the server brings its own."""
    failing: tuple[str, ...]
    exit_code: int
    kinds: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """How each of them failed, as `conformance.known_failing.kind_of_failure` says."""

    def __str__(self) -> str:
        return f"{self.name} over {self.store}" if self.store else self.name


def _options(profile: str, only: tuple[str, ...]) -> Options:
    return Options(
        profile=profile_named(profile),
        only=only,
        credentials=CREDENTIALS,
        jobs=JOBS,
        quick=True,
        event_seconds=EVENT_SECONDS,
        # The sets hold all that is done otherwise than the contract says, its choices too.
        strict=True,
        reruns=0,
    )


def judge_mutant(
    mutant: Mutant, store: str, only: tuple[str, ...] = (), *, fast_paths: bool = True, out: Path | None = None
) -> Report:
    """Run the suite against a mutant of the reference over a store of `STORES`; `out` keeps the run."""
    jobs = 1 if mutant.name in ALONE else JOBS
    options = replace(_options(mutant.profile, only), jobs=jobs, quick=not mutant.full)
    with reference(
        mutant.profile,
        operations=mutant.change(OPERATIONS),
        store=STORES[store],
        fast_paths=fast_paths,
        settings=mutant.config,
    ) as address:
        return run(f"grpc://{address}", options, out=out)


def judge_second(defect: str, only: tuple[str, ...] = (), *, profile: str = "cloud") -> Report:
    """Run the suite against the second server with a defect; without one where the name is empty."""
    server = start(profile, TOKENS, identity("operator"), defects=frozenset({defect} if defect else ()))
    try:
        return run(f"grpc://{server.address}", _options(profile, only))
    finally:
        server.stop()


def judge_command(module: str, only: tuple[str, ...] = (), *, profile: str = "oss") -> Report:
    """Run the suite against a module (with its arguments) as a command that it may kill and start again."""
    return run(f"cmd:{sys.executable} -m {module} --port {{port}}", _options(profile, only))


def judge_undeclared(feature: str, only: tuple[str, ...] = ()) -> Report:
    """Run the suite against a right server that says it doesn't offer a feature which it serves."""
    server = start("cloud", TOKENS, identity("operator"))
    declaration = Declaration({name: name not in {feature, "restartable"} for name in FEATURES})
    try:
        return run(f"grpc://{server.address}", replace(_options("cloud", only), declaration=declaration))
    finally:
        server.stop()


def judge_traced(change: Change, profile: str = "cloud", *, store: str = "leveldb") -> Report:
    """Run the trace checks against the reference with a change in it, exporting its spans to the suite."""
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=f"http://{listen}", insecure=True)))
    options = replace(_options(profile, ("TRACE-*",)), otlp_listen=listen)
    try:
        tracer = provider.get_tracer("test")
        with reference(profile, operations=change(OPERATIONS), store=STORES[store], tracer=tracer) as address:
            return run(f"grpc://{address}", options)
    finally:
        provider.shutdown()


def judge_set(replicas: Set, only: tuple[str, ...] = (), *, profile: str = "cloud", count: int = 2) -> Report:
    """Run the checks of replicas against so many of them: one at a time, so that each finds them as it left them."""
    with served(replicas, profile, count) as target:
        return run(target, replace(_options(profile, only or replicas.asked), jobs=1))


TRACED: dict[str, tuple[Change, str]] = {
    "parent-renamed": (renamed("agent-create", "create-agent"), "the create's span has another name"),
    "step-renamed": (step_renamed("agent-create", "Persist", "Save"), "a step's span has another name"),
    "steps-swapped": (swap("agent-create", "Persist"), "Persist and CreateIamPolicies are swapped"),
}
"""Sins that only traces show."""
UNDECLARED = ("list", "watch", "health", "reflection")
_SECOND = "tests.second_server.server --profile"
COMMANDS = {
    "forgets": (f"{_SECOND} oss", "a restart forgets everything", "oss"),
    "forgets-instances": (
        f"{_SECOND} oss --journal {{folder}}/journal",
        "a restart forgets all but the agents",
        "oss",
    ),
    "forgets-policies": (f"{_SECOND} cloud", "a restart forgets everything, policies and events too", "cloud"),
    **{
        name: (f"tests.mutants.restarted {name} --folder {{folder}}", row.sin, "cloud")
        for name, row in RESTART_SINS.items()
    },
}
"""Servers that only a restart gives away: module and arguments, sin, profile."""


def _command(name: str, only: tuple[str, ...] = ()) -> Report:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="mutant-") as folder:
        module, _, profile = COMMANDS[name]
        return judge_command(module.replace("{folder}", folder), only, profile=profile)


def mutants() -> dict[str, Mutant]:
    """All mutants of the reference by name."""
    rows = tuple(chain(*SINS))
    found = {mutant.name: mutant for mutant in rows}
    if len(found) != len(rows):
        raise ValueError("two mutants have one name")
    return found


def mutant_named(name: str) -> Mutant:
    """Return a mutant of the reference, be it written by hand or generated. Raises KeyError."""
    return generated()[name] if is_generated(name) else mutants()[name]


def is_generated(name: str) -> bool:
    """Say whether a wrong server is made by an operator (`OPERATOR/OPERATION`)."""
    return "/" in name


def sins() -> dict[str, tuple[str, str]]:
    """Every wrong server written by hand: its sin, and the profile in which the suite meets it."""
    return {
        **{name: (mutant.sin, mutant.profile) for name, mutant in mutants().items()},
        **{f"second:{name}": (sin, "cloud") for name, sin in DEFECTS.items()},
        **{f"undeclared:{name}": (f"{name} is served and not declared", "cloud") for name in UNDECLARED},
        **{f"traced:{name}": (sin, "cloud") for name, (_, sin) in TRACED.items()},
        **{f"command:{name}": (sin, profile) for name, (_, sin, profile) in COMMANDS.items()},
        **{f"replicas:{name}": (each.sin, "cloud") for name, each in SETS.items()},
    }


def has_own_store(name: str) -> bool:
    """Say whether a wrong server brings its own store; the others are judged over one of `STORES`."""
    return name.startswith(OWN_STORE)


def store_of(name: str) -> str:
    """Return the store of `STORES` that a wrong server is judged over where none is asked for: they take turns."""
    stores = list(STORES)
    return stores[_place(name) % len(stores)]


def has_fast_paths(name: str) -> bool:
    """Say whether a wrong server is judged with fast paths, as people run it; each fifth is judged without."""
    return _place(name) % PLAIN_EVERY != PLAIN_EVERY - 1


def _place(name: str) -> int:
    return list(generated() if is_generated(name) else sins()).index(name)


def judge(name: str, only: tuple[str, ...] = (), *, store: str = "") -> Outcome:
    """Run the suite against one wrong server, over its own store or `store` (a name of `STORES`; empty: its turn)."""
    kind, _, rest = name.rpartition(":")
    over = "" if has_own_store(name) else store or store_of(name)
    if kind == "second":
        report = judge_second(rest, only)
    elif kind == "undeclared":
        report = judge_undeclared(rest, only)
    elif kind == "command":
        report = _command(rest, only)
    elif kind == "replicas":
        report = judge_set(SETS[rest], only)
    elif kind == "traced":
        report = judge_traced(TRACED[rest][0], store=over)
    else:
        mutant = mutant_named(name)
        report = judge_mutant(mutant, over, only or mutant.asked, fast_paths=has_fast_paths(name))
    return Outcome(name, over, report.failing(), report.exit_code, kinds_of(report))


def kinds_of(report: Report) -> dict[str, tuple[str, ...]]:
    """Return by requirement how it failed."""
    failed = [row for row in report.results if row.verdict in FAILED and row.problems]
    return {row.id: tuple(sorted({kind_of_failure(one) for one in row.problems})) for row in failed}
