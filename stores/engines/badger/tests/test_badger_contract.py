"""BadgerDB keeps the store contract: the same checks as every store."""

from __future__ import annotations

from pathlib import Path

import pytest

from stores.codecs import CODECS
from stores.suite.check import Check, Verdict, run_check
from stores.suite.checks import CHECKS
from stores.suite.subject import UrlSubject

pytestmark = pytest.mark.usefixtures("library")


def check(url: str, one: Check, folder: Path) -> None:
    result = run_check(one, UrlSubject.of(url, folder), one.id)
    assert result.verdict is not Verdict.FAIL, f"{one.sentence}\n{result.reason}"


@pytest.mark.parametrize("one", CHECKS, ids=lambda one: str(one.id))
@pytest.mark.parametrize("mode", ["durable", "relaxed"])
def test_contract(mode: str, one: Check, tmp_path: Path) -> None:
    check(f"badger:?codec=protobuf&durability={mode}", one, tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("one", CHECKS, ids=lambda one: str(one.id))
@pytest.mark.parametrize("codec", [name for name in CODECS if name != "protobuf"])
def test_contract_with_other_codecs(codec: str, one: Check, tmp_path: Path) -> None:
    check(f"badger:?codec={codec}&durability=durable", one, tmp_path)
