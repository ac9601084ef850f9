"""Proofs made up: what `parity verify` tells and counts."""

from __future__ import annotations

from pathlib import Path

from benchmarks.results import PayloadSource
from conformance.verdict import CREATE_STEPS, Level, Report, Result, RunInfo, Verdict
from parity.plan import JudgedStore
from parity.proof import Proof

MEMORY = JudgedStore("memory", "", "oss")


def report(**verdicts: Verdict) -> Report:
    """A report with one requirement per step, all passed but those named."""
    results = tuple(
        Result(step, Level.MUST, ("oss",), "create", step, "s", "src", "c", verdicts.get(step, Verdict.PASS))
        for step in CREATE_STEPS
    )
    info = RunInfo("id", "target", "oss", 0, "rev", "hash", {}, {}, (), "2026-01-01T00:00:00Z")
    return Report(info, results)


def proof(exit_code: int = 0, made: Report | None = None, subject: JudgedStore = MEMORY) -> Proof:
    return Proof(subject, Path("out/conformance/x"), "parity conform x", exit_code, 1.5, made or report())


def verify_source() -> PayloadSource:
    return PayloadSource("corpus", "c.jsonl", 14, 2, 0, tuple(f"line {n}" for n in range(12)), ())
