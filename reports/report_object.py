"""The report object: what an implementer publishes about a judged server, small enough to be kept beside its release.

A `report.yaml` names the implementation and its version, and says for each profile that was judged what came out, how
to repeat it, and the digest of the evidence, so that who has the evidence can tell that it is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, field
from io import StringIO
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from conformance.verdict import EXIT_CONFORMANT, FAILED, Level, Result, Verdict
from reports.errors import RunUnreadable
from reports.models import Judged, Run
from reports.views.matrix import Cell, create_rows, operation_rows

OBJECT_FILE = "report.yaml"
API_VERSION: Literal["parity/v1"] = "parity/v1"
KIND: Literal["ConformanceReport"] = "ConformanceReport"
BYTES_MAX = 4_000_000
"""A file that is larger is no report object; the largest that Parity makes has some 100 KB."""

_STRICT = ConfigDict(extra="forbid", strict=True)


@dataclass(frozen=True, config=_STRICT)
class Implementation:
    """Who was judged. `url` is where people find it, or the whole report of this run."""

    name: str
    version: str = ""
    url: str = ""
    contact: str = ""


@dataclass(frozen=True, config=_STRICT)
class Part:
    """A step of create or another operation: how many of its MUST requirements hold, of those that apply."""

    name: str
    verdict: Verdict
    held: int
    total: int


@dataclass(frozen=True, config=_STRICT)
class Named:
    """A requirement and what there is to say about it here."""

    id: str
    reason: str


@dataclass(frozen=True, config=_STRICT)
class Again:
    """How to repeat the run."""

    command: str
    seed: int
    strict: bool
    selection: int
    """How many requirements were asked for."""


@dataclass(frozen=True, config=_STRICT)
class Evidence:
    """The digest of `evidence.jsonl`; empty where the run kept none."""

    sha256: str
    run: str


@dataclass(frozen=True, config=_STRICT)
class JudgedProfile:
    """What came out in one profile, of one target."""

    target: str
    profile: str
    conformant: bool
    conclusion: str
    finished_at: str
    counts: dict[Verdict, int]
    parts: list[Part]
    features: dict[str, bool]
    failures: list[str]
    deviations: list[Named]
    known_failures: list[Named]
    unmet_recommendations: list[str]
    reproduce: Again
    evidence: Evidence


@dataclass(frozen=True, config=_STRICT)
class ReportObject:
    """Contents of a `report.yaml`."""

    implementation: Implementation
    contract: str
    """The revision of the contract."""
    catalogue: str
    """The digest of the requirements that were judged."""
    suite: str
    """The version of Parity."""
    results: list[JudgedProfile] = field(default_factory=list)
    api_version: Literal["parity/v1"] = API_VERSION
    kind: Literal["ConformanceReport"] = KIND


_ADAPTER = TypeAdapter(ReportObject)


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a report object."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_ADAPTER.json_schema()}


def report_object(run: Run, implementation: Implementation) -> ReportObject:
    """Return what a run says of an implementation. Raises RunUnreadable when it judged no server, or two contracts."""
    if not run.judged:
        raise RunUnreadable(
            f"{run.name}: no server was judged in this run", hint="run `parity conform TARGET --out DIR`"
        )
    first = run.judged[0].report.run
    if {(one.report.run.contract_revision, one.report.run.catalogue_hash) for one in run.judged} != {
        (first.contract_revision, first.catalogue_hash)
    }:
        raise RunUnreadable(f"{run.name}: its servers were judged by different catalogues", hint="judge them again")
    rows = (*create_rows(run), *operation_rows(run))
    return ReportObject(
        implementation=implementation,
        contract=first.contract_revision,
        catalogue=first.catalogue_hash,
        suite=first.versions.get("suite", ""),
        results=[_profile(one, [(row.name, row.cells[place]) for row in rows]) for place, one in enumerate(run.judged)],
    )


def _profile(judged: Judged, cells: list[tuple[str, Cell]]) -> JudgedProfile:
    report = judged.report
    results = report.results
    return JudgedProfile(
        target=report.run.target,
        profile=report.run.profile,
        conformant=_conformant(report.exit_code, report.summary.counts),
        conclusion=report.conclusion,
        finished_at=report.run.finished_at,
        counts={verdict: count for verdict, count in report.summary.counts.items() if count},
        parts=[Part(name, cell.verdict, cell.passed, cell.total) for name, cell in cells if cell.verdict],
        features=dict(sorted(report.run.features.items())),
        failures=[one.id for one in results if one.verdict in FAILED and one.level is Level.MUST],
        deviations=_named(results, Verdict.DEVIATION),
        known_failures=_named(results, Verdict.KNOWN_FAILING),
        unmet_recommendations=[one.id for one in results if one.verdict in FAILED and one.level is Level.SHOULD],
        reproduce=Again(judged.command, report.run.seed, report.run.strict, len(results)),
        evidence=Evidence(judged.evidence_sha256, report.run.id),
    )


def _conformant(exit_code: int, counts: Any) -> bool:  # noqa: ANN401 - a mapping of either side
    return exit_code == EXIT_CONFORMANT and not counts.get(Verdict.KNOWN_FAILING)


def _named(results: Sequence[Result], verdict: Verdict) -> list[Named]:
    return [Named(one.id, one.reason) for one in results if one.verdict is verdict]


def object_text(made: ReportObject) -> str:
    """Return a report object as YAML; the same object gives the same text."""
    plain = _ADAPTER.dump_python(made, mode="json")
    order = ("api_version", "kind")
    text = StringIO()
    yaml = YAML(typ="rt", pure=True)
    yaml.width = 120
    yaml.dump({**{name: plain[name] for name in order}, **plain}, text)
    return text.getvalue()


def read_object(path: Path) -> ReportObject:
    """Read and check a report object. Raises RunUnreadable that names every part that is wrong."""
    try:
        if path.stat().st_size > BYTES_MAX:
            raise RunUnreadable(f"{path}: {path.stat().st_size:,} bytes; a report object has at most {BYTES_MAX:,}")
        document = YAML(typ="safe", pure=True).load(path.read_text("utf-8"))
    except OSError as error:
        raise RunUnreadable(
            f"{path}: {error.strerror}", hint="write one of a run: parity report DIR --implementation NAME"
        ) from error
    except (YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise RunUnreadable(f"{path}: not YAML: {' '.join(str(error).split())[:300]}") from error
    try:
        found = _ADAPTER.validate_json(_json(document))
    except (ValidationError, TypeError, ValueError) as error:
        raise RunUnreadable(f"{path}: no report object:\n" + "\n".join(_wrong(error))) from error
    if problems := list(contradictions(found)):
        raise RunUnreadable(f"{path}: contradicts itself:\n" + "\n".join(f"  {text}" for text in problems))
    return found


def _json(document: Any) -> bytes:  # noqa: ANN401 - whatever a file holds
    return TypeAdapter(Any).dump_json(document)


def _wrong(error: Exception) -> Iterator[str]:
    if not isinstance(error, ValidationError):
        yield f"  {error}"
        return
    for one in error.errors()[:20]:
        yield f"  {'.'.join(map(str, one['loc'])) or 'the file'}: {one['msg']}"


def contradictions(made: ReportObject) -> Iterator[str]:
    """Yield where an object's parts don't fit each other: what a hand has changed shows here."""
    for place, one in enumerate(made.results):
        at = f"results.{place}"
        count = one.counts.get
        named = {
            Verdict.DEVIATION: len(one.deviations),
            Verdict.KNOWN_FAILING: len(one.known_failures),
        }
        for verdict, number in named.items():
            if count(verdict, 0) != number:
                yield f"{at}: counts say {count(verdict, 0)} {verdict}, and {number} are named"
        failed = len(one.failures) + len(one.unmet_recommendations)
        if failed != sum(count(verdict, 0) for verdict in FAILED):
            yield f"{at}: counts say {sum(count(verdict, 0) for verdict in FAILED)} failed, and {failed} are named"
        if one.reproduce.selection != sum(one.counts.values()):
            yield f"{at}: {one.reproduce.selection} were asked for, and {sum(one.counts.values())} are counted"
        if one.conformant and (one.failures or one.known_failures or not count(Verdict.PASS, 0)):
            yield f"{at}: conformant, and yet not everything that it must holds"
        if bad := [part.name for part in one.parts if part.held > part.total]:
            yield f"{at}: more hold than there are: {', '.join(bad)}"


def differs_from_run(made: ReportObject, run: Run) -> list[str]:
    """Return where an object says other things than the run that it is said to be of."""
    own = asdict(report_object(run, made.implementation))
    theirs = asdict(made)
    if own == theirs:
        return []
    names = [name for name in own if own[name] != theirs[name] and name != "results"]
    for place, (mine, other) in enumerate(zip(own["results"], theirs["results"], strict=False)):
        names += [f"results.{place}.{name}" for name in mine if mine[name] != other[name]]
    if len(own["results"]) != len(theirs["results"]):
        names.append("results")
    return names
