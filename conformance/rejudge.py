"""From stored evidence to verdicts. Pure: the same evidence gives the same verdicts, today and in a year."""

from __future__ import annotations

import datetime as dt
import shlex
from dataclasses import replace
from pathlib import Path

from pydantic import TypeAdapter

from conformance.catalogue import Requirement, catalogue, catalogue_hash
from conformance.cause import Drift
from conformance.check import Check
from conformance.checks import check_of
from conformance.diagnosis import diagnose
from conformance.evidence import WIRE, Ending, Evidence, MissingEvidence, NotAsked, Outcome, StoredRun
from conformance.evidence_file import EvidenceUnreadable, read_evidence
from conformance.judging import PartJudge, problem
from conformance.known_failing import apply_known_failing, from_rows
from conformance.line import LINE
from conformance.rounds import Round, is_later, later_rounds, settle
from conformance.verdict import EVIDENCE_FILE, Problem, Report, Result, RunInfo, Verdict

_VERDICT_OF = {
    Ending.UNTESTABLE: Verdict.UNTESTABLE,
    Ending.NOT_APPLICABLE: Verdict.NOT_APPLICABLE,
    Ending.NOT_RUN: Verdict.NOT_RUN,
    Ending.HARNESS_ERROR: Verdict.HARNESS_ERROR,
}


class OtherCatalogue(Exception):
    """The evidence was made for another set of requirements than this suite has."""


def recheck(run: Path) -> Report:
    """Judge a stored run again, without its server.

    Args:
        run: the run's directory, or its evidence file.

    Raises:
        EvidenceUnreadable: there is no file, or it is truncated or damaged.
        OtherCatalogue: it was made by a suite with other requirements.
    """
    stored = read_evidence(_file_of(run))
    if stored.run.catalogue_hash != catalogue_hash():
        raise OtherCatalogue(
            f"{run}: made with the requirements {stored.run.catalogue_hash} of contract {stored.run.contract_revision};"
            f" this suite has {catalogue_hash()}: recheck with the suite's version {stored.run.versions.get('suite')}"
        )
    return judge_run(stored)


def _file_of(run: Path) -> Path:
    """Return a run's evidence file. Raises EvidenceUnreadable that says where there is one instead."""
    file = run / EVIDENCE_FILE if run.is_dir() else run
    if file.exists():
        return file
    what = f"{run}: holds no run: no {EVIDENCE_FILE} is in it" if run.is_dir() else f"{run}: no such file or folder"
    below = next((f", such as {found.parent}" for found in sorted(run.glob(f"*/*/{EVIDENCE_FILE}"))), "")
    raise EvidenceUnreadable(f"{what}; name the folder that --out of conform made{below}")


def judge_run(stored: StoredRun) -> Report:
    """Give a verdict on every selected requirement, and hold the whole against what was known to fail."""
    wanted = set(stored.run.selection)
    results = [_judge(row, stored) for row in catalogue().values() if row.id in wanted]
    report = _explained(Report(stored.run, tuple(results), leaks=stored.leaks, lost_calls=_lost_calls(stored)), stored)
    if not stored.judged_on:
        return report
    try:
        entries, today = from_rows(stored.known_failing), dt.date.fromisoformat(stored.judged_on)
    except (KeyError, TypeError, ValueError) as error:
        raise EvidenceUnreadable(f"the footer's known failures can't be read ({error}); run again") from error
    return apply_known_failing(report, entries, today)


def _lost_calls(stored: StoredRun) -> int:
    return len(stored.evidence[LINE].exchanges) if LINE in stored.evidence else 0


def _explained(report: Report, stored: StoredRun) -> Report:
    """Add what the failures are explained by, and mark those that are blocked by others."""
    told = {seq for result in report.results for seq in result.evidence}
    exchanges = {
        row.seq: row
        for evidence in stored.evidence.values()
        for row in evidence.exchanges
        # Later rounds of failing checks would count for more than what is asked once.
        if row.seq in told or not (is_later(evidence.check) or evidence.check == WIRE)
    }
    wire = stored.evidence.get(WIRE, Evidence(WIRE)).facts
    drift = _DRIFT.validate_python(wire.get("drift", ()))
    found = diagnose(report.results, exchanges, stored.run.profile, drift=drift)
    marked = tuple(replace(row, blocked_by=found.blocked_by.get(row.id, ())) for row in report.results)
    return replace(report, results=marked, diagnosis=found.diagnosis, drift=tuple(row.sentence for row in drift))


_DRIFT = TypeAdapter(tuple[Drift, ...])


def _judge(requirement: Requirement, stored: StoredRun) -> Result:
    check = check_of()[requirement.id]
    outcome = stored.outcomes.get(check.id, Outcome(check.id, Ending.NOT_RUN, stored.run.reason))
    evidence = stored.evidence.get(check.id, Evidence(check.id))
    told = [(outcome, evidence), *later_rounds(stored, check.id)]
    settled = settle([Round(*_verdict(requirement, one, of, stored.run), of) for one, of in told])
    return Result(
        id=requirement.id,
        level=requirement.level,
        profiles=requirement.profiles,
        operation=requirement.operation,
        step=requirement.step,
        sentence=requirement.sentence,
        source=requirement.source,
        check=check.id,
        verdict=settled.verdict,
        problems=settled.problems,
        reason=settled.reason,
        evidence=settled.evidence,
        beside=settled.beside,
        reproduce=reproduce_command(stored.run, requirement.id),
        duration_ms=outcome.duration_ms,
        contract_defect=requirement.contract_defect,
    )


def fails(check: Check, outcome: Outcome, evidence: Evidence, run: RunInfo) -> bool:
    """Whether something that a check serves and that was selected fails by this evidence."""
    rows = [catalogue()[name] for name in check.judges if name in run.selection]
    return any(_verdict(row, outcome, evidence, run)[0] is Verdict.FAIL for row in rows)


def _verdict(
    requirement: Requirement, outcome: Outcome, evidence: Evidence, run: RunInfo
) -> tuple[Verdict, tuple[Problem, ...], str]:
    if run.profile not in requirement.profiles:
        return Verdict.NOT_APPLICABLE, (), f"not asked of the {run.profile} profile"
    if outcome.ending is not Ending.EXERCISED:
        return _VERDICT_OF[outcome.ending], (), outcome.reason
    judge = check_of()[requirement.id].judges[requirement.id]
    if isinstance(judge, PartJudge):
        evidence = judge.seen(evidence)
    try:
        problems = [*judge(evidence), *_faults(evidence)]
    except NotAsked as error:
        return Verdict.NOT_APPLICABLE, (), str(error)
    except MissingEvidence as error:
        return _cut_short(evidence, str(error))
    # A judge that stumbles over an answer says nothing about the server, and must not take the other verdicts along.
    except Exception as error:  # noqa: BLE001
        return Verdict.HARNESS_ERROR, (), f"the judge failed: {type(error).__name__}: {error}"
    return _weighed(requirement, tuple(dict.fromkeys(problems)), run)


def _weighed(
    requirement: Requirement, problems: tuple[Problem, ...], run: RunInfo
) -> tuple[Verdict, tuple[Problem, ...], str]:
    """Only where all that was found is another choice, and the catalogue says that there is one, is it a deviation."""
    if not problems:
        return Verdict.PASS, (), ""
    if requirement.choice and all(one.choice for one in problems) and not run.strict:
        return Verdict.DEVIATION, problems, requirement.choice
    return Verdict.FAIL, problems, ""


def _cut_short(evidence: Evidence, missing: str) -> tuple[Verdict, tuple[Problem, ...], str]:
    """An exercise goes no further than its first needed answer: what kept it from there is the server's failure."""
    failed = next((row for row in evidence.exchanges if not row.ok), None)
    if failed is None:
        return Verdict.HARNESS_ERROR, (), missing
    actual = failed.fault or f"{failed.code}: {failed.message}"
    found = problem(f"{failed.label}: nothing more could be asked after this", failed, expected="OK", actual=actual)
    return Verdict.FAIL, (found,), ""


def _faults(evidence: Evidence) -> list[Problem]:
    """An answer that can't be read fails whatever it was asked for."""
    return [problem(f"{row.label}: {row.fault}", row) for row in evidence.exchanges if row.fault]


_MAKES_ITS_OWN = "store:"
"""Targets of this kind are servers that the command line starts itself, with credentials made for the run."""


def reproduce_command(run: RunInfo, requirement: str) -> str:
    """Return the command line that judges one requirement again."""
    words = ["parity", "conform", run.target, "--profile", run.profile, "--only", requirement, "--seed", str(run.seed)]
    words += ["--strict"] if run.strict else []
    needs_credentials = run.profile == "cloud" and not run.target.startswith(_MAKES_ITS_OWN)
    return shlex.join(words) + (" --credentials FILE" if needs_credentials else "")
