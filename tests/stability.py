"""The same verdicts whatever the seed, the order and the number of checks at a time: `python -m tests.stability`.

Each run starts the reference server as people do, in a process of its own over a durable store; the suite's checks come
in an order that the seed decides.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

from conformance.credentials import Credentials, read_credentials
from conformance.features import read_declaration
from conformance.run_context import PROFILES, profile_named
from conformance.runner import Options, run
from conformance.verdict import Report, Verdict
from parity.reference import Reference

SEEDS = 12
JOBS = (1, 8)
STORE = "leveldb:{folder}/store?codec=protobuf"
START_SECONDS = 120.0
"""On a machine that is busy with something else a server's start takes its time; that is no finding."""
RIGHT = frozenset({Verdict.PASS, Verdict.NOT_APPLICABLE})


@dataclass(frozen=True, slots=True)
class Run:
    """One run, and what it said."""

    profile: str
    seed: int
    jobs: int
    seconds: float
    report: Report

    def wrong(self) -> tuple[str, ...]:
        """Return what isn't as it must be: verdicts, leftovers, lost calls; of a run that was cut short, why."""
        if not self.report.run.complete:
            return (f"incomplete: {self.report.run.reason}",)
        verdicts = tuple(f"{row.id} {row.verdict}" for row in self.report.results if row.verdict not in RIGHT)
        lost = (f"{self.report.lost_calls} lost calls",) if self.report.lost_calls else ()
        return (*verdicts, *self.report.leaks, *lost)

    def __str__(self) -> str:
        measured, wrong = self.report.summary.measured, self.wrong()
        counts = self.report.summary.counts
        said = f"{counts[Verdict.FAIL]} failures, {counts[Verdict.DEVIATION]} deviations"
        head = f"{self.profile:5} seed {self.seed:2} -j{self.jobs}"
        return f"{head}: {measured} measured, {said}, {self.seconds:.1f} s {', '.join(wrong)}".rstrip()


def runs(profiles: tuple[str, ...], seeds: int, jobs: tuple[int, ...] = JOBS, *, quick: bool = False) -> Iterator[Run]:
    """Yield one run for each profile, seed (from 1) and number of checks at a time."""
    for profile, seed, at_a_time in product(profiles, range(1, seeds + 1), jobs):
        with TemporaryDirectory(prefix="stability-") as folder:
            place = Path(folder)
            reference = Reference(STORE.format(folder=folder), profile, place / "secrets", place)
            reference.prepare()
            options = Options(
                profile=profile_named(profile),
                seed=seed,
                jobs=at_a_time,
                shuffle=True,
                quick=quick,
                start_seconds=START_SECONDS,
                credentials=read_credentials(reference.credentials) if profile == "cloud" else Credentials(),
                declaration=read_declaration(reference.declaration),
            )
            began = time.monotonic()
            report = run(reference.target, options)
            yield Run(profile, seed, at_a_time, time.monotonic() - began, report)


def main() -> int:
    """Return 0 if no run found anything."""
    parser = argparse.ArgumentParser(description="Run the suite against the reference with many seeds and orders.")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--profile", action="append", default=[], choices=PROFILES, help="may be repeated; both")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    found, seconds, count = 0, list[float](), 0
    for one in runs(tuple(arguments.profile) or PROFILES, arguments.seeds, quick=arguments.quick):
        print(one, flush=True)  # noqa: T201 - a command line prints
        found += bool(one.wrong())
        seconds.append(one.seconds)
        count += 1
    middle = sorted(seconds)[count // 2]
    print(f"{count} runs, {found} of them found something; {middle:.1f} s in the middle, {max(seconds):.1f} s at most")  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
