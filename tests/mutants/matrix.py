"""The kill matrix: the suite against every mutant, compared with the stored sets, told on a page.

`expected.json` holds for each mutant the exact set of requirements that must fail. A mutant that nothing notices, a
requirement that no mutant breaks, and any set that differs from the stored one are faults of the suite.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import socket
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

from conformance.catalogue import catalogue
from conformance.checks import check_of
from conformance.features import FEATURES, Declaration
from conformance.runner import Options, run
from conformance.verdict import EXIT_CONFORMANT, EXIT_NOT_CONFORMANT, Level, Report
from conformance.world import profile_named
from tests.mutants.create_sins import CREATE_SINS
from tests.mutants.hosting import CREDENTIALS, TOKENS, identity, reference
from tests.mutants.mutant import Mutant
from tests.mutants.operation_sins import OPERATION_SINS
from tests.mutants.wrapping import Change, renamed, step_renamed, swap
from tests.second_server import DEFECTS, start

EXPECTED = Path(__file__).with_name("expected.json")
PAGE = Path(__file__).parents[2] / "docs" / "mutants.md"
JOBS = 4
"""Checks at a time: with more, threads that share one interpreter wait for each other."""
ALONE = frozenset(
    {"delete-takes-neighbour", "by-agent-all", "default-instance-twice", "slug-empty-accepted", "list-shows-deleted"}
)
"""Their sins reach into what other checks do at the same time, so only one check at a time gives one exact set."""
EVENT_SECONDS = 5.0
"""Only a server that announces nothing takes this long: events are awaited until a later one has come."""
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Outcome:
    """What the suite said of one wrong server."""

    name: str
    failing: tuple[str, ...]
    exit_code: int


def _options(profile: str, only: tuple[str, ...]) -> Options:
    return Options(
        profile=profile_named(profile),
        only=only,
        credentials=CREDENTIALS,
        jobs=JOBS,
        quick=True,
        event_seconds=EVENT_SECONDS,
    )


def judge_mutant(mutant: Mutant, only: tuple[str, ...] = ()) -> Report:
    """Run the suite against a mutant of the reference."""
    from reference_server.pipelines import OPERATIONS

    operations = mutant.change(OPERATIONS)
    options = replace(_options(mutant.profile, only), jobs=1 if mutant.name in ALONE else JOBS)
    with reference(mutant.profile, operations=operations, settings=mutant.config) as address:
        return run(f"grpc://{address}", options)


def judge_second(defect: str, only: tuple[str, ...] = (), *, profile: str = "cloud") -> Report:
    """Run the suite against the second server with a defect; without one where the name is empty."""
    server = start(profile, TOKENS, identity("operator"), defects=frozenset({defect} if defect else ()))
    try:
        return run(f"grpc://{server.address}", _options(profile, only))
    finally:
        server.stop()


def judge_command(flags: str, only: tuple[str, ...] = ()) -> Report:
    """Run the suite against the second server as a command that it may kill and start again."""
    return run(f"cmd:{sys.executable} -m tests.second_server.server --port {{port}} {flags}", _options("oss", only))


def judge_undeclared(feature: str, only: tuple[str, ...] = ()) -> Report:
    """Run the suite against a right server that says it doesn't offer a feature which it serves."""
    server = start("cloud", TOKENS, identity("operator"))
    declaration = Declaration({name: name not in {feature, "restartable"} for name in FEATURES})
    try:
        return run(f"grpc://{server.address}", replace(_options("cloud", only), declaration=declaration))
    finally:
        server.stop()


def judge_traced(change: Change, profile: str = "cloud") -> Report:
    """Run the trace checks against the reference with a change in it, exporting its spans to the suite."""
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    from reference_server.pipelines import OPERATIONS

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=f"http://{listen}", insecure=True)))
    options = replace(_options(profile, ("TRACE-*",)), otlp_listen=listen)
    try:
        with reference(profile, operations=change(OPERATIONS), tracer=provider.get_tracer("test")) as address:
            return run(f"grpc://{address}", options)
    finally:
        provider.shutdown()


TRACED: dict[str, tuple[Change, str]] = {
    "parent-renamed": (renamed("agent-create", "create-agent"), "the create's span has another name"),
    "step-renamed": (step_renamed("agent-create", "Persist", "Save"), "a step's span has another name"),
    "steps-swapped": (swap("agent-create", "Persist"), "Persist and CreateIamPolicies are swapped"),
}
"""Sins that only traces show."""
UNDECLARED = ("list", "watch", "health", "reflection")
COMMANDS = {
    "forgets": ("", "a restart forgets everything"),
    "forgets-instances": ("--journal {folder}/journal", "a restart forgets all but the agents"),
}
"""Servers that only a restart gives away: flags of the second server's command."""


def _command(name: str, only: tuple[str, ...] = ()) -> Report:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="mutant-") as folder:
        return judge_command(COMMANDS[name][0].replace("{folder}", folder), only)


def mutants() -> dict[str, Mutant]:
    """All mutants of the reference by name."""
    rows = (*CREATE_SINS, *OPERATION_SINS)
    found = {mutant.name: mutant for mutant in rows}
    if len(found) != len(rows):
        raise ValueError("two mutants have one name")
    return found


def sins() -> dict[str, tuple[str, str]]:
    """Every wrong server by name: its sin, and the profile in which the suite meets it."""
    return {
        **{name: (mutant.sin, mutant.profile) for name, mutant in mutants().items()},
        **{f"second:{name}": (sin, "cloud") for name, sin in DEFECTS.items()},
        **{f"undeclared:{name}": (f"{name} is served and not declared", "cloud") for name in UNDECLARED},
        **{f"traced:{name}": (sin, "cloud") for name, (_, sin) in TRACED.items()},
        **{f"command:{name}": (sin, "oss") for name, (_, sin) in COMMANDS.items()},
    }


def judge(name: str, only: tuple[str, ...] = ()) -> Outcome:
    """Run the suite against one wrong server."""
    kind, _, rest = name.rpartition(":")
    if kind == "second":
        report = judge_second(rest, only)
    elif kind == "traced":
        report = judge_traced(TRACED[rest][0])
    elif kind == "undeclared":
        report = judge_undeclared(rest, only)
    elif kind == "command":
        report = _command(rest, only)
    else:
        report = judge_mutant(mutants()[name], only)
    return Outcome(name, report.failing(), report.exit_code)


def expected() -> dict[str, list[str]]:
    """Read the stored sets."""
    stored: dict[str, list[str]] = json.loads(EXPECTED.read_text(encoding="utf-8"))
    return stored


def judge_all(names: Iterable[str], told: Callable[[Outcome], None]) -> list[Outcome]:
    """Judge all, as many at once as there are processors."""
    found: list[Outcome] = []
    # A forked child of a process that runs gRPC may hang; a spawned one begins clean.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count() or 1, mp_context=context, initializer=_warm) as pool:
        waiting = [pool.submit(judge, name) for name in names]
        for done in as_completed(waiting):
            found.append(done.result())
            told(found[-1])
    return sorted(found, key=lambda outcome: list(sins()).index(outcome.name))


def _warm() -> None:
    """Load what every run needs, and keep the collector from walking through it again and again.

    What a library and a catalogue hold lives as long as the process; left among the young, it makes up a fifth of the
    time of all runs.
    """
    check_of()  # with it all checks, and what they are made from
    import_module("reference_server.pipelines")
    gc.collect()
    gc.freeze()


def faults(outcomes: Iterable[Outcome], stored: dict[str, list[str]]) -> list[str]:
    """Return what is wrong with the suite: survivors, and sets that differ from the stored ones."""
    found = [f"{name}: stored, but there is no such server" for name in stored if name not in sins()]
    for outcome in outcomes:
        if not outcome.failing:
            found.append(f"{outcome.name}: survived")
        musts = [name for name in outcome.failing if catalogue()[name].level is Level.MUST]
        code = EXIT_NOT_CONFORMANT if musts else EXIT_CONFORMANT
        if outcome.exit_code != code:
            found.append(f"{outcome.name}: exit code {outcome.exit_code} instead of {code}")
        wanted, failing = set(stored.get(outcome.name, ())), set(outcome.failing)
        if wanted != failing:
            missing, more = sorted(wanted - failing), sorted(failing - wanted)
            found.append(f"{outcome.name}: no longer fails {missing}, newly fails {more}")
    return found


def unkilled(sets: Iterable[Iterable[str]]) -> list[str]:
    """Return the requirements that no wrong server breaks."""
    killed = {requirement for failing in sets for requirement in failing}
    return [row.id for row in catalogue().values() if not row.excluded and row.id not in killed]


def write_page(stored: dict[str, list[str]]) -> None:
    """Write the matrix as a page."""
    names = sins()
    lines = [
        "# The kill matrix",
        "",
        "Each row is a server that is wrong in one way, and the requirements that the conformance suite finds broken",
        "in it: exactly these, no others. `make mutants` runs all of them and writes this page; a survivor, a",
        "requirement that nothing breaks, or a set that changed fails it. Servers named `second:` are defects planted",
        "in a second server that shares no code with the reference; `command:` are started, killed, started again.",
        "",
        f"{len(stored)} wrong servers, {len({r for failing in stored.values() for r in failing})} requirements broken.",
        "",
        "| server | sin | profile | broken requirements |",
        "|---|---|---|---|",
    ]
    for name, failing in ((name, failing) for name, failing in stored.items() if name in names):
        sin, profile = names[name]
        lines.append(f"| `{name}` | {sin} | {profile} | {len(failing)}: {_short(failing)} |")
    lines += ["", "## Changes that nothing outside can see", "", *(f"- {line}" for line in EQUIVALENT), ""]
    PAGE.write_text("\n".join(lines), encoding="utf-8")


EQUIVALENT = (
    "Repeating a step that only looks, or sets what it has set: it has the same effect twice as once.",
    "Repeating Persist, CreateIamPolicies or the status update: the same write is staged again, one commit follows.",
    "Swapping CheckDuplicate with SetDefaults: neither looks at what the other does.",
    "Swapping Persist with CreateIamPolicies: both take effect with one commit.",
    "Swapping Publish with TransformResponse, or that with SendResponse: both are redacted either way.",
    "An update that writes blindly, in a server that runs one request after another: nothing comes between.",
    "What the store keeps of a secret: no answer may show it.",
)
SHOWN = 12


def _short(failing: list[str]) -> str:
    shown = ", ".join(failing[:SHOWN])
    return shown if len(failing) <= SHOWN else f"{shown}, …"
