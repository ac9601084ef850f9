"""A verification as a course of stages, each writing into the run's folder; `run.json` says how each ended."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from parity.corpus_proof import CorpusProof, prove_corpus, write_corpus_proof
from parity.errors import EXIT_REFUSED, EXIT_UNREACHABLE
from parity.interrupts import EXIT_INTERRUPTED
from parity.measurement import Measurement, measure
from parity.plan import Plan
from parity.proof import Proof, prove_all, seconds_left
from parity.run_folder import CONFORMANCE_FOLDER, CORPUS_FILE, ProofRecord, Record, now, write_record
from terminal.progress import TimeLeftColumn, span

REPORT_SECONDS_MAX = 300
UNFINISHED_FOLDER = "unfinished"


@dataclass(frozen=True, slots=True)
class Request:
    """What the person asked for."""

    command: str
    directory: Path
    plan: Plan
    speed: str
    corpus: Path | None
    benchmarks: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out of the stages, and the exit code that follows from it."""

    proofs: tuple[Proof, ...]
    corpus: CorpusProof | None
    measurement: Measurement | None
    seconds: float
    interrupted: bool = False
    """Somebody ended it: what is here was finished before."""

    @property
    def exit_code(self) -> int:
        """0 only when something was proven and all of it held; what claims turn out to be doesn't count.

        The worst of the suite's codes; 1 for a corpus that came back changed; 3 for benchmarks that didn't end well.
        """
        if self.interrupted:
            return EXIT_INTERRUPTED
        codes = [proof.exit_code for proof in self.proofs] or [EXIT_UNREACHABLE]
        if self.corpus is not None and not self.corpus.holds:
            codes.append(EXIT_REFUSED)
        if self.measurement is not None and self.measurement.exit_code != 0:
            codes.append(EXIT_UNREACHABLE)
        return max(codes)


def run_stages(request: Request, console: Console) -> Outcome:
    """Run all stages and write `run.json`. Progress goes to `console`."""
    begun = time.monotonic()
    started_at = now()
    found: list[Proof] = []
    corpus, measurement, interrupted = None, None, False
    try:
        with tempfile.TemporaryDirectory(prefix=".stores-", dir=request.directory) as scratch:
            _prove(request, Path(scratch), console, found)
            if request.corpus is not None:
                corpus = _send_corpus(request, request.corpus, Path(scratch), console)
                write_corpus_proof(corpus, request.directory / CORPUS_FILE)
        if request.benchmarks:
            measurement = measure(request.directory, speed=request.speed, corpus=request.corpus)
    except KeyboardInterrupt:
        interrupted = True
        _set_aside(request, found)
    proofs = tuple(sorted(found, key=lambda proof: request.plan.subjects.index(proof.subject)))
    outcome = Outcome(proofs, corpus, measurement, time.monotonic() - begun, interrupted=interrupted)
    write_record(_record(request, outcome, started_at), request.directory)
    return outcome


def _set_aside(request: Request, found: Sequence[Proof]) -> None:
    """Move what runs under way have left out of the way of the report, which takes finished runs only."""
    proven = {proof.subject.label for proof in found}
    for folder in (request.directory / CONFORMANCE_FOLDER).glob("*"):
        if folder.name not in proven:
            (request.directory / UNFINISHED_FOLDER).mkdir(exist_ok=True)
            folder.rename(request.directory / UNFINISHED_FOLDER / folder.name)


def write_report(directory: Path) -> int:
    """Make the page, the summary and the JUnit file out of a run's folder; return the command's exit code."""
    command = [sys.executable, "-m", "parity", "report", str(directory)]
    return subprocess.run(command, stdout=subprocess.DEVNULL, timeout=REPORT_SECONDS_MAX, check=False).returncode


def _progress(console: Console) -> Progress:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeLeftColumn(),
    )
    return Progress(*columns, console=console, transient=True)


def _prove(request: Request, scratch: Path, console: Console, found: list[Proof]) -> None:
    """Prove all subjects; what is proven is in `found`, whatever ends this."""
    subjects = request.plan.subjects
    begun = time.monotonic()
    console.print(f"{len(subjects)} runs of the suite; what they find is in {request.directory}", markup=False)
    with _progress(console) as progress:
        task = progress.add_task("conformance", total=len(subjects))
        for proof in prove_all(subjects, request.directory, scratch, quick=request.speed == "quick"):
            found.append(proof)
            progress.advance(task)
            word = "conformant" if proof.exit_code == 0 else f"exit code {proof.exit_code}"
            name = f"{proof.subject.store} {proof.subject.profile}"
            left = seconds_left(found, subjects, time.monotonic() - begun)
            more = f", about {span(left)} to the last" if len(found) < len(subjects) else ""
            after = f", {len(found)} of {len(subjects)}{more}"
            told = f"{name}: {word} ({proof.seconds:.1f} s{after})"
            progress.console.print(told, markup=False, highlight=False)


def _send_corpus(request: Request, file: Path, scratch: Path, console: Console) -> CorpusProof:
    with _progress(console) as progress:
        task = progress.add_task("corpus")

        def advance(store: str, done: int, total: int) -> None:
            progress.update(task, description=f"corpus, {store}", completed=done, total=total)

        return prove_corpus(file, request.plan, scratch, request.directory / "corpus-logs", advance=advance)


def _record(request: Request, outcome: Outcome, started_at: str) -> Record:
    measurement = outcome.measurement
    return Record(
        command=request.command,
        speed=request.speed,
        started_at=started_at,
        finished_at=now(),
        seconds=round(outcome.seconds, 1),
        exit_code=outcome.exit_code,
        conformance=tuple(_proof_record(request, proof) for proof in outcome.proofs),
        left_out=request.plan.left_out,
        benchmarks_command=measurement.command if measurement else "",
        benchmarks_exit_code=measurement.exit_code if measurement else None,
        corpus=CORPUS_FILE if outcome.corpus else "",
    )


def _proof_record(request: Request, proof: Proof) -> ProofRecord:
    return ProofRecord(
        store=proof.subject.store,
        profile=proof.subject.profile,
        directory=proof.folder.relative_to(request.directory).as_posix(),
        command=proof.command,
        exit_code=proof.exit_code,
        seconds=proof.seconds,
    )
