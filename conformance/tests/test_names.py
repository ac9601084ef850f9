"""Names sort otherwise than they are drawn, so that a list in order of names can't be taken for one of creation."""

from __future__ import annotations

import pytest

from conformance.run_context import RunContext
from conformance.session import NAMES_PER_ATTEMPT, Session

SEEDS = range(0, 1 << 16, 97)
FOUR = 4


def _drawn(seed: int, attempt: int, count: int) -> list[str]:
    session = Session("LST-ORG", client=None, context=RunContext("r", "oss", "a", "b", seed=seed), attempt=attempt)  # type: ignore[arg-type]
    return [session.name() for _ in range(count)]


@pytest.mark.parametrize("attempt", [0, 3])
def test_no_four_names_in_a_row_sort_as_they_were_drawn_or_backwards(attempt: int) -> None:
    for seed in SEEDS:
        names = _drawn(seed, attempt, 3 * FOUR)
        for begin in range(len(names) - FOUR):
            row = names[begin : begin + FOUR]
            assert sorted(row) != row != sorted(row, reverse=True), (seed, row)


def test_no_name_is_drawn_twice() -> None:
    names = _drawn(7, 0, NAMES_PER_ATTEMPT) + _drawn(7, 1, NAMES_PER_ATTEMPT)
    assert len(set(names)) == len(names)
