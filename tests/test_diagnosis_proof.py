"""How well failures are explained: groups of known defects are named again, and what isn't known is not put on others.

Signatures alone are held in every run; the long form really plants the groups and runs the suite against them.
"""

from __future__ import annotations

from itertools import islice

import pytest

from conformance.catalogue import catalogue
from conformance.cause import Cause, Diagnosis
from conformance.diagnosis import diagnose
from conformance.dictionary import Fault, dictionary
from conformance.verdict import Result, Verdict
from tests.mutants.groups import Total, groups, judged_group, planted_groups, score, total
from tests.mutants.wrong_servers import SINS

GROUPS = 200
PLANTED_GROUPS = 24
SEED = 1
GOOD = 0.9
FALSELY_BLAMED_MAX = 0.08

FAULTS = tuple(fault for fault in dictionary() if fault.profile == "cloud")
REQUIREMENTS = frozenset(row.id for row in catalogue().values() if not row.excluded)


def results(failing: frozenset[str]) -> tuple[Result, ...]:
    """A run in which these requirements fail and all others pass, without any exchange."""
    rows = [row for row in catalogue().values() if not row.excluded]
    return tuple(
        Result(
            id=row.id,
            level=row.level,
            profiles=row.profiles,
            operation=row.operation,
            step=row.step,
            sentence=row.sentence,
            source=row.source,
            check=row.id,
            verdict=Verdict.FAIL if row.id in failing else Verdict.PASS,
        )
        for row in rows
    )


def explained(failing: frozenset[str], faults: tuple[Fault, ...] = FAULTS) -> Diagnosis:
    return diagnose(results(failing), {}, "cloud", faults).diagnosis


def union_total(seed: int) -> Total:
    """Groups that fail exactly what their defects fail alone."""
    by_name = {fault.id: frozenset(fault.fails) for fault in FAULTS}
    wanted = islice(groups(sorted(by_name), seed), GROUPS)
    return total(
        score(group, explained(frozenset[str]().union(*(by_name[name] for name in group))), REQUIREMENTS)
        for group in wanted
    )


def test_groups_of_one_to_six_defects_are_named_from_their_signatures() -> None:
    found = union_total(SEED)
    assert found.groups == GROUPS
    assert found.planted > 2 * GROUPS
    assert found.precision >= GOOD, str(found)
    assert found.recall >= GOOD, str(found)


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_groups_that_are_really_planted_are_named() -> None:
    found = total(judged_group(*one)[0] for one in islice(planted_groups(SEED), PLANTED_GROUPS))
    assert found.groups == PLANTED_GROUPS
    assert found.precision >= GOOD, str(found)
    assert found.recall_told >= GOOD, str(found)


TABLE = {mutant.name: number for number, table in enumerate(SINS) for mutant in table}


def are_one_family(one: Fault, other: Cause) -> bool:
    """Whether a fault and a cause are in one operation, in one step, or in one table of the mutants."""
    places = [set(row.where.split(": ")) for row in (one, other)]
    return bool(places[0] & places[1]) or TABLE.get(one.id, -1) == TABLE.get(other.id, -2)


def test_a_fault_that_is_known_is_the_first_cause_of_what_it_breaks() -> None:
    signatures = {fault.id: set(fault.fails) for fault in FAULTS}
    wrong = [
        fault.id
        for fault in FAULTS
        if signatures[explained(frozenset(fault.fails)).causes[0].id] != signatures[fault.id]
    ]
    assert wrong == []


def test_a_fault_that_is_not_known_is_left_unexplained_or_put_on_one_of_its_family() -> None:
    """Each fault is left out of the dictionary in its turn; what is named then and is foreign is false blame."""
    falsely = []
    for fault in FAULTS:
        others = tuple(one for one in FAULTS if one.id != fault.id)
        causes = explained(frozenset(fault.fails), others).causes
        if causes and not are_one_family(fault, causes[0]):
            falsely.append(f"{fault.id} on {causes[0].id}")
    assert len(falsely) <= FALSELY_BLAMED_MAX * len(FAULTS), falsely
