"""Every mutant store is killed, by exactly the checks that the kill matrix names, and every check but the races kills.

After a change of the suite: `python -m stores.tests.kill_matrix` prints the new matrix; read the difference.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stores.codecs import ProtobufCodec
from stores.contract import Durability, Store
from stores.sqlite.files import LOCK, beside
from stores.sqlite.store import SqliteStore
from stores.suite.agreement import check_agreement
from stores.suite.check import StoreVerdict, run_check
from stores.suite.checks import CHECKS
from stores.suite.mutants import CORRECT, MUTANTS, RACING, mutant
from stores.suite.mutants.opened import SINS
from stores.suite.subject import FunctionSubject, UrlSubject
from stores.tests.entry_point import install

MATRIX: dict[str, list[str]] = json.loads((Path(__file__).parent / "kill_matrix.json").read_text())
BY_ID = {check.id: check for check in CHECKS}
RACES = [check.id for check in CHECKS if check.id.startswith("race-")]
INVISIBLE_TO_AGREEMENT = {
    "answers_nothing_when_closed": "the search never uses a closed store",
    "answers_when_closed": "the search never uses a closed store",
    "checks_without_lock": "the search has one thread",
    "compact_cuts_listings": "the search compacts nothing",
    "drops_unknown_fields": "the search stores no unknown fields",
    "ends_oldest_listing": "the search has fewer than a hundred listings under way",
    "joins_key_parts": "no part of the search's keys has a U+001F in it",
    "leaks_key_prefix": "organizations without resources of their own are listed right",
    "lists_live_by_page": "the search's listings are shorter than a thousand",
    "lists_short_ids": "the search's ids are shorter than 65,536 bytes",
    "parts_very_large": "the search's batches are smaller than 8,192 operations",
    "rounds_numbers": "the search stores no large numbers",
    "shares_messages": "the search changes no message that it read",
    "takes_half_puts": "the search's puts are whole",
}
FOR_GENERATED = ("exact-", "kinds-", "load-")
"""Checks of all kinds, places and sequences: what they find is in `generated_kills.json`."""
QUICK = ["creates_on_update", "tears_batch", "loses_update"]


def test_the_matrix_is_about_these_mutants() -> None:
    assert sorted(MATRIX) == sorted(MUTANTS)
    assert len(MUTANTS) >= 15


@pytest.mark.parametrize("name", MUTANTS)
def test_killed_by_exactly_these_checks(name: str, tmp_path: Path) -> None:
    killers = failing_checks(name, tmp_path)
    assert killers, f"the mutant {name} survived"
    assert killers == MATRIX[name]


def test_what_mutants_are_made_of_is_correct(tmp_path: Path) -> None:
    subject = FunctionSubject(CORRECT, tmp_path)
    failed = [check.id for check in CHECKS if run_check(check, subject, check.id).verdict is StoreVerdict.FAIL]
    assert failed == []


def test_races_kill_a_store_that_checks_without_lock(tmp_path: Path) -> None:
    subject = mutant("checks_without_lock", tmp_path)
    verdicts = {check.id: run_check(check, subject, check.id).verdict for check in CHECKS if check.id in RACES}
    assert verdicts["race-unique"] is StoreVerdict.FAIL
    assert verdicts["race-lost-update"] is StoreVerdict.FAIL


@pytest.mark.parametrize("check", RACING)
def test_a_race_kills_the_store_that_is_made_for_it(check: str, tmp_path: Path) -> None:
    subject = FunctionSubject(RACING[check], tmp_path)
    assert run_check(BY_ID[check], subject, check).verdict is StoreVerdict.FAIL


@pytest.mark.parametrize("sin", ["none", *SINS])
def test_what_is_opened_wrongly_is_killed(sin: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "site", monkeypatch, "wrong = stores.suite.mutants.opened:SCHEME")
    subject = UrlSubject.of(f"wrong:?sin={sin}", tmp_path / "db")
    subject.folder.mkdir()
    ids = {id_ for _, id_ in SINS.values()}
    failed = {id_ for id_ in ids if run_check(BY_ID[id_], subject, id_).verdict is StoreVerdict.FAIL}
    assert failed == ({SINS[sin][1]} if sin in SINS else set())


def test_a_store_that_loses_its_lock_when_it_compacts_is_killed(tmp_path: Path) -> None:
    class Unlocked(SqliteStore):
        def compact(self) -> None:
            super().compact()
            beside(self.path, LOCK).unlink()

    def opener(path: Path) -> Store:
        return Unlocked(path, ProtobufCodec(), Durability.RELAXED)

    subject = FunctionSubject(opener, tmp_path)
    (check,) = (check for check in CHECKS if check.id == "compact-keeps-lock")
    result = run_check(check, subject, check.id)
    assert result.verdict is StoreVerdict.FAIL
    assert "wanted StoreLocked" in result.reason


@pytest.mark.parametrize("name", QUICK)
def test_agreement_finds_mutants_in_few_steps(name: str, tmp_path: Path) -> None:
    _find(name, tmp_path)


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", [name for name in MUTANTS if name not in INVISIBLE_TO_AGREEMENT and name not in QUICK])
def test_agreement_finds_all_others_too(name: str, tmp_path: Path) -> None:
    _find(name, tmp_path)


def _find(name: str, folder: Path) -> None:
    found = check_agreement(mutant(name, folder), examples=400)
    assert found, f"the mutant {name} agrees with the memory store"
    *steps, problem = found
    assert len(steps) <= 6, f"{steps}: {problem}"


def failing_checks(name: str, folder: Path) -> list[str]:
    """Return the ids of the checks that a mutant fails, without the races: those depend on the scheduler."""
    subject = mutant(name, folder)
    return [
        check.id
        for check in CHECKS
        if check.id not in RACES
        and not check.id.startswith(FOR_GENERATED)
        and run_check(check, subject, check.id).verdict is StoreVerdict.FAIL
    ]
