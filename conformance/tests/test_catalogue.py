"""The registry: ids unique, none without a check, none stale, and the set of this revision frozen."""

from __future__ import annotations

import re
from pathlib import Path

import protovalidate
import pytest

from conformance.catalogue import (
    CONTRACT_REVISION,
    CatalogueInvalid,
    _written,
    catalogue,
    catalogue_hash,
    contract_defects,
    locked_hash,
)
from conformance.check import check as check_named
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


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('[[requirement]]\nid = "A-1"\nsentence = "S."\nsource = "s"', "A-1: operation"),
        ('operation = "x"\n[[requirement]]\nsentence = "S."\nsource = "s"', "without id: id"),
        ('operation = "x"\n[[requirement]]\nid = "A-1"\nlevel = "MAY"\nsentence = "S."\nsource = "s"', "A-1: level"),
        ('operation = "x"', r"no \[\[requirement\]\] tables"),
        ("requirement = [3]", r"no \[\[requirement\]\] tables"),
        ("[", "other.toml"),
    ],
)
def test_a_malformed_file_of_requirements_is_named(
    content: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "other.toml").write_text(content)
    monkeypatch.setattr("conformance.catalogue.files", lambda package: tmp_path)
    with pytest.raises(CatalogueInvalid, match=said):
        list(_written())


def test_a_check_of_an_unknown_requirement_is_named_with_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = check_named("SLUG-LENGHT", lambda session: None, lambda evidence: [])
    monkeypatch.setattr("conformance.checks.all_checks", lambda: (*all_checks(), wrong))
    with pytest.raises(CatalogueInvalid, match="check SLUG-LENGHT: no requirement SLUG-LENGHT; is SLUG-LENGTH meant"):
        check_of.__wrapped__()


def test_a_requirement_without_a_check_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conformance.checks.all_checks", lambda: all_checks()[1:])
    with pytest.raises(CatalogueInvalid, match=f"no check serves .*{all_checks()[0].id}"):
        check_of.__wrapped__()


def test_what_must_be_met_needs_nothing_that_only_should() -> None:
    """Levels are consistent: a MUST that can't be asked where a SHOULD fails would make a MUST of that."""
    rows = catalogue()
    strong = [
        (row.id, name)
        for row in rows.values()
        for name in row.needs
        if row.level is Level.MUST and rows[name].level is Level.SHOULD
    ]
    assert strong == []


def test_contract_defects_are_said_of_the_requirements_that_ask_for_them() -> None:
    told = {name: row.contract_defect for name, row in catalogue().items() if row.contract_defect}
    assert "kind 52" in told["VAL-AGENTINSTANCESPEC-ENVIRONMENT-REFS-CEL"]
    assert sorted(told) == sorted(name for defect in contract_defects() for name in defect.requirements)


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
