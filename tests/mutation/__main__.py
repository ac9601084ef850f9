"""`make mutate`: mutation testing of the reference's source, with the conformance suite as the test."""

from __future__ import annotations

import argparse
import sys
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from conformance.catalogue import catalogue_hash
from tests.mutation.generate import ROOT, SourceMutant, mutants, sample
from tests.mutation.page import PAGE, page_of
from tests.mutation.reasons import REASONS, Reasons, ReasonUnmatched, read_reasons
from tests.mutation.score import score_of, wilson
from tests.mutation.session import Session
from tests.mutation.trial import Ending, judge, warm

SESSION = ROOT / "out" / "mutation" / "session.db"
GOAL = 0.95
LIMIT_TIMES, LIMIT_SECONDS_MIN = 5.0, 60.0
"""A trial may take so many times what the unchanged server takes; a machine that is busy is no reason to end it."""
UNCHANGED_SECONDS_MAX = 600.0
EXIT_BELOW, EXIT_USAGE, EXIT_COULD_NOT = 1, 2, 3


def main() -> int:
    """Return 0 when at least 95 % of the killable are killed, 1 when fewer are."""
    arguments = _arguments()
    try:
        reasons = read_reasons(arguments.reasons)
        population = list(mutants(reasons.mutated_files()))
        reasons.check(population)
    except (OSError, tomllib.TOMLDecodeError, ValidationError, ReasonUnmatched) as error:
        _say(f"mutate: {arguments.reasons}: {error}")
        return EXIT_USAGE
    chosen = sample(population, arguments.sample, arguments.seed) if arguments.sample else population
    session = Session(arguments.session, catalogue_hash())
    if not arguments.page_only and (fault := _judge_all(chosen, session)):
        _say(f"mutate: {fault}")
        return EXIT_COULD_NOT
    drawn = f"`--sample {arguments.sample} --seed {arguments.seed}`" if arguments.sample else ""
    page = page_of(population, chosen, session.judged(), reasons, drawn, catalogue_hash())
    arguments.page.write_text(page, encoding="utf-8")
    return _said(chosen, session, reasons)


def _said(chosen: Sequence[SourceMutant], session: Session, reasons: Reasons) -> int:
    score = score_of(chosen, session.judged(), reasons)
    for mutant in score.unexplained:
        _say(f"SURVIVED {mutant}")
    low, high = wilson(score.killed, score.killable)
    _say(
        f"mutation score: {score.killed} of {score.killable} killable killed, {score.share:.1%} "
        f"(95 % interval {low:.1%} to {high:.1%}); {score.judged} judged, {len(score.excused)} excused, "
        f"{score.endings[Ending.TIMEOUT]} by timeout"
    )
    return 0 if score.share >= GOAL else EXIT_BELOW


def _judge_all(chosen: Sequence[SourceMutant], session: Session) -> str:
    """Judge what isn't judged yet; return why that can't be, if it can't."""
    done = session.judged()
    waiting = [mutant for mutant in chosen if mutant.key not in done]
    if not waiting:
        return ""
    warm()
    unchanged = judge(None, UNCHANGED_SECONDS_MAX)
    if unchanged.ending is not Ending.SURVIVED:
        return f"the unchanged server {unchanged.ending} ({unchanged.by}); mend that first"
    limit = max(LIMIT_SECONDS_MIN, LIMIT_TIMES * unchanged.seconds)
    _say(f"{len(waiting)} to judge, {len(chosen) - len(waiting)} judged before; at most {limit:.0f} s each")
    began = time.monotonic()
    for number, mutant in enumerate(waiting, start=1):
        judgement = judge(mutant, limit)
        session.add(mutant.key, judgement)
        _say(f"[{number}/{len(waiting)}] {judgement.seconds:5.1f} s {judgement.ending} {judgement.by}: {mutant}")
    _say(f"{len(waiting)} judged in {time.monotonic() - began:.0f} s")
    return ""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run the conformance suite against every mutant of the source.")
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="so many, drawn at random; default: all")
    parser.add_argument("--seed", type=int, default=1, help="of the draw")
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
