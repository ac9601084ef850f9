"""The first screen: the questions that a reader comes with, each answered in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.results import Advice, Conclusion, Results
from conformance.verdict import FAILED, Level, Verdict
from reports.models import Run
from reports.numbers import counted, percent, times
from reports.text import cut
from reports.views.blanks import Gap, gaps
from reports.views.mending import mending
from reports.views.servers import compared
from reports.views.words import CLAIMS, Sign

GAPS_TOLD = 4
REASON_LIMIT = 160
NO_GAPS = frozenset({Verdict.NOT_APPLICABLE.replace("_", " ").lower(), "claim"})


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence of an answer; `requirement` is the id of the one that shows it best, if one does."""

    text: str
    sign: Sign | None = None
    requirement: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A question, what this run says of it, and the id of the part of the page that shows it."""

    question: str
    link: str
    lines: tuple[Line, ...]


def answers(run: Run) -> tuple[Answer, ...]:
    """Return the answers that a run can give; whether it is conformant, its outcome says (`reports.views.outcome`)."""
    found = [
        Answer("What to mend first?", "mending" if mending(run).exists else "requirements", tuple(_mend_first(run))),
        Answer("Are the claims true?", "claims", tuple(_claims(run))),
        Answer("Which store for which use?", "charts", tuple(_stores(run))),
        Answer("What was not shown?", "gaps", tuple(_not_shown(run))),
    ]
    return tuple(answer for answer in found if answer.lines)


def _mend_first(run: Run) -> Iterator[Line]:
    if not run.judged:
        return
    found = mending(run)
    if found.rows:
        cause = found.rows[0].cause
        where = f" ({cause.where})" if cause.where else ""
        explained = counted(len(cause.explains), "failure")
        text = f"{_sentence(cut(cause.sentence, 300))}{where}. That explains {explained}."
        yield Line(text, requirement=cause.telling)
    elif found.unexplained:
        place, names = next(iter(found.unexplained.items()))
        yield Line(f"Nothing that is known explains what failed; most of it is about {place}.", requirement=names[0])
    else:
        yield Line(_nothing_to_mend(run))
    unmet = {
        result.id
        for one in run.judged
        for result in one.report.results
        if result.level is Level.SHOULD and result.verdict in FAILED
    }
    if unmet and not found.exists:
        yield Line(f"{counted(len(unmet), 'recommendation')} (SHOULD) not met: {', '.join(sorted(unmet))}.")


def _nothing_to_mend(run: Run) -> str:
    known = {one.id for row in run.judged for one in row.report.results if one.verdict is Verdict.KNOWN_FAILING}
    if known:
        return f"Nothing new: the {counted(len(known), 'failure')} are known."
    red = any(row.report.summary.must_red for row in run.judged)
    return "No failure was found, but not all could be judged." if red else "Nothing: no requirement failed."


def _sentence(text: str) -> str:
    return (text[:1].upper() + text[1:]).rstrip(".")


def _claims(run: Run) -> Iterator[Line]:
    if run.benchmarks is None or compared(run):
        return
    judgement = run.benchmarks.judgement
    titles = {one.claim: one.title for one in judgement.verdicts}
    unmeasured = []
    for one in judgement.sentences:
        if one.verdict is Conclusion.NOT_MEASURED:
            unmeasured.append(titles.get(one.claim, one.claim))
        else:
            yield Line(one.sentence, CLAIMS[one.verdict])
    if unmeasured:
        named = f"Not measured where the claim was made: {'; '.join(unmeasured)}."
        yield Line(named, CLAIMS[Conclusion.NOT_MEASURED])


def _stores(run: Run) -> Iterator[Line]:
    results = run.benchmarks
    if results is None or compared(run):
        return
    uses: dict[tuple[float, str], list[Advice]] = {}
    for one in results.judgement.advice:
        uses.setdefault((one.read_share, one.durability), []).append(one)
    for (share, durability), advice in uses.items():
        told = "; ".join(f"{_payload(results, one)}{_advised(one)}" for one in advice)
        yield Line(f"{'Mostly reads' if share > 1 / 2 else 'Mostly writes'}, {durability}: {told}.")


def _payload(results: Results, one: Advice) -> str:
    several = len({advice.payload for advice in results.judgement.advice}) > 1
    return f"{one.payload} agents " if several else ""


def _advised(one: Advice) -> str:
    ties = [rival for rival in one.rivals if rival.behind.interval.low <= 1]
    if ties:
        names = [one.best.name, *(rival.subject.name for rival in ties)]
        return f"{', '.join(names[:-1])} or {names[-1]}, which this run can't tell apart"
    next_best = one.rivals[0]
    ends = next_best.behind.interval
    longer = f"{times(ends.low)} to {times(ends.high)} as long ({percent(ends.level)} interval)"
    return f"{one.best.name}; the next, {next_best.subject.name}, takes {longer}"


def _not_shown(run: Run) -> Iterator[Line]:
    """Group what is missing by its reason. What doesn't apply is no gap, and claims have an answer of their own."""
    groups: dict[tuple[str, str], list[Gap]] = {}
    for gap in gaps(run):
        if gap.what not in NO_GAPS:
            groups.setdefault((gap.what, gap.reason), []).append(gap)
    for (what, reason), rows in list(groups.items())[:GAPS_TOLD]:
        count = sum(row.count for row in rows)
        where = rows[0].where if len(rows) == 1 else f"in {len(rows)} places"
        number = f" ({count})" if count > len(rows) else ""
        yield Line(f"{_sentence(what)}, {where}{number}: {cut(reason, REASON_LIMIT).rstrip('.')}.")
    left = len(groups) - GAPS_TOLD
    if left > 0:
        yield Line(f"And {counted(left, 'more reason')}.")
    if not groups:
        yield Line("Nothing: all that was asked for was measured.")
