"""What a verification came to, for programs; docs/guides/output.md names the fields."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.claims import interval_in_words, stated_in_words
from benchmarks.results import ClaimVerdict
from conformance.verdict import FAILED, Level
from parity.proof import Proof
from parity.verification import Outcome, Request


def verification_text(
    request: Request, outcome: Outcome, verdicts: Sequence[ClaimVerdict], report: Path | None, *, exit_code: int
) -> str:
    """Return all of it as indented JSON. `report` is the page, None where it could not be made."""
    document = {
        "conformant": outcome.exit_code == 0,
        "exit_code": exit_code,
        "seconds": round(outcome.seconds, 1),
        "folder": str(request.directory),
        "report": "" if report is None else str(report),
        "conformance": [_proof(proof) for proof in outcome.proofs],
        "left_out": [asdict(row) for row in request.plan.left_out],
        "claims": [_claim(one) for one in verdicts if one.headline],
        "corpus": [asdict(trip) for trip in outcome.corpus.round_trips] if outcome.corpus else [],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _proof(proof: Proof) -> dict[str, Any]:
    report = proof.report
    unmet = [row.id for row in report.results if row.level is Level.SHOULD and row.verdict in FAILED] if report else []
    return {
        "store": proof.subject.store,
        "profile": proof.subject.profile,
        "exit_code": proof.exit_code,
        "requirements": report.summary.total if report else 0,
        "measured": report.summary.measured if report else 0,
        "failing": list(report.failing()) if report else [],
        "should_not_met": unmet,
        "reason": proof.reason,
        "seconds": proof.seconds,
        "command": proof.command,
        "folder": str(proof.folder),
    }


def _claim(one: ClaimVerdict) -> dict[str, Any]:
    ratio = one.ratio
    return {
        "id": one.id,
        "claim": one.title,
        "verdict": str(one.verdict),
        "baseline": one.baseline.name,
        "candidate": one.candidate.name,
        "durability": one.durability,
        "agents": one.payload,
        "claimed": stated_in_words(one),
        "measured": "" if ratio is None else interval_in_words(one.form, ratio),
        "ratio": None if ratio is None else {"value": ratio.value, **asdict(ratio.interval)},
        "reason": one.reason,
    }
