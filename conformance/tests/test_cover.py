"""The smallest set of causes: exact where few are possible, cheap where many are, and silent where nothing fits."""

from __future__ import annotations

import random
from itertools import combinations

import pytest

from conformance.cover import EXACT_MAX, UNEXPLAINED, Candidate, smallest_cover


def candidate(name: str, explains: str, price: float = 1.0) -> Candidate:
    return Candidate(name, frozenset(explains), price)


def names(rows: list[Candidate]) -> list[str]:
    return [one.name for one in smallest_cover(rows)]


def test_one_cause_for_all_is_believed_before_one_for_each() -> None:
    assert names([candidate("a", "x"), candidate("b", "y"), candidate("both", "xy")]) == ["both"]


def test_what_many_of_its_requirements_speak_against_is_not_believed() -> None:
    assert names([candidate("dear", "xy", 1.0 + 5.0), candidate("a", "x"), candidate("b", "y")]) == ["a", "b"]


def test_what_costs_more_than_it_explains_is_left_unexplained() -> None:
    assert names([candidate("dear", "x", UNEXPLAINED)]) == []


def test_two_causes_that_together_fit_beat_three_of_which_the_greedy_way_takes_the_largest() -> None:
    rows = [candidate("left", "abc"), candidate("right", "def"), candidate("largest", "bcde")]
    assert names(rows) == ["left", "right"]


def cost(rows: tuple[Candidate, ...], failing: frozenset[str]) -> float:
    explained = frozenset[str]().union(*(one.explains for one in rows))
    return sum(one.price for one in rows) + UNEXPLAINED * len(failing - explained)


@pytest.mark.parametrize("seed", range(20))
def test_many_candidates_cost_at_most_an_eighth_more_than_the_best_there_is(seed: int) -> None:
    random_ = random.Random(seed)
    failing = frozenset("abcdefghij")
    rows = [
        Candidate(str(n), frozenset(random_.sample(sorted(failing), random_.randint(1, 4))), 1 + random_.random())
        for n in range(EXACT_MAX + 4)
    ]
    best = min(cost(some, failing) for size in range(6) for some in combinations(rows, size))
    assert cost(smallest_cover(rows), failing) <= best * 1.125
