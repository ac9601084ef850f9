"""The whole run in one word and one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from benchmarks.results import Conclusion as ClaimOutcome
from conformance.verdict import (
    EXIT_CONFORMANT,
    EXIT_HARNESS,
    EXIT_NOT_CONFORMANT,
    EXIT_USAGE,
    Report,
    Summary,
    Verdict,
    lost_text,
    summarize,
)
from reports.models import Run
from reports.numbers import counted, digits
from reports.views.servers import compared, findings


class Standing(StrEnum):
    """What the whole run came to, for colour and badge."""

    GREEN = "conformant"
    KNOWN = "known failures"
    RED = "not conformant"
    INCOMPLETE = "incomplete"
    FAULT = "fault of the suite"
    NONE = "nothing judged"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The run's standing, the sentence that says so, and one on claims (empty where none was judged)."""

    standing: Standing
    sentence: str
    claims_sentence: str
    servers: int
    conformant: int
    summary: Summary
    claims: dict[ClaimOutcome, int]


def outcome(run: Run) -> Outcome:
    """Work out the standing of a run. Claims don't enter it: a contradicted claim is a finding, not a fault."""
    codes = [one.report.exit_code for one in run.judged]
    summary = summarize(result for one in run.judged for result in one.report.results)
    claims, comparison = _claims(run), compared(run)
    standing = _standing(codes, broken=bool(run.broken), known=summary.counts[Verdict.KNOWN_FAILING] > 0)
    return Outcome(
        standing=standing,
        sentence=findings(comparison) if comparison else _sentence(run, standing, codes, summary) + _lost(run),
        claims_sentence=_claims_sentence(claims),
        servers=len(run.judged) + len(run.broken),
        conformant=sum(_is_conformant(one.report) for one in run.judged),
        summary=summary,
        claims=claims,
    )


def _is_conformant(report: Report) -> bool:
    return report.exit_code == EXIT_CONFORMANT and not report.summary.counts[Verdict.KNOWN_FAILING]


def _claims(run: Run) -> dict[ClaimOutcome, int]:
    verdicts = run.benchmarks.judgement.verdicts if run.benchmarks else ()
    return {outcome: sum(one.verdict is outcome for one in verdicts) for outcome in ClaimOutcome}


def _standing(codes: list[int], *, broken: bool, known: bool) -> Standing:
    """The worst of all servers; a server that was judged and failed outweighs one that could not be judged."""
    if EXIT_HARNESS in codes:
        return Standing.FAULT
    if EXIT_NOT_CONFORMANT in codes:
        return Standing.RED
    if not broken and all(code == EXIT_USAGE for code in codes):
        return Standing.NONE
    # A server of which nothing was measured keeps the others from being called all.
    if broken or set(codes) != {EXIT_CONFORMANT}:
        return Standing.INCOMPLETE
    return Standing.KNOWN if known else Standing.GREEN


def _sentence(run: Run, standing: Standing, codes: list[int], summary: Summary) -> str:
    servers = len(run.judged) + len(run.broken)
    judged = f"{digits(summary.measured, 9)} of {counted(summary.total, 'requirement')} measured"
    if standing is Standing.NONE:
        return "Nothing was judged: this run measured no requirement of any server."
    if standing is Standing.GREEN:
        who = "The server is" if servers == 1 else f"All {servers} servers are"
        deviations = summary.counts[Verdict.DEVIATION]
        but = f", with {counted(deviations, 'deviation')}" if deviations else ""
        return f"{who} conformant{but}: every MUST that applies was tested and holds ({judged})."
    if standing is Standing.KNOWN:
        return f"{counted(summary.counts[Verdict.KNOWN_FAILING], 'known failure')}, 0 new ({judged})."
    if standing is Standing.RED:
        wrong = codes.count(EXIT_NOT_CONFORMANT)
        who = "The server is" if servers == 1 else f"{wrong} of {servers} servers {'is' if wrong == 1 else 'are'}"
        return f"{who} not conformant: {_of_must(summary)} ({judged})."
    if standing is Standing.FAULT:
        where = "" if servers == 1 else f" on {codes.count(EXIT_HARNESS)} of {servers} servers"
        return f"The suite itself failed{where}, so nothing is proven there: see the cards marked HARNESS ERROR."
    missing = servers - codes.count(EXIT_CONFORMANT)
    who = "The run is" if servers == 1 else f"{missing} of {servers} runs {'is' if missing == 1 else 'are'}"
    return f"{who} incomplete, so nothing is proven of the rest ({judged})."


def _lost(run: Run) -> str:
    count = sum(one.report.lost_calls for one in run.judged)
    return f" {lost_text(count).capitalize()}." if count else ""


def _of_must(summary: Summary) -> str:
    """Leaks and a wrong known-failing file keep a run from being conformant too, with no MUST to count."""
    if not summary.must_red:
        return "no MUST failed, but see what was left over below"
    return f"{counted(summary.must_red, 'MUST')} failed or could not be judged"


def _claims_sentence(claims: dict[ClaimOutcome, int]) -> str:
    total = sum(claims.values())
    if not total:
        return ""
    parts = [f"{count} {outcome}" for outcome, count in claims.items() if count]
    listed = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return f"Of {counted(total, 'judgement')} of claims, {listed}."
