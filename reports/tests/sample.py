"""Runs to report on, made with the other rooms' own values, statistics and writers; and a hostile one."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import orjson

from benchmarks.judge import judge
from benchmarks.results import (
    Blank,
    Configuration,
    DurabilityProof,
    Environment,
    FsyncCost,
    PayloadClass,
    PayloadSource,
    Raw,
    Results,
    Sample,
    Subject,
    write_results,
)
from conformance.cause import Cause, Diagnosis
from conformance.evidence import Ending, Evidence, Exchange, Outcome
from conformance.evidence_file import EvidenceWriter
from conformance.verdict import CLOUD_ONLY_STEPS, CREATE_STEPS, Level, Problem, Report, Result, RunInfo, Verdict
from conformance.verdicts_file import write_verdicts
from parity.corpus import RoundTrip
from parity.corpus_proof import CorpusProof, write_corpus_proof
from parity.plan import LeftOut
from parity.run_folder import ProofRecord, Record, write_record

STORES = ("leveldb-protobuf", "leveldb-json-orjson", "sqlite-json-orjson", "sqlite-protobuf")
PROFILES = ("cloud", "oss")
STARTED = "2026-03-01T09:30:00.000Z"

HOSTILE = (
    "<script>alert('x')</script><img src=http://evil.example/x onerror=alert(1)>"
    "\"'`&]]><!--\x00\x07\x1b[31m\u202eesrever\u200b|a|"
    "\n# heading\n```\n@everyone [x](javascript:alert(1)) \ufffe{{ 7*7 }}"
)
"""What a server or a payload could send to whoever reads a report."""

OPERATIONS = ("update", "delete", "apply", "get", "getByReference", "agent instances", "list", "rpc")


def result(
    id_: str,
    *,
    step: str = "",
    operation: str = "agent.create",
    level: Level = Level.MUST,
    verdict: Verdict = Verdict.PASS,
) -> Result:
    cloud_only = step in CLOUD_ONLY_STEPS
    return Result(
        id=id_,
        level=level,
        profiles=("cloud",) if cloud_only else PROFILES,
        operation=operation,
        step=step,
        sentence=f"The server does what requirement {id_} of {step or operation} asks for.",
        source="behaviour 1",
        check=f"check_{id_.lower()}",
        verdict=verdict,
        reproduce=f"parity conform grpc://127.0.0.1:50051 --profile cloud --only {id_} --seed 7",
        duration_ms=12.5,
    )


def catalogue(profile: str) -> list[Result]:
    """All green: three requirements per step, a SHOULD among them, and some per other operation."""
    rows: list[Result] = []
    for step in CREATE_STEPS:
        absent = profile == "oss" and step in CLOUD_ONLY_STEPS
        for number in (1, 2, 3):
            level = Level.SHOULD if number == 3 else Level.MUST
            row = result(f"{step[:8].upper()}-{number}", step=step, level=level)
            reason = f"the {profile} profile has no step {step}"
            rows.append(replace(row, verdict=Verdict.NOT_APPLICABLE, reason=reason) if absent else row)
    rows += [result("ORD-ATOM"), result("ORD-RACE")]
    rows += [
        result(f"{operation.replace(' ', '').upper()}-{n}", operation=operation)
        for operation in OPERATIONS
        for n in (1, 2)
    ]
    return rows


def run_info(name: str, profile: str) -> RunInfo:
    return RunInfo(
        id=f"run-{name}-{profile}",
        target="unix:/run/parity.sock",
        profile=profile,
        seed=7,
        contract_revision="2026-01-26",
        catalogue_hash="5f2c",
        versions={"grpcio": "1.85.0", "protobuf": "7.36.0"},
        features={"list": True, "events": profile == "cloud"},
        selection=(),
        started_at=STARTED,
        finished_at="2026-03-01T09:30:20.000Z",
    )


def report(name: str, profile: str, changes: dict[str, Result] | None = None) -> Report:
    """A green report; `changes` replaces results by id, and the first failure among them is explained."""
    rows = [(changes or {}).get(row.id, row) for row in catalogue(profile)]
    failed = [row for row in (changes or {}).values() if row.verdict is Verdict.FAIL]
    diagnosis = explained(failed[0], *failed[1:]) if failed else Diagnosis()
    return Report(run_info(name, profile), tuple(rows), diagnosis=diagnosis)


def explained(first: Result, *others: Result) -> Diagnosis:
    """A diagnosis in which one cause explains the first failure, in its requirement's words, and none the others."""
    seq = first.problems[0].exchange
    cause = Cause(
        id=f"fault-{first.id}",
        sentence=f"it is the opposite of: {first.sentence}",
        where=f"agent-create: {first.step}",
        explains=(first.id,),
        alone=(first.id,),
        also=(f"or as if: {first.sentence}",),
        telling=first.id,
        exchange=seq,
    )
    return Diagnosis((cause,), tuple(row.id for row in others))


def exchanges() -> tuple[Exchange, ...]:
    request = {
        "apiVersion": "agentic.stigmer.ai/v1",
        "metadata": {"name": "Code Reviewer", "org": "acme", "ownerScope": "organization"},
        "spec": {"instructions": "Review the change. " * 60, "mcpServers": [{"name": f"s{n}"} for n in range(30)]},
    }
    answer = {"metadata": {"id": "agt-01jq", "slug": "code-reviewer"}, "status": {}}
    path = "/ai.stigmer.agentic.agent.v1.AgentCommandController/create"
    refused = ({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [{"field": "metadata.name"}]},)
    return (
        Exchange(
            1, "dup", "first", "CheckDuplicate", "member", path, request, "OK", responses=(answer,), elapsed_ms=3.2
        ),
        Exchange(
            2, "dup", "second", "CheckDuplicate", "member", path, request, "OK", responses=(answer,), elapsed_ms=2.9
        ),
        Exchange(
            3, "dup", "bad", "ValidateFieldConstraints", "", path, {}, "INVALID_ARGUMENT", "name: required", refused
        ),
    )


def hostile_exchange() -> Exchange:
    return Exchange(
        4, "dup", HOSTILE, HOSTILE, HOSTILE, HOSTILE, {HOSTILE: [HOSTILE]}, "INTERNAL", HOSTILE, (HOSTILE,),
        ({HOSTILE: HOSTILE},), HOSTILE,
    )  # fmt: skip


def failing() -> dict[str, Result]:
    """One of every verdict that isn't green."""
    duplicate = replace(
        result("CHECKDUP-1", step="CheckDuplicate", verdict=Verdict.FAIL),
        sentence="A create whose slug is taken is refused with ALREADY_EXISTS, and the first resource is unchanged.",
        problems=(
            Problem("the second create was accepted", "ALREADY_EXISTS", "OK", 2),
            Problem("the first agent's description changed", '"Reviews code"', '""'),
        ),
        evidence=(1, 2, 3),
    )
    should = replace(
        result("VALIDATE-3", step="ValidateFieldConstraints", level=Level.SHOULD, verdict=Verdict.FAIL),
        problems=(Problem("the status carries no BadRequest", exchange=3),),
        evidence=(3,),
    )
    untestable = replace(
        result("CREATEIA-1", step="CreateIamPolicies", verdict=Verdict.UNTESTABLE), reason="no credentials for an admin"
    )
    known = replace(
        result("LIST-1", operation="list", verdict=Verdict.KNOWN_FAILING), reason="pages overlap; mended in 0.3"
    )
    return {row.id: row for row in (duplicate, should, untestable, known)}


def write_server(folder: Path, told: Report, exchanged: tuple[Exchange, ...] = ()) -> None:
    """Write evidence and verdicts as the suite does."""
    folder.mkdir(parents=True, exist_ok=True)
    with EvidenceWriter(folder / "evidence.jsonl", told.run) as writer:
        writer.add(Evidence("dup", exchanged, {"slug": "code-reviewer"}), Outcome("dup", Ending.EXERCISED, "", 9.5))
        writer.finish(told.run, told.leaks)
    write_verdicts(folder / "verdicts.json", told)


SUBJECTS = tuple(
    Subject(engine, codec, mode, language=language)
    for mode in ("durable", "relaxed")
    for language, engine, codec in (
        ("", "leveldb", "protobuf"),
        ("", "leveldb", "json"),
        ("", "sqlite", "protobuf"),
        ("", "sqlite", "json"),
        ("go", "sqlite", "json"),
        ("go", "badger", "protobuf"),
    )
)
SIDES = tuple(one for one in SUBJECTS if one.language or one.name in {"leveldb+protobuf", "sqlite+json"})
"""The two sides of the claims: all that a quick run starts, sizes and weighs."""
CLASSES = (PayloadClass("small", 200, 410, 1020, 2040), PayloadClass("medium", 200, 2100, 6100, 16000))
PARTS = ("interpreter", "import", "open", "first_read")


def _level(metric: str, subject: Subject, payload: str) -> float:
    """A plausible median, µs or bytes, so that charts are tested with the shapes that they will meet."""
    size = {"small": 1.0, "medium": 2.2}[payload]
    codec = 3.0 if subject.codec == "protobuf" else 180.0
    engine = {
        "leveldb": {"write": 9, "read": 5, "list": 900},
        "sqlite": {"write": 62, "read": 11, "list": 2000},
        "badger": {"write": 12, "read": 6, "list": 950},
    }
    if metric.startswith("startup_"):
        return {"interpreter": 21e3, "import": 160e3, "open": 4e3, "first_read": 900.0}.get(metric[8:], 190e3)
    if metric.startswith("size_"):
        packed = 0.45 if subject.engine == "leveldb" else 1.05
        moment = {"size_loaded": 1.0, "size_overwritten": 1.7, "size_compacted": 0.95}[metric]
        return 5e6 * size * packed * moment
    if metric == "memory_peak":
        return 68e6 if subject.engine == "leveldb" else 61e6
    fsync = 190.0 if subject.durability == "durable" and metric == "write" else 0.0
    return (engine[subject.engine][metric] + codec * (20 if metric == "list" else 1)) * size + fsync


def samples() -> tuple[Sample, ...]:
    """What a quick run might leave: every metric for small agents, only some for medium ones."""
    chance = random.Random(11)
    plan = [("write", "write", "us"), ("read", "read", "us"), ("list", "list", "us")]
    plan += [("size", f"size_{moment}", "bytes") for moment in ("loaded", "overwritten", "compacted")]
    plan += [("startup", f"startup_{part}", "us") for part in ("total", *PARTS)]
    plan += [("memory", "memory_peak", "bytes")]
    return tuple(
        Sample(
            workload, metric, unit, subject, payload.name, build, round_,
            tuple(_level(metric, subject, payload.name) * chance.lognormvariate(0, 0.06) for _ in range(6)),
        )
        for workload, metric, unit in plan
        for subject in (SUBJECTS if unit == "us" and workload != "startup" else SIDES)
        for payload in CLASSES
        for build in range(3)
        for round_ in range(1)
        if payload.name == "small" or workload == "write" or (workload == "memory" and subject.durability == "relaxed")
    )  # fmt: skip


def raw() -> Raw:
    environment = Environment(
        "2026-03-01T09:31:00Z", "Example CPU 3000", 2, 4 << 30, "Linux 6.1 x86_64", "3.11.7", "/srv/bench", "ext4",
        FsyncCost(151.3, 201.9, 200), 0.42, {"plyvel": "1.5.1", "sqlite": "3.40.1", "orjson": "3.13.0"},
    )  # fmt: skip
    source = PayloadSource(
        "corpus", "agents.jsonl", 602, 600, 3, ("line 7: name '日本語': nothing for a slug",), CLASSES
    )
    names = ("write", "read", "list", "size", "startup", "memory")
    numbers = {"builds": 3, "rounds": 1, "operations": 6}
    command = "parity bench stores --quick --seed 1"
    configuration = Configuration("stores", "quick", 1, command, SUBJECTS, names, source, numbers)
    blanks = tuple(
        Blank("memory", subject, "medium", "the process was ended by the system: out of memory")
        for subject in SIDES
        if subject.durability == "durable"
    )
    proofs = tuple(
        DurabilityProof(one, "strace", 20, 20, holds=True, note="") for one in SUBJECTS if one.durability == "durable"
    )
    return Raw(environment, configuration, samples(), blanks, proofs, ("warm page cache",), 93.4)


def results() -> Results:
    made = raw()
    return Results(made, judge(made))


def write_whole(directory: Path, benchmarks: Results, *, red: bool, hostile: bool = False) -> Path:
    """Write the folder of a whole verification; `red` puts one of every bad verdict on the last store."""
    proofs = []
    for store in STORES:
        for profile in PROFILES:
            changes = failing() if red and store == STORES[-1] and profile == "cloud" else {}
            if hostile and store == STORES[0]:
                changes = {"CHECKDUP-1": hostile_result()}
            folder = directory / "conformance" / f"{store}-{profile}"
            shown = (*exchanges(), hostile_exchange()) if hostile else exchanges()
            write_server(folder, report(store, profile, changes), shown)
            command = f"parity conform 'store:{store}' --profile {profile}"
            place = f"conformance/{store}-{profile}"
            proofs.append(ProofRecord(store.replace("-", "+", 1), profile, place, command, int(bool(changes)), 9.5))
    write_record(
        Record(
            command="parity verify --quick --corpus agents.jsonl",
            speed="quick",
            started_at=STARTED,
            finished_at="2026-03-01T09:36:00.000Z",
            seconds=360.0,
            system="Linux 6.1 x86_64, 2 cores",
            python="3.11.7",
            versions={"agent-parity": "0.1.0"},
            conformance=tuple(proofs),
            left_out=(LeftOut("rocksdb+protobuf", HOSTILE if hostile else "the driver rocksdict is not installed"),),
            benchmarks_command="parity bench stores --quick",
            benchmarks_exit_code=0,
            corpus="corpus.json",
            exit_code=int(red),
        ),
        directory,
    )
    write_results(benchmarks, directory / "benchmarks")
    skipped = (
        "line 7: name '日本語': nothing for a slug",
        HOSTILE if hostile else "line 9: name '!!!': nothing for a slug",
    )
    trips = tuple(RoundTrip(store.replace("-", "+", 1), 600, 600, (), 4.2) for store in STORES)
    source = replace(benchmarks.raw.configuration.payload, skipped=skipped)
    write_corpus_proof(CorpusProof(Path("/data/agents.jsonl"), source, trips), directory / "corpus.json")
    return directory


def hostile_result() -> Result:
    """A failure in which every text is hostile, the requirement's id included."""
    return Result(
        f"CHECKDUP-1{HOSTILE}", Level.MUST, ("cloud",), "agent.create", "CheckDuplicate", HOSTILE, HOSTILE, "dup",
        Verdict.FAIL,
        (Problem(HOSTILE, HOSTILE, HOSTILE, 4),), HOSTILE, (4,), f"parity conform {HOSTILE}",
    )  # fmt: skip


def rewrite(path: Path, **changes: object) -> None:
    """Change fields of a JSON file."""
    path.write_bytes(orjson.dumps({**orjson.loads(path.read_bytes()), **changes}))
