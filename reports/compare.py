"""Two runs side by side: which verdicts changed, and which ratios moved further than their intervals allow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from benchmarks.results import ClaimVerdict, Ratio
from conformance.verdict import RED, Result, Verdict
from reports.markdown import code, plain
from reports.models import Judged, Run
from reports.numbers import counted, in_form, is_size, is_time, quantity, spread, times
from reports.text import cut


class Change(StrEnum):
    """What became of a requirement's verdict from the first run to the second."""

    BROKEN = "broken"
    MENDED = "mended"
    OTHER = "changed"
    ADDED = "new"
    REMOVED = "only in the first"


@dataclass(frozen=True, slots=True)
class VerdictChange:
    """A requirement whose verdict differs on one server. None: the run has no verdict on it."""

    server: str
    requirement: str
    change: Change
    before: Verdict | None
    after: Verdict | None
    sentence: str
    reproduce: str


@dataclass(frozen=True, slots=True)
class ClaimChange:
    """A claim's judgement in both runs.

    `factor` is the second ratio over the first, None where one is missing. `moved` is True only when the intervals
    don't overlap: everything else is what repeating a run does.
    """

    id: str
    before: ClaimVerdict | None
    after: ClaimVerdict | None
    factor: float | None
    moved: bool

    @property
    def verdict_changed(self) -> bool:
        """Whether the verdict itself is another."""
        return (self.before and self.before.verdict) != (self.after and self.after.verdict)


@dataclass(frozen=True, slots=True)
class Pace:
    """One measurement in both runs: the second median over the first, and how far it may be off (`low` to `high`).

    The ends are those of the two intervals, put against each other: wider than an interval of the ratio would be.
    """

    name: str
    factor: float
    low: float
    high: float
    before: str
    after: str
    word: str

    @property
    def moved(self) -> bool:
        """Whether the two intervals don't meet."""
        return not self.low <= 1 <= self.high


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that differs. `warnings` say why numbers of the two runs may not be comparable."""

    before: str
    after: str
    servers_added: tuple[str, ...]
    servers_removed: tuple[str, ...]
    verdicts: tuple[VerdictChange, ...]
    claims: tuple[ClaimChange, ...]
    warnings: tuple[str, ...]
    servers_compared: int = 0
    paces: tuple[Pace, ...] = ()

    @property
    def sentence(self) -> str:
        """What changed, in counts."""
        counts = {kind: sum(one.change is kind for one in self.verdicts) for kind in Change}
        said = [f"{count} {kind}" for kind, count in counts.items() if count] or ["no verdict changed"]
        words = [one.word for one in self.paces if one.moved]
        said += [f"{words.count(word)} {word}" for word in dict.fromkeys(words)]
        if self.claims:
            moved = sum(one.moved for one in self.claims)
            said.append(f"{moved} of {counted(len(self.claims), 'ratio')} moved")
        return ", ".join(said)

    @property
    def worse(self) -> bool:
        """Whether something that was green is no longer; or nothing that the first run judged was judged again."""
        changes = {one.change for one in self.verdicts}
        nothing = not self.servers_compared and bool(self.servers_removed or Change.REMOVED in changes)
        return nothing or Change.BROKEN in changes


def compare_runs(before: Run, after: Run) -> Comparison:
    """Compare two runs; servers are matched by name, else by profile; requirements and claims by id."""
    pairs = tuple(_pairs(before, after))
    compared = [{one.name for one in side} for side in zip(*pairs, strict=True)] or [set[str](), set[str]()]
    return Comparison(
        before=before.name,
        after=after.name,
        servers_added=tuple(one.name for one in after.judged if one.name not in compared[1]),
        servers_removed=tuple(one.name for one in before.judged if one.name not in compared[0]),
        verdicts=tuple(change for old, new in pairs for change in _verdicts(old, new)),
        claims=tuple(_claims(before, after)),
        warnings=tuple(_warnings(before, after)),
        servers_compared=sum(bool(_judged(old) & _judged(new)) for old, new in pairs),
        paces=tuple(_paces(before, after)),
    )


def _pairs(before: Run, after: Run) -> Iterator[tuple[Judged, Judged]]:
    """Pair servers of one name; of the others, those that are the only ones of their profile in either run."""
    old, new = ({one.name: one for one in run.judged} for run in (before, after))
    yield from ((old[name], new[name]) for name in old if name in new)
    left = [one for name, one in old.items() if name not in new]
    right = [one for name, one in new.items() if name not in old]
    for profile in dict.fromkeys(one.profile for one in left):
        sides = [[one for one in rest if one.profile == profile] for rest in (left, right)]
        if all(len(side) == 1 for side in sides):
            yield sides[0][0], sides[1][0]


def _judged(server: Judged) -> set[str]:
    return {result.id for result in server.report.results}


def _verdicts(old: Judged, new: Judged) -> Iterator[VerdictChange]:
    before = {result.id: result for result in old.report.results}
    after = {result.id: result for result in new.report.results}
    for key in dict.fromkeys([*before, *after]):
        first, second = before.get(key), after.get(key)
        if first and second and first.verdict is second.verdict:
            continue
        one = second or first
        if one is not None:
            yield VerdictChange(
                server=new.name if new.name == old.name else f"{old.name}, then {new.name}",
                requirement=key,
                change=_kind(first, second),
                before=first.verdict if first else None,
                after=second.verdict if second else None,
                sentence=one.sentence,
                reproduce=one.reproduce or new.command,
            )


def _kind(first: Result | None, second: Result | None) -> Change:
    if first is None:
        return Change.ADDED
    if second is None:
        return Change.REMOVED
    was, is_now = first.verdict in RED, second.verdict in RED
    if was == is_now:
        return Change.OTHER
    return Change.BROKEN if is_now else Change.MENDED


def _claims(before: Run, after: Run) -> Iterator[ClaimChange]:
    old, new = (
        {one.id: one for one in (run.benchmarks.judgement.verdicts if run.benchmarks else ())}
        for run in (before, after)
    )
    if not old or not new:
        return  # One of the runs measured nothing: there is nothing to compare.
    for key in dict.fromkeys([*old, *new]):
        first, second = old.get(key), new.get(key)
        ratios = (first.ratio if first else None, second.ratio if second else None)
        yield ClaimChange(key, first, second, _factor(*ratios), _moved(*ratios))


def _paces(before: Run, after: Run) -> Iterator[Pace]:
    """Yield every time and size that both runs measured of the same subject, workload and payload."""
    old, new = (
        {(one.workload, one.metric, one.subject, one.payload): one for one in run.benchmarks.judgement.summaries}
        if run.benchmarks
        else {}
        for run in (before, after)
    )
    for key, first in old.items():
        second = new.get(key)
        if second is None or not (is_time(first.unit) or is_size(first.unit)):
            continue
        if min(first.interval.low, first.median, second.interval.low) <= 0:
            continue  # A size of zero has no ratio.
        slower, faster = ("slower", "faster") if is_time(first.unit) else ("larger", "smaller")
        factor = second.median / first.median
        yield Pace(
            name=f"{first.metric.replace('_', ' ')}, {first.subject.label}, {first.payload} agents",
            factor=factor,
            low=second.interval.low / first.interval.high,
            high=second.interval.high / first.interval.low,
            before=quantity(first.median, first.unit),
            after=quantity(second.median, second.unit),
            word=slower if factor > 1 else faster,
        )


def _factor(first: Ratio | None, second: Ratio | None) -> float | None:
    return second.value / first.value if first and second and first.value else None


def _moved(first: Ratio | None, second: Ratio | None) -> bool:
    if first is None or second is None:
        return False
    return first.interval.high < second.interval.low or second.interval.high < first.interval.low


def _warnings(before: Run, after: Run) -> Iterator[str]:
    if before.benchmarks and after.benchmarks:
        old, new = before.benchmarks.raw, after.benchmarks.raw
        pairs = {
            "processor": (old.environment.cpu, new.environment.cpu),
            "file system": (old.environment.filesystem, new.environment.filesystem),
            "sizes": (old.configuration.speed, new.configuration.speed),
            "agents": (old.configuration.payload.name, new.configuration.payload.name),
        }
        yield from (
            f"{name} differs: {first}, then {second}" for name, (first, second) in pairs.items() if first != second
        )
        costs = (old.environment.fsync.median_us, new.environment.fsync.median_us)
        if min(costs) > 0 and max(costs) / min(costs) > 1.5:  # noqa: PLR2004 - beyond what one disk varies by
            yield f"one fsync differs: {quantity(costs[0], 'us')}, then {quantity(costs[1], 'us')}"
    revisions = [sorted({one.report.run.catalogue_hash for one in run.judged}) for run in (before, after)]
    if all(revisions) and revisions[0] != revisions[1]:
        yield "the catalogue of requirements differs: some verdicts answer another question"


def comparison_markdown(found: Comparison) -> str:
    """Return a comparison as Markdown."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: Comparison) -> Iterator[str]:
    yield f"# Parity: {plain(found.before)} against {plain(found.after)}"
    yield from ("", f"**{found.sentence}.**", *(f"\nCareful: {plain(text)}." for text in found.warnings))
    yield from (f"\nServer only in the second run: {code(name)}" for name in found.servers_added)
    yield from (f"\nServer only in the first run: {code(name)}" for name in found.servers_removed)
    if found.verdicts:
        yield from ("", "| Change | Server | Requirement | Before | After | It says | Reproduce |", f"|{' --- |' * 7}")
    for one in found.verdicts:
        row = (one.change.value, code(one.server), code(one.requirement), one.before or "—", one.after or "—")
        yield f"| {' | '.join(row)} | {plain(cut(one.sentence, 200))} | {code(one.reproduce)} |"
    moved = [one for one in found.paces if one.moved]
    if moved:
        yield from ("", "| Measurement | Before | After | Change | Interval |", f"|{' --- |' * 5}")
    for pace in moved:
        change = f"{times(pace.factor)}, {pace.word} | {times(pace.low)} to {times(pace.high)}"
        yield f"| {plain(pace.name)} | {pace.before} | {pace.after} | {change} |"
    if found.claims:
        yield from ("", "| Claim | Before | After | Change | Judged |", f"|{' --- |' * 5}")
    for claim in found.claims:
        change = "—" if claim.factor is None else times(claim.factor)
        noise = "moved" if claim.moved else "within the intervals" if claim.factor is not None else "not comparable"
        judged = " | ".join(plain(judged_in_words(one)) for one in (claim.before, claim.after))
        yield f"| {code(claim.id)} | {judged} | {change} | {noise} |"


def judged_in_words(judged: ClaimVerdict | None) -> str:
    """Return a claim's verdict with what was measured."""
    if judged is None:
        return "—"
    if judged.ratio is None:
        return judged.verdict.value
    return f"{judged.verdict.value}: {in_form(judged.form, judged.ratio.value)} ({spread(judged.form, judged.ratio)})"
