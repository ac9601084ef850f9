"""Ratios in the words of their claims."""

from __future__ import annotations

import pytest

from reports.numbers import between, claimed, in_form


@pytest.mark.parametrize(
    ("form", "value", "said"),
    [
        ("times", 12.34, "12.3x"),
        ("saving", 2.0, "50 % smaller"),
        ("saving", 0.8, "25 % larger"),
        ("growth", 1 / 1.5, "1.5x"),
        ("share", 0.574, "57 %"),
    ],
)
def test_a_ratio_is_said_as_its_claim_is(form: str, value: float, said: str) -> None:
    assert in_form(form, value) == said


def test_the_smaller_figure_is_said_first() -> None:
    assert between("growth", 1 / 1.4, 1 / 1.1) == "1.1x to 1.4x"
    assert between("share", 0.5, 0.6) == "50 to 60 %"
    assert between("saving", 0.8, 0.9) == "11 to 25 % larger"


def test_a_bound_of_growth_is_its_most() -> None:
    assert claimed("growth", 1 / 1.3, None) == "at most 1.3x"
    assert claimed("share", 0.95, None) == "at least 95 %"
