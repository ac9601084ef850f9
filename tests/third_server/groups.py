"""The third server with several defects at once, and how well the diagnosis of its failures names them.

`python -m tests.third_server.groups --count 12 --seed 7` plants groups of five in the Go server and prints how precise
and how complete the causes are. `--keep FOLDER` and `--results FILE` are those of `tests.mutants.groups`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from conformance.runner import Options, run
from conformance.verdict import Report
from tests.mutants.groups import Group, Score, command_line, kept_run
from tests.third_server.hosting import DECLARATION, JOBS, target

NAMED: dict[str, frozenset[str]] = {
    "by-agent-empty": frozenset({"shape:empty:instance.by_agent"}),
    "by-agent-unpaged": frozenset({"by-agent-unpaged", "by-agent-from-zero"}),
    "refusals-unknown": frozenset({"shape:status:UNKNOWN"}),
    "store-errors-not-found": frozenset({"shape:status:NOT_FOUND"}),
    "id-overwritten": frozenset({"second:id_overwritten"}),
    "duplicate-race": frozenset({"shape:race:create"}),
    "delete-keeps-instances": frozenset({"delete-leaves-instances", "second:delete_leaves_instances"}),
    "no-rollback": frozenset({"default-instance-partial-failure", "second:no_rollback"}),
    "instance-by-name": frozenset({"default-instance-slug-of-name"}),
    "older-sub-agents": frozenset({"schema:SubAgent.name"}),
    "update-resurrects": frozenset({"shape:race:update"}),
}
"""The ids of the causes that say what a defect is. Faults that break the same in the oss profile are told together."""
TOGETHER: dict[str, frozenset[str]] = {"second:half_named": frozenset({"instance-by-name", "no-rollback"})}
"""Causes whose sentence says several defects, and which these are: right where all of them are planted."""
MASKED_BY: dict[str, frozenset[str]] = {
    "by-agent-unpaged": frozenset({"by-agent-empty"}),
    "store-errors-not-found": frozenset({"refusals-unknown"}),
    "no-rollback": frozenset({"refusals-unknown", "store-errors-not-found"}),
}
"""What can't be seen beside others: a list that is empty has no pages, a refusal has one status."""
GROUP_SIZE = 5


def judged(*defects: str, kept: Path | None = None) -> Report:
    """Run the suite against the server with these defects; a run that is kept isn't run again."""
    # Another choice counts as a failure here: some defects are choices that the contract marks as its own.
    options = Options(profile="oss", declaration=DECLARATION, jobs=JOBS, quick=True, strict=True, reruns=0)
    return kept_run(kept) or run(target(defects), options, out=kept)


def score(defects: Sequence[str], report: Report) -> Score:
    """Hold the named causes against the planted defects; one that breaks nothing that is measured is masked."""
    named = [cause.id for cause in report.diagnosis.causes]
    both = [name for name in named if name in TOGETHER and TOGETHER[name] <= set(defects)]
    said = frozenset[str]().union(*(TOGETHER[name] for name in both))
    known = frozenset(both).union(*(NAMED[defect] for defect in defects))
    hidden = [bool(MASKED_BY.get(defect, frozenset()) & set(defects)) for defect in defects]
    found = [defect in said or bool(NAMED[defect] & set(named)) for defect in defects]
    return Score(
        named=len(named),
        right=sum(name in known for name in named),
        planted=len(defects),
        found=sum(found),
        masked=sum(hidden),
        found_told=sum(one and not masked for one, masked in zip(found, hidden, strict=True)),
    )


def planted_groups(seed: int) -> Iterator[tuple[str, ...]]:
    """Yield groups of five different defects, for ever."""
    chance = random.Random(seed)
    while True:
        yield tuple(sorted(chance.sample(sorted(NAMED), GROUP_SIZE)))


def _judged_groups(seed: int) -> Iterator[Group]:
    for names in planted_groups(seed):
        yield Group(names, partial(_judged_group, names))


def _judged_group(names: tuple[str, ...], kept: Path | None) -> tuple[Score, Report]:
    report = judged(*names, kept=kept)
    return score(names, report), report


if __name__ == "__main__":
    command_line("Plant groups of five defects in the third server and score the diagnosis of each.", _judged_groups)
