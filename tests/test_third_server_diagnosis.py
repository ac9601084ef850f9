"""Defects of real servers, planted in the Go server, are named: no entry of the dictionary was made from it."""

from __future__ import annotations

from itertools import islice

import pytest

from tests.mutants.groups import total
from tests.third_server.groups import NAMED, judged, planted_groups, score
from tests.third_server.hosting import unavailable

pytestmark = pytest.mark.skipif(bool(unavailable()), reason=unavailable() or "Go is here")

ALONE = ("older-sub-agents", "refusals-unknown")
"""Defects that every run plants, each alone: another schema, one wrong status."""
GROUPS, SEED = 6, 2
"""Not a blind figure: what a race is, and which causes say two defects, was settled on groups of this seed too."""
GOOD = 0.9


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
    found = total(score(group, judged(*group)) for group in islice(planted_groups(SEED), GROUPS))
    assert found.precision >= GOOD, str(found)
    assert found.recall_told >= GOOD, str(found)


@pytest.mark.full
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("defect", sorted(NAMED))
def test_each_defect_alone_is_all_that_is_named(defect: str) -> None:
    named = {cause.id for cause in judged(defect).diagnosis.causes}
    assert named
    assert named <= NAMED[defect]
