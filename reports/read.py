"""Read a run directory, whatever part of a run it holds. A damaged file is refused by name, never shown in part.

Known shapes: the directory of a whole verification (`run.json`, `conformance/*/`, `benchmarks/`, `corpus.json`), the
directory of one judged server (`verdicts.json`, `evidence.jsonl`), the directory of one benchmark (`results.json`,
`claims.json`).
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter

from benchmarks.results import CLAIMS_FILE, RESULTS_FILE, Results, ResultsError, read_results
from conformance.evidence import Exchange
from conformance.evidence_file import EvidenceUnreadable, read_evidence
from conformance.verdict import EVIDENCE_FILE, EXIT_CONFORMANT, EXIT_NOT_CONFORMANT, VERDICTS_FILE, Report
from conformance.verdicts_file import VerdictsUnreadable, read_verdicts
from reports.errors import RunUnreadable
from reports.manifest import MANIFEST_FILE, Manifest, Proof, read_json, read_manifest
from reports.models import Broken, Corpus, Judged, RoundTrip, Run

CORPUS_FILE = "corpus.json"
CORPUS_FORMAT = 1
CONFORMANCE = "conformance"
BENCHMARKS = "benchmarks"

_NO_RUN_HINT = "name the directory that --out of verify, conform or bench made"


def check_directory(directory: Path) -> None:
    """Raise RunUnreadable for what can't be a run's."""
    if not directory.is_dir():
        what = "is no directory" if directory.exists() else "no such directory"
        raise RunUnreadable(f"{directory}: {what}", hint=_NO_RUN_HINT)


def read_run(directory: Path) -> Run:
    """Read a run directory.

    Args:
        directory: the directory of a whole run, of one judged server, or of one benchmark.

    Raises:
        RunUnreadable: it is no run directory, or a file in it is damaged, cut short, or belongs to another run.
    """
    check_directory(directory)
    manifest = read_manifest(directory / MANIFEST_FILE) if (directory / MANIFEST_FILE).exists() else None
    judged, broken = _servers(directory, manifest)
    benchmarks = _benchmarks(directory)
    if not judged and not broken and benchmarks is None and manifest is None:
        found = f"neither {MANIFEST_FILE} nor {VERDICTS_FILE} nor {RESULTS_FILE}"
        raise RunUnreadable(f"{directory}: holds no run: {found}", hint=_NO_RUN_HINT)
    return Run(
        name=directory.resolve().name,
        judged=judged,
        broken=broken,
        benchmarks=benchmarks,
        manifest=manifest,
        corpus=_corpus(directory / CORPUS_FILE, benchmarks),
    )


def _servers(directory: Path, manifest: Manifest | None) -> tuple[tuple[Judged, ...], tuple[Broken, ...]]:
    if any((directory / name).exists() for name in (VERDICTS_FILE, EVIDENCE_FILE)):
        return (_judged(directory, None),), ()
    judged: list[Judged] = []
    broken: list[Broken] = []
    for folder in _server_folders(directory, manifest):
        proof = manifest.proof_in(f"{CONFORMANCE}/{folder.name}") if manifest else None
        if proof and proof.exit_code not in {EXIT_CONFORMANT, EXIT_NOT_CONFORMANT} and not _has_verdicts(folder):
            broken.append(_broken(folder.name, proof))
        else:
            judged.append(_judged(folder, proof))
    return tuple(judged), tuple(broken)


def _server_folders(directory: Path, manifest: Manifest | None) -> list[Path]:
    """Folders with results: in the manifest's order, then by name. Folders that hold nothing are no results."""
    parent = directory / CONFORMANCE
    found = sorted(folder for folder in parent.iterdir() if folder.is_dir()) if parent.is_dir() else []
    listed = [directory / proof.directory for proof in manifest.conformance] if manifest else []
    rest = [folder for folder in found if folder not in listed and any(folder.iterdir())]
    return listed + rest


def _has_verdicts(folder: Path) -> bool:
    return (folder / VERDICTS_FILE).exists()


def _broken(name: str, proof: Proof) -> Broken:
    reason = (
        f"the suite ended with exit code {proof.exit_code} and wrote no verdicts; its logs are in {proof.directory}"
    )
    return Broken(name, reason, proof.command)


def _judged(folder: Path, proof: Proof | None) -> Judged:
    if not _has_verdicts(folder):
        place = shlex.quote(str(folder))
        raise RunUnreadable(
            f"{folder / VERDICTS_FILE}: no such file; the run goes on, or broke off before its verdicts",
            hint=f"look on: parity report serve {place}; whole evidence: parity recheck {place} --out {place}",
        )
    try:
        report = read_verdicts(folder / VERDICTS_FILE)
    except VerdictsUnreadable as error:
        raise RunUnreadable(str(error)) from error
    profile = report.run.profile
    whole = folder.parent.name == CONFORMANCE
    return Judged(
        name=folder.name if whole else f"{report.run.target}-{profile}",
        store=proof.store if proof else folder.name.removesuffix(f"-{profile}") if whole else report.run.target,
        report=_repeatable(report, proof.command) if proof and proof.command else report,
        exchanges=_exchanges(folder / EVIDENCE_FILE, report),
        command=(proof and proof.command) or _conform(report),
        evidence_sha256=_digest(folder / EVIDENCE_FILE),
    )


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


def _repeatable(report: Report, command: str) -> Report:
    """Let each requirement be repeated by the manifest's command.

    The suite only knows the address of the server that it was given, and that server is gone with its store.
    """
    again = (
        replace(row, reproduce=f"{command} --only {shlex.quote(row.id)} --seed {report.run.seed}")
        for row in report.results
    )
    return replace(report, results=tuple(again))


def _conform(report: Report) -> str:
    run = report.run
    words = ["parity", "conform", run.target, "--profile", run.profile, "--seed", str(run.seed)]
    words += [word for pattern in run.only for word in ("--only", pattern)]
    words += [flag for flag, given in (("--quick", run.quick), ("--strict", run.strict)) if given]
    needs_credentials = run.profile == "cloud" and not run.target.startswith("store:")
    return shlex.join(words) + " --credentials FILE" * needs_credentials


def _exchanges(path: Path, report: Report) -> Mapping[int, Exchange] | None:
    if not path.exists():
        return None
    try:
        stored = read_evidence(path, whole=False)
    except EvidenceUnreadable as error:
        raise RunUnreadable(str(error)) from error
    if stored.run.id != report.run.id:
        raise RunUnreadable(
            f"{path}: evidence of run {stored.run.id}, but {VERDICTS_FILE} beside it is of run {report.run.id}",
            hint="files of two runs are mixed; judge the evidence again or run again",
        )
    return {one.seq: one for evidence in stored.evidence.values() for one in evidence.exchanges}


def _benchmarks(directory: Path) -> Results | None:
    files = (RESULTS_FILE, CLAIMS_FILE)
    folders = (directory, directory / BENCHMARKS)
    found = next((folder for folder in folders if any((folder / name).exists() for name in files)), None)
    if found is None:
        return None
    try:
        return read_results(found)
    except ResultsError as error:
        raise RunUnreadable(str(error)) from error


@dataclass(frozen=True, slots=True)
class _CorpusFile:
    """Contents of `corpus.json`."""

    file: str
    records: int
    agents: int
    renamed: int
    skipped: tuple[str, ...]
    round_trips: tuple[RoundTrip, ...]
    format: int


def _corpus(path: Path, benchmarks: Results | None) -> Corpus | None:
    """What became of the agents: of the corpus where one was given, else the source of the benchmark's payloads."""
    source = benchmarks.raw.configuration.payload if benchmarks else None
    if path.exists():
        found: _CorpusFile = read_json(path, TypeAdapter(_CorpusFile), "a corpus file")
        if found.format != CORPUS_FORMAT:
            hint = "run the verification again with this version"
            raise RunUnreadable(f"{path}: format {found.format}, this version reads {CORPUS_FORMAT}", hint=hint)
        return Corpus(
            kind="corpus",
            name=Path(found.file).name,
            records=found.records,
            agents=found.agents,
            renamed=found.renamed,
            skipped=found.skipped,
            round_trips=found.round_trips,
        )
    if source is None:
        return None
    return Corpus(source.kind, source.name, source.records, source.agents, source.renamed, source.skipped)
