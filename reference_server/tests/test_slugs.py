from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_server.identity import slug_of


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("My Cool Agent", "my-cool-agent"),
        ("  spaced  out  ", "spaced-out"),
        ("a_b.c/d", "abcd"),
        ("--a--b--", "a-b"),
        ("Ünïcode Ägent 7", "ncode-gent-7"),
        ("tab\tand\nline", "tab-and-line"),
        ("智能体", ""),
        ("", ""),
        ("- - -", ""),
        ("a" * 500, "a" * 500),
    ],
)
def test_examples(name: str, slug: str) -> None:
    assert slug_of(name) == slug


@given(st.text())
def test_every_slug_is_clean_and_stays_as_it_is(name: str) -> None:
    slug = slug_of(name)
    assert re.fullmatch(r"([a-z0-9]+(-[a-z0-9]+)*)?", slug)
    assert slug_of(slug) == slug


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_ascii_names_are_treated_as_all_others(name: str) -> None:
    marked = slug_of(name + "é")  # a letter that is dropped, and takes the name another way
    assert slug_of(name) == marked
