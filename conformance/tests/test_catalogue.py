"""The registry: ids unique, none without a check, none stale, and the set of this revision frozen."""

from __future__ import annotations

import re

import protovalidate
import pytest

from conformance.catalogue import CONTRACT_REVISION, catalogue, catalogue_hash, locked_hash
from conformance.checks import all_checks, check_of
from conformance.constraints import ROOTS, RULES, cases
from conformance.credentials import ROLES
from conformance.features import FEATURES
from conformance.verdict import CREATE_STEPS, Level


def test_every_requirement_has_a_check_or_a_reason_why_not() -> None:
    rows = catalogue().values()
    without = [row.id for row in rows if not row.excluded and row.id not in check_of()]
    assert without == []
    both = [row.id for row in rows if row.excluded and row.id in check_of()]
    assert both == []


def test_every_check_serves_requirements_of_the_catalogue_and_each_is_served_once() -> None:
    served = [requirement for check in all_checks() for requirement in check.judges]
    assert [name for name in served if name not in catalogue()] == []
    assert len(served) == len(set(served))
    assert len({check.id for check in all_checks()}) == len(all_checks())


def test_requirements_are_well_formed() -> None:
    for row in catalogue().values():
        assert re.fullmatch(r"[A-Z0-9]+(-[A-Z0-9]+)+", row.id), row.id
        assert row.sentence.endswith((".", ").")), row.id
        assert row.source, row.id
        assert row.step in {"", *CREATE_STEPS}, row.id
        assert set(row.profiles) <= {"cloud", "oss"}, row.id
        assert row.profiles, row.id


def test_every_create_step_has_a_must_that_can_be_checked() -> None:
    steps = {row.step for row in catalogue().values() if not row.excluded and row.level is Level.MUST}
    assert steps >= set(CREATE_STEPS)


def test_checks_name_roles_and_features_that_exist() -> None:
    for check in all_checks():
        assert set(check.roles) <= {"caller", *ROLES}, check.id
        assert set(check.features) <= set(FEATURES), check.id


def test_the_set_of_this_revision_is_frozen() -> None:
    assert catalogue_hash() == locked_hash(), (
        f"the requirements of revision {CONTRACT_REVISION} changed; if that is meant, put"
        f' "{CONTRACT_REVISION}" = "{catalogue_hash()}" into conformance/requirements/lock.toml'
    )


def test_every_sample_request_is_valid() -> None:
    assert [method for method, build in ROOTS if protovalidate.collect_violations(build())] == []


def test_every_rule_is_exercised_or_unreachable_for_a_reason() -> None:
    exercised = {case.rule.id for case in cases()}
    assert len(RULES) > 60
    for rule in RULES:
        if rule.id not in exercised:
            assert catalogue()[rule.id].excluded, rule.id


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.rule.id)
def test_a_broken_request_breaks_its_rule_alone_and_the_twin_none(case: object) -> None:
    row = next(one for one in cases() if one is case)
    sample = dict(ROOTS)[row.method]()
    broken = [violation.proto.rule_id for violation in protovalidate.collect_violations(row.broken(sample))]
    assert broken == [row.rule.rule_id]
    assert protovalidate.collect_violations(row.kept(sample)) == []
