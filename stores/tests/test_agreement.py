"""Each engine agrees with the memory store, whatever is done to both."""

from __future__ import annotations

from pathlib import Path

import pytest

from stores.registry import SCHEMES, unavailable
from stores.suite.agreement import check_agreement
from stores.suite.mutants import CORRECT
from stores.suite.subject import FunctionSubject, UrlSubject

URLS = [f"{scheme.name}:?durability=relaxed" for scheme in SCHEMES if scheme.options and unavailable(scheme) is None]


def test_key_value_layout_agrees(tmp_path: Path) -> None:
    assert check_agreement(FunctionSubject(CORRECT, tmp_path), examples=25) == []


@pytest.mark.parametrize("subject", URLS, indirect=True)
def test_engines_agree(subject: UrlSubject) -> None:
    assert check_agreement(subject, examples=6, steps_max=8) == []


@pytest.mark.full
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("subject", [*URLS, "sqlite:?codec=json", "lmdb:?codec=json-orjson"], indirect=True)
def test_engines_agree_at_length(subject: UrlSubject) -> None:
    assert check_agreement(subject, examples=300) == []
