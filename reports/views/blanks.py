"""What was not measured, and why. A report without these rows would make a gap look like a good result."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.results import Conclusion
from conformance.verdict import Level, Result, Verdict
from reports.models import Judged, Run


@dataclass(frozen=True, slots=True)
class Gap:
    """One thing that is missing. `red` gaps keep the run from being green; `count` says how many it stands for."""

    what: str
    where: str
    reason: str
    red: bool = False
    count: int = 1
    ids: tuple[str, ...] = ()


def gaps(run: Run) -> tuple[Gap, ...]:
    """Return all gaps of a run, the red ones first."""
    found = [*_whole_parts(run), *_conformance(run), *_benchmarks(run)]
    return tuple(sorted(found, key=lambda gap: not gap.red))


def _whole_parts(run: Run) -> Iterator[Gap]:
    for broken in run.broken:
        yield Gap("conformance", broken.name, broken.reason, red=True)
    for left in run.manifest.left_out if run.manifest else ():
        yield Gap("store", left.store, left.reason)
    if not run.judged and not run.broken:
        yield Gap("conformance", "whole run", "no server was judged in this run")
    if run.benchmarks is None:
        code = run.manifest.benchmarks_exit_code if run.manifest else None
        reason = f"the benchmarks ended with exit code {code}" if code else "no benchmarks were run"
        yield Gap("benchmarks", "whole run", reason, red=bool(code))
    for judged in run.judged:
        if judged.exchanges is None:
            yield Gap("evidence", judged.name, "no evidence file beside the verdicts: requests can't be shown")


def _conformance(run: Run) -> Iterator[Gap]:
    for judged in run.judged:
        report = judged.report
        if not report.run.complete:
            yield Gap("conformance", judged.name, report.run.reason or "the run ended early", red=True)
        yield from (Gap("known-failing file", judged.name, text, red=True) for text in report.known_failing_errors)
        yield from (Gap("clean-up", judged.name, f"left behind: {text}", red=True) for text in report.leaks)
        yield from _requirements(judged)


def _requirements(judged: Judged) -> Iterator[Gap]:
    """One row per verdict and reason: a role without credentials leaves fifty requirements untested at once."""
    groups: dict[tuple[Verdict, str, bool], list[Result]] = {}
    for result in judged.report.results:
        if result.verdict in {Verdict.UNTESTABLE, Verdict.NOT_RUN, Verdict.NOT_APPLICABLE}:
            red = result.verdict is Verdict.NOT_RUN or (
                result.verdict is Verdict.UNTESTABLE and result.level is Level.MUST
            )
            groups.setdefault((result.verdict, result.reason, red), []).append(result)
    for (verdict, reason, red), results in groups.items():
        ids = tuple(result.id for result in results)
        what = verdict.value.replace("_", " ").lower()
        yield Gap(what, judged.name, reason or "no reason was given", red=red, count=len(ids), ids=ids)


def _benchmarks(run: Run) -> Iterator[Gap]:
    if run.benchmarks is None:
        return
    raw = run.benchmarks.raw
    if raw.environment.durable_refusal:
        yield Gap("benchmark", "durable mode", raw.environment.durable_refusal)
    for proof in raw.durability:
        if not proof.holds:
            yield Gap("durability", proof.subject.label, proof.note)
    for blank in raw.blanks:
        yield Gap("benchmark", f"{blank.subject.label}, {blank.workload}, {blank.payload}", blank.reason)
    for verdict in run.benchmarks.judgement.verdicts:
        if verdict.verdict is Conclusion.NOT_MEASURED:
            yield Gap("claim", verdict.id, verdict.reason or "no samples")
