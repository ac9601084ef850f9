"""Deliberately wrong servers: each makes exactly the stored requirements fail. `make mutants` runs all of them."""

from __future__ import annotations

import pytest

from conformance.catalogue import catalogue
from conformance.verdict import EXIT_NOT_CONFORMANT
from tests.mutants.matrix import expected, judge, sins, unkilled

MUTANTS_MIN = 60

FIVE = {
    "create-validate-after-persist": "ATOM-VAL-AGENT-KIND-CONST",
    "create-authorize-after-duplicate": "ORD-DENIED-TAKEN-SLUG",
    "default-instance-omitted": "INST-ONE",
    "status-omitted": "STAT-STORED",
    "create-duplicate-ok": "DUP-SLUG",
}
"""Five classics, and the requirement that is named after each."""


def test_every_wrong_server_has_a_stored_set_and_no_other_has() -> None:
    stored = expected()
    assert list(stored) == list(sins())
    assert len(stored) >= MUTANTS_MIN


def test_none_survives_and_stored_sets_name_requirements_that_stand() -> None:
    for name, failing in expected().items():
        assert failing, name
        assert [one for one in failing if one not in catalogue()] == [], name
        assert failing == sorted(failing), name


def test_every_requirement_is_broken_by_somebody() -> None:
    assert unkilled(expected().values()) == []


@pytest.mark.parametrize("name", FIVE)
def test_a_classic_fails_exactly_what_it_breaks(name: str) -> None:
    outcome = judge(name)
    assert FIVE[name] in outcome.failing
    assert sorted(outcome.failing) == expected()[name]
    assert outcome.exit_code == EXIT_NOT_CONFORMANT


def test_a_server_that_stores_before_it_validates_fails_sweeps_only() -> None:
    broken = expected()["create-validate-after-persist"]
    assert [name for name in broken if name.startswith("VAL-")] == []
    assert [name for name in broken if not name.startswith("ATOM-")] == []
