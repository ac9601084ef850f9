"""The one way in which verdicts are shown: a kind (colour), a symbol and a word. Never by colour alone."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.results import Conclusion
from conformance.verdict import CREATE_STEPS, Verdict
from reports.views.outcome import Standing


@dataclass(frozen=True, slots=True)
class Sign:
    """How something is shown. `kind` is good, bad, warn, idle or fault."""

    kind: str
    symbol: str
    word: str


VERDICTS: dict[Verdict, Sign] = {
    Verdict.PASS: Sign("good", "✓", "PASS"),
    Verdict.FAIL: Sign("bad", "✕", "FAIL"),
    Verdict.UNTESTABLE: Sign("warn", "?", "UNTESTABLE"),
    Verdict.NOT_RUN: Sign("warn", "…", "NOT RUN"),
    Verdict.NOT_APPLICABLE: Sign("idle", "—", "n.a."),
    Verdict.HARNESS_ERROR: Sign("fault", "!", "HARNESS ERROR"),
    Verdict.KNOWN_FAILING: Sign("warn", "≈", "KNOWN FAILING"),
    Verdict.FLAKY: Sign("bad", "~", "FLAKY"),
    Verdict.DEVIATION: Sign("idle", "†", "DEVIATION"),
}
DEVIATIONS_ARE = (
    "Here the contract marks what it asks for as a choice of its own, and the server made another: no fault."
)
HOLDS = Sign("good", "✓", "holds")
STEP_NUMBERS = {step: number for number, step in enumerate(CREATE_STEPS, start=1)}
NOTHING = Sign("idle", "·", "no check ran")

CLAIMS: dict[Conclusion, Sign] = {
    Conclusion.SUPPORTED: Sign("good", "✓", "supported"),
    Conclusion.CONTRADICTED: Sign("bad", "✕", "contradicted"),
    Conclusion.INCONCLUSIVE: Sign("warn", "~", "inconclusive"),
    Conclusion.NOT_MEASURED: Sign("idle", "—", "not measured"),
}

STANDINGS: dict[Standing, Sign] = {
    Standing.GREEN: Sign("good", "✓", "Conformant"),
    Standing.KNOWN: Sign("warn", "≈", "Known failures"),
    Standing.RED: Sign("bad", "✕", "Not conformant"),
    Standing.INCOMPLETE: Sign("warn", "?", "Incomplete"),
    Standing.FAULT: Sign("fault", "!", "Fault of the suite"),
    Standing.NONE: Sign("idle", "—", "No server judged"),
}


def sign_of(verdict: Verdict | None) -> Sign:
    """Return the sign of a requirement's verdict; of None where no check ran."""
    return VERDICTS[verdict] if verdict else NOTHING
