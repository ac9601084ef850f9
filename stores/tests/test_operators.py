"""The generated wrong stores are killed: one of each operator here, all of them at length."""

from __future__ import annotations

from pathlib import Path

import pytest

from stores.suite.check import StoreVerdict, run_check
from stores.suite.checks import CHECKS
from stores.suite.mutants.kept import Kept, persisting
from stores.suite.mutants.operators import OPERATORS, generated
from stores.suite.subject import FunctionSubject
from stores.tests.operators import BY_ID, PAGE, UNSEEN, killer, page_of, stored
from stores.tests.searched import SEARCHED, found

MADE = generated()
ONE_OF_EACH = [next(operator.stores()).name for operator in OPERATORS]


def test_operators_reach_every_kind_and_index() -> None:
    assert len(MADE) == sum(len(operator.where) * len(operator.details) for operator in OPERATORS)
    assert len(MADE) > 500


def test_the_page_tells_of_the_stores_that_are_made_today() -> None:
    """What isn't judged yet, or is no more: `python -m stores.tests.operators [PATTERN]`."""
    kills = stored()
    assert list(kills) == list(MADE)
    assert PAGE.read_text() == page_of(kills)
    assert [name for name, by in kills.items() if not by and not MADE[name].equivalent] == []
    assert set(filter(None, kills.values())) <= set(BY_ID)


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_one_of_each_operator_is_killed_by_a_check_that_it_is_made_for(name: str, tmp_path: Path) -> None:
    assert killer(MADE[name], tmp_path) in MADE[name].operator.asked


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_all_are_killed(tmp_path: Path) -> None:
    left_open = [name for n, (name, store) in enumerate(MADE.items()) if not killer(store, tmp_path / str(n))]
    assert left_open == [name for name, store in MADE.items() if store.equivalent]


def test_what_operators_spoil_is_right(tmp_path: Path) -> None:
    subject = FunctionSubject(persisting(Kept), tmp_path)
    judged = [check for check in CHECKS if not check.id.startswith(UNSEEN)]
    assert [c.id for c in judged if run_check(c, subject, c.id).verdict is StoreVerdict.FAIL] == []


@pytest.mark.parametrize("name", SEARCHED[:2])
def test_the_search_finds_rows_that_come_back_with_any_seed(name: str, tmp_path: Path) -> None:
    """All of them with 100 seeds: `python -m stores.tests.searched`."""
    assert all(found(name, seed, tmp_path) for seed in range(4))
