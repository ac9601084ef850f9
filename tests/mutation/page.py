"""The page of the mutation score."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from tests.mutation.generate import FOLDERS, SourceMutant
from tests.mutation.reasons import Reasons, Why
from tests.mutation.score import Score, score_of, wilson
from tests.mutation.settings import SETTINGS
from tests.mutation.trial import Ending, Judgement

PAGE = Path(__file__).parents[2] / "docs" / "mutation-score.md"
_WHAT = {
    Ending.KILLED: "killed: a requirement failed, and failed again",
    Ending.NO_START: "killed: the server did not start, or the file could not be loaded",
    Ending.TIMEOUT: "killed: twice the suite came to no end",
}


def page_of(
    population: Sequence[SourceMutant],
    chosen: Sequence[SourceMutant],
    judged: Mapping[str, Judgement],
    reasons: Reasons,
    drawn: str,
    suite: str,
    outdated: Collection[str] = (),
) -> str:
    """Return the page (Markdown).

    Args:
        population: all mutants of the files that are mutated.
        chosen: those that were to be judged.
        judged: what became of them.
        reasons: why survivors are none of the suite's business.
        drawn: how `chosen` came about; empty where it is the population.
        suite: the hash of the requirements that they were judged by.
        outdated: the keys of survivors that this suite hasn't asked all that could notice.
    """
    score = score_of(chosen, judged, reasons)
    lines = [*_head(), *_result(population, score, drawn), "", *_by_file(chosen, judged, reasons), ""]
    lines += [f"The requirements that judged have the hash `{suite}`.", ""]
    lines += ["## Survivors without a reason", "", *_unexplained(score, outdated), ""]
    lines += ["## Survivors with a reason", "", *_excused(score), ""]
    lines += ["## Files that are not mutated", ""]
    lines += [f"- `{one.file}`: {one.reason}" for one in reasons.left_out]
    return "\n".join([*lines, ""])


def _head() -> list[str]:
    folders = ", ".join(f"`{folder}`" for folder in FOLDERS)
    return [
        "# The mutation score",
        "",
        "How much of the reference's source the conformance suite alone holds. mutmut's operators change one place of",
        f"{folders}.",
        "Each changed server runs over a memory store, and the quick suite judges it as it judges a stranger, in",
        f"{len(SETTINGS)} settings: {'; '.join(setting.name for setting in SETTINGS)}.",
        "The store of the last one is as one over a network is: others may write to it, and it takes several questions",
        "at once.",
        "First it asks what is most likely to notice, then everything whose calls run the changed function on the",
        "server as it is (recorded once; where the server's start runs it: everything). A failure counts when it comes",
        "again on a second server of the same mutant, so that a busy machine kills nothing; what can't be tested is",
        'no failure. `make mutate` judges all mutants and writes this page; `ARGS="--sample 300 --seed 1"` draws some.',
        "A later run goes on where one ended.",
        "",
    ]


def _result(population: Sequence[SourceMutant], score: Score, drawn: str) -> Iterator[str]:
    low, high = wilson(score.killed, score.killable)
    yield f"**{score.share:.1%} of those that aren't equivalent are killed** ({score.killed} of {score.killable})."
    asked = score.killed / score.asked if score.asked else 0.0
    yield f"Of those that show in what the contract asks for, {asked:.1%} are ({score.killed} of {score.asked})."
    if drawn:
        yield f"Judged are {score.judged} of {len(population)}, drawn at random ({drawn}); the 95 % interval (Wilson)"
        yield f"of the share in all of them is {low:.1%} to {high:.1%}."
    else:
        yield f"Judged are all {score.judged}."
    yield ""
    yield "| ended | mutants |"
    yield "|---|---|"
    for ending, text in _WHAT.items():
        yield f"| {text} | {score.endings[ending]} |"
    yield f"| survived, equivalent: nothing outside can tell | {score.excused_as(Why.EQUIVALENT)} |"
    yield f"| survived, open: it shows in what the contract leaves to the server | {score.excused_as(Why.OPEN)} |"
    yield f"| survived without a reason | {len(score.unexplained)} |"


def _by_file(chosen: Sequence[SourceMutant], judged: Mapping[str, Judgement], reasons: Reasons) -> Iterator[str]:
    yield "| file | judged | killed | survived with a reason | without |"
    yield "|---|---|---|---|---|"
    for name in sorted({mutant.file for mutant in chosen}):
        score = score_of([mutant for mutant in chosen if mutant.file == name], judged, reasons)
        if score.judged:
            yield (f"| `{name}` | {score.judged} | {score.killed} | {len(score.excused)} | {len(score.unexplained)} |")


def _unexplained(score: Score, outdated: Collection[str]) -> Iterator[str]:
    if not score.unexplained:
        yield "None."
    if part := sum(mutant.key in outdated for mutant in score.unexplained):
        yield f"{part} of them were asked only what is most likely to notice so far, not all; they count as survivors."
        yield ""
    for mutant in sorted(score.unexplained, key=str):
        yield f"- `{mutant.file}`, {mutant.operator}: {_change(mutant)}"


def _excused(score: Score) -> Iterator[str]:
    if not score.excused:
        yield "None."
    for reason in sorted({reason for _, reason in score.excused}, key=lambda one: (one.file, one.line, one.mutated)):
        count = sum(one == reason for _, one in score.excused)
        yield f"- `{reason.file}`, ``{reason.line}`` ({count} {reason.why}): {reason.reason}"


def _change(mutant: SourceMutant) -> str:
    return f"``{mutant.line}`` → ``{mutant.mutated}``" if mutant.mutated else f"``{mutant.line}`` is gone"
