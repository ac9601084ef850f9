"""Defects of real servers, planted in the Go server, are named: no entry of the dictionary was made from it."""

from __future__ import annotations

import random

import pytest

from conformance.runner import Options, run
from conformance.verdict import Report
from tests.mutants.groups import Score, total
from tests.third_server.hosting import DECLARATION, JOBS, target, unavailable

pytestmark = pytest.mark.skipif(bool(unavailable()), reason=unavailable() or "Go is here")

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
ALONE = ("older-sub-agents", "refusals-unknown")
"""Defects that every run plants, each alone: another schema, one wrong status."""
MASKED_BY: dict[str, frozenset[str]] = {
    "by-agent-unpaged": frozenset({"by-agent-empty"}),
    "store-errors-not-found": frozenset({"refusals-unknown"}),
    "no-rollback": frozenset({"refusals-unknown", "store-errors-not-found"}),
}
"""What can't be seen beside others: a list that is empty has no pages, a refusal has one status."""
GROUPS, GROUP_SIZE, SEED = 6, 5, 2
"""Not a blind figure: what a race is, and which causes say two defects, was settled on groups of this seed too."""
GOOD = 0.9


def judged(*defects: str) -> Report:
    # Another choice counts as a failure here: some defects are choices that the contract marks as its own.
    options = Options(profile="oss", declaration=DECLARATION, jobs=JOBS, quick=True, strict=True, reruns=0)
    return run(target(defects), options)


def score(defects: tuple[str, ...], report: Report) -> Score:
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


@pytest.mark.parametrize("defect", ALONE)
def test_a_defect_is_the_first_cause_that_is_named(defect: str) -> None:
    report = judged(defect)
    assert report.diagnosis.causes[0].id in NAMED[defect]
    assert len(report.diagnosis.causes[0].explains) > len(report.failing()) / 2


def test_a_server_that_is_right_but_for_its_list_has_no_step_to_blame() -> None:
    report = judged("by-agent-empty")
    steps = {row.step: row for row in report.steps}
    assert steps["CreateDefaultInstance"].failing == ()
    assert steps["CreateDefaultInstance"].blocked == ("INST-ONE",)


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_groups_of_five_are_named() -> None:
    chance = random.Random(SEED)
    groups = [tuple(sorted(chance.sample(sorted(NAMED), GROUP_SIZE))) for _ in range(GROUPS)]
    found = total(score(group, judged(*group)) for group in groups)
    assert found.precision >= GOOD, str(found)
    assert found.recall_told >= GOOD, str(found)


@pytest.mark.full
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("defect", sorted(NAMED))
def test_each_defect_alone_is_all_that_is_named(defect: str) -> None:
    named = {cause.id for cause in judged(defect).diagnosis.causes}
    assert named
    assert named <= NAMED[defect]
