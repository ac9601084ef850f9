"""Runs of the conformance suite against the reference server, one per subject, as the commands that people type.

Each run is a process of its own: it can't disturb the others, and what it leaves behind is what `parity conform`
leaves behind.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from conformance.verdict import Report
from conformance.verdicts_file import VerdictsUnreadable, read_verdicts
from parity.children import Children
from parity.errors import EXIT_FAULT, EXIT_REFUSED, EXIT_USAGE
from parity.plan import JudgedStore
from parity.reference import Reference
from parity.run_folder import CONFORMANCE_FOLDER

RUNS_AT_ONCE = 2
"""A run waits for its server about as long as the server waits for it, so two keep two cores busy."""
SECONDS_MAX = 900.0
JOBS = 4
"""Checks at a time within a run: most wait for a disk."""
LOG_FILE = "conform.log"
USUAL_SHARES = {"cloud": 2.0, "oss": 1.0}
"""A run in the cloud profile takes about twice as long as one in the other: it asks twice as much."""


@dataclass(frozen=True, slots=True)
class Proof:
    """One run of the suite: its subject, its folder, its exit code, and its report if it left one.

    `command` repeats it. Without a report, `reason` says what the suite said last.
    """

    subject: JudgedStore
    folder: Path
    command: str
    exit_code: int
    seconds: float
    report: Report | None
    reason: str = ""


def seconds_left(found: Sequence[Proof], subjects: Sequence[JudgedStore], elapsed: float) -> float:
    """Return how long the rest takes: each subject as long as those of its profile took, else by the profiles' usual.

    `found` isn't empty.
    """
    took = {profile: [one.seconds for one in found if one.subject.profile == profile] for profile in USUAL_SHARES}
    unit = mean(one.seconds / USUAL_SHARES[one.subject.profile] for one in found)
    each = {profile: mean(known) if known else unit * USUAL_SHARES[profile] for profile, known in took.items()}
    return max(sum(each[one.profile] for one in subjects) / RUNS_AT_ONCE - elapsed, 0.0)


def prove_all(subjects: tuple[JudgedStore, ...], run: Path, scratch: Path, *, quick: bool) -> Iterator[Proof]:
    """Prove each subject; yield as they end. Stores live below `scratch`, results below `run`."""
    # The children are ended before the pool waits for its threads.
    with ThreadPoolExecutor(RUNS_AT_ONCE) as pool, Children() as children:
        waiting = [pool.submit(prove, subject, run, scratch, children, quick=quick) for subject in subjects]
        for done in as_completed(waiting):
            yield done.result()


def prove(subject: JudgedStore, run: Path, scratch: Path, children: Children, *, quick: bool) -> Proof:
    """Run the suite against one subject."""
    folder = run / CONFORMANCE_FOLDER / subject.label
    reference = Reference(subject.url(scratch), subject.profile, scratch / f"{subject.label}-server", folder)
    reference.prepare()
    command = [sys.executable, "-m", "parity", "conform", reference.target, "--profile", subject.profile]
    command += ["--credentials", str(reference.credentials), "--declare", str(reference.declaration)]
    command += ["--out", str(folder), "--jobs", str(JOBS)]
    folder.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    with (folder / LOG_FILE).open("w", encoding="utf-8") as log:
        code = children.run(command + ["--quick"] * quick, stdout=log, stderr=log, seconds=SECONDS_MAX)
    # We wrote the command line, so a usage error in it is our fault; so is a suite that a signal ended.
    code = EXIT_FAULT if code == EXIT_USAGE or code < 0 else code
    seconds = round(time.monotonic() - begun, 3)
    reference.forget()
    repeat = subject.reproduce + " --quick" * quick
    try:
        report = read_verdicts(folder)
    except VerdictsUnreadable:
        # Without verdicts nothing was shown, neither good nor bad, whatever the code says.
        code = code if code > EXIT_REFUSED else EXIT_FAULT
        return Proof(subject, folder, repeat, code, seconds, None, _last_line(folder / LOG_FILE))
    return Proof(subject, folder, repeat, code, seconds, report)


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "the suite said nothing"
