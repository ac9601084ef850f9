"""Claim verdicts in plain language, for people who never saw a ratio with an interval."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.results import ClaimVerdict, Conclusion, Placement, Ratio
from reports.models import Run
from reports.numbers import claimed, digits, in_form, percent, spread

NEEDS = {"memory_peak": "memory"}
"""Metrics of which there is less or more, where others are faster or slower."""


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """One judgement of a claim, in words."""

    judged: ClaimVerdict
    range: str
    ratio: str
    interval: str
    meaning: str


@dataclass(frozen=True, slots=True)
class ClaimGroup:
    """All judgements of one claim: one per durability mode and payload class."""

    id: str
    title: str
    sentence: str
    range: str
    form: str
    at_least: float
    at_most: float | None
    rows: tuple[ClaimRow, ...]


def claim_groups(run: Run) -> tuple[ClaimGroup, ...]:
    """Return the claims of a run in the ledger's order."""
    verdicts = run.benchmarks.judgement.verdicts if run.benchmarks else ()
    groups: dict[str, list[ClaimVerdict]] = {}
    for verdict in verdicts:
        groups.setdefault(verdict.claim, []).append(verdict)
    return tuple(_group(rows) for rows in groups.values())


def _group(rows: list[ClaimVerdict]) -> ClaimGroup:
    first = rows[0]
    return ClaimGroup(
        id=first.claim,
        title=first.title,
        sentence=first.sentence,
        range=claimed(first.form, first.at_least, first.at_most),
        form=first.form,
        at_least=first.at_least,
        at_most=first.at_most,
        rows=tuple(claim_row(row) for row in rows),
    )


def claim_row(judged: ClaimVerdict) -> ClaimRow:
    """Return one judgement in words."""
    ratio = judged.ratio
    return ClaimRow(
        judged=judged,
        range=claimed(judged.form, judged.at_least, judged.at_most),
        ratio=in_form(judged.form, ratio.value) if ratio else "—",
        interval=f"{spread(judged.form, ratio)} ({percent(ratio.interval.level)})" if ratio else "—",
        meaning=_meaning(judged, ratio),
    )


def _meaning(judged: ClaimVerdict, ratio: Ratio | None) -> str:
    if ratio is None:
        return f"Nothing can be said: {judged.reason or 'it was not measured'}."
    finding = _finding(judged, ratio)
    if judged.verdict is Conclusion.SUPPORTED:
        more = " More than was claimed." if judged.placement is Placement.ABOVE else " The claim holds here."
        return finding + more
    if judged.verdict is Conclusion.CONTRADICTED:
        return f"{finding} {_how_wrong(ratio)}"
    return f"{finding} The claimed minimum lies inside that interval: this run can't decide."


def _finding(judged: ClaimVerdict, ratio: Ratio) -> str:
    new, old = judged.candidate.name, judged.baseline.name
    low, high = ratio.interval.low, ratio.interval.high
    if low <= 1 <= high:
        return f"No difference between {new} and {old} could be shown."
    if judged.form == "saving" or judged.metric in NEEDS:
        saving = 1 - 1 / ratio.value
        what = NEEDS.get(judged.metric, "space")
        return f"{new} needs {digits(abs(saving) * 100, 2)} % {'less' if saving > 0 else 'more'} {what} than {old}."
    factor = digits(ratio.value if ratio.value > 1 else 1 / ratio.value)
    return f"{new} is {factor} times {'faster' if ratio.value > 1 else 'slower'} than {old}."


def _how_wrong(ratio: Ratio) -> str:
    if ratio.interval.low > 1:
        return "A gain, but less than was claimed."
    return "The opposite of what was claimed." if ratio.interval.high < 1 else "The claimed gain isn't there."
