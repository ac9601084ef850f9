"""`make mutate`: mutation testing of the reference's source, with the conformance suite as the test."""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from conformance.catalogue import catalogue_hash
from tests.mutation.functions import ROOT
from tests.mutation.generate import SourceMutant, mutants, sample
from tests.mutation.page import PAGE, page_of
from tests.mutation.plan import Planner
from tests.mutation.reach import reach, suite_hash
from tests.mutation.reasons import REASONS, Reasons, ReasonUnmatched, Why, read_reasons
from tests.mutation.score import score_of, wilson
from tests.mutation.session import Session
from tests.mutation.trial import Judgement, Plan, judge, warm

SESSION = ROOT / "out" / "mutation" / "session.db"
GOAL = 0.95
TRIAL_SECONDS_MAX = 600.0
"""A trial that takes longer hangs: a survivor's takes some 30 s where nothing else runs."""
EXIT_BELOW, EXIT_USAGE, EXIT_COULD_NOT = 1, 2, 3


def main() -> int:
    """Return 0 when at least 95 % of those that aren't equivalent are killed, 1 when fewer are."""
    arguments = _arguments()
    try:
        reasons = read_reasons(arguments.reasons)
        population = list(mutants(reasons.mutated_files()))
        reasons.check(population)
    except (OSError, tomllib.TOMLDecodeError, ValidationError, ReasonUnmatched) as error:
        _say(f"mutate: {arguments.reasons}: {error}")
        return EXIT_USAGE
    chosen = sample(population, arguments.sample, arguments.seed) if arguments.sample else population
    shown = [mutant for mutant in chosen if arguments.only in str(mutant)]
    session = Session(arguments.session, suite_hash())
    if not arguments.page_only and (fault := _judge_all(shown, session, reasons)):
        _say(f"mutate: {fault}")
        return EXIT_COULD_NOT
    if not arguments.only:
        drawn = f"`--sample {arguments.sample} --seed {arguments.seed}`" if arguments.sample else ""
        page = page_of(population, chosen, session.judged(), reasons, drawn, catalogue_hash(), session.outdated())
        arguments.page.write_text(page, encoding="utf-8")
    return _said(shown, session, reasons)


def _said(chosen: Sequence[SourceMutant], session: Session, reasons: Reasons) -> int:
    score = score_of(chosen, session.judged(), reasons)
    for mutant in score.unexplained:
        _say(f"SURVIVED {mutant.file}:{mutant.lines[0]} {mutant}")
    low, high = wilson(score.killed, score.killable)
    _say(
        f"mutation score: {score.killed} of {score.killable} killed, {score.share:.1%} (95 % interval {low:.1%} to "
        f"{high:.1%}); {score.judged} judged, {score.excused_as(Why.EQUIVALENT)} equivalent, "
        f"{score.excused_as(Why.OPEN)} open, {len(score.unexplained)} unexplained"
    )
    return 0 if score.share >= GOAL else EXIT_BELOW


def _judge_all(chosen: Sequence[SourceMutant], session: Session, reasons: Reasons) -> str:
    """Judge what isn't judged yet; return why that can't be, if it can't.

    All are asked what is likely to notice first; what survives that counts as a survivor until all has been asked.
    """
    new = [mutant for mutant in chosen if mutant.key not in session.judged()]
    if not new and not _surviving(chosen, session, reasons):
        return ""
    warm()
    try:
        planner = Planner(reach())
    except RuntimeError as error:
        return str(error)
    for mutant, judgement in _known(chosen, session.judged()):
        planner.learn(mutant, judgement)
    _pass("likely", new, session, planner, planner.likely)
    _pass("all", _surviving(chosen, session, reasons), session, planner, planner.everything)
    return ""


def _pass(
    name: str,
    waiting: Sequence[SourceMutant],
    session: Session,
    planner: Planner,
    plan: Callable[[SourceMutant], Plan],
) -> None:
    for number, mutant in enumerate(waiting, start=1):
        judgement = judge(mutant, plan(mutant), TRIAL_SECONDS_MAX)
        session.add(mutant.key, judgement, of_all=name == "all")
        planner.learn(mutant, judgement)
        seconds = f"{judgement.cpu_seconds:5.1f} CPU s"
        _say(f"[{name} {number}/{len(waiting)}] {seconds} {judgement.ending} {judgement.by}: {mutant}")


def _surviving(chosen: Sequence[SourceMutant], session: Session, reasons: Reasons) -> list[SourceMutant]:
    """Return those that survived another suite or a part of this one, and are no equivalents."""
    outdated = session.outdated()

    def is_equivalent(mutant: SourceMutant) -> bool:
        reason = reasons.of(mutant)
        return reason is not None and reason.why is Why.EQUIVALENT

    return [mutant for mutant in chosen if mutant.key in outdated and not is_equivalent(mutant)]


def _known(chosen: Sequence[SourceMutant], judged: Mapping[str, Judgement]) -> list[tuple[SourceMutant, Judgement]]:
    return [(mutant, judged[mutant.key]) for mutant in chosen if mutant.key in judged]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run the conformance suite against every mutant of the source.")
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="so many, drawn at random; default: all")
    parser.add_argument("--seed", type=int, default=1, help="of the draw")
    parser.add_argument("--only", default="", metavar="TEXT", help="of these, those whose line below has the text")
    parser.add_argument("--session", type=Path, default=SESSION, help="database of what was judged")
    parser.add_argument("--reasons", type=Path, default=REASONS, help="why survivors are excused")
    parser.add_argument("--page", type=Path, default=PAGE, help="where the page goes")
    parser.add_argument("--page-only", action="store_true", help="judge nothing; write the page of what was judged")
    arguments = parser.parse_args()
    if arguments.sample < 0:
        parser.error(f"--sample {arguments.sample}: write how many, 1 or more")
    return arguments


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command line prints


if __name__ == "__main__":
    sys.exit(main())
