"""BadgerDB keeps the store contract in relaxed mode, and in its long form with every codec and mode.

The short form of durable mode is the suite's own, which takes every store that is available.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from stores.codecs import CODECS
from stores.suite.check import StoreCheck, StoreVerdict, run_check
from stores.suite.checks import CHECKS
from stores.suite.subject import UrlSubject

pytestmark = pytest.mark.usefixtures("library")


def check(url: str, one: StoreCheck, folder: Path) -> None:
    result = run_check(one, UrlSubject.of(url, folder), one.id)
    assert result.verdict is not StoreVerdict.FAIL, f"{one.sentence}\n{result.reason}"


@pytest.mark.parametrize("one", CHECKS, ids=lambda one: str(one.id))
def test_contract(one: StoreCheck, tmp_path: Path) -> None:
    check("badger:?codec=protobuf&durability=relaxed", one, tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("one", CHECKS, ids=lambda one: str(one.id))
@pytest.mark.parametrize("codec", CODECS)
def test_contract_with_every_codec_in_durable_mode(codec: str, one: StoreCheck, tmp_path: Path) -> None:
    check(f"badger:?codec={codec}&durability=durable", one, tmp_path)
