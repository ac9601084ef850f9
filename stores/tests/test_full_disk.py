"""A disk that is really full: each engine says so, loses nothing, and goes on when there is room again."""

from __future__ import annotations

from pathlib import Path

import pytest

from stores.registry import SCHEMES, unavailable
from stores.suite.full_disk import SMALL_MIB, fill, namespaces_work

ENGINES = [scheme.name for scheme in SCHEMES if scheme.options and unavailable(scheme) is None]
RESERVED_MIB = {"badger": 200}
"""Badger maps its files: it keeps space in reserve, and refuses before the disk is full."""


@pytest.mark.timeout(150)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_full_disk_is_told_and_loses_nothing(engine: str, tmp_path: Path) -> None:
    if not namespaces_work(tmp_path):
        pytest.skip("this user may not mount a file system of his own here")
    filled = fill(engine, tmp_path, SMALL_MIB + RESERVED_MIB.get(engine, 0))
    assert filled.acknowledged > 100
    assert filled.refused_with.startswith("StoreUnavailable: "), filled
    assert filled.refused_again_with.startswith("StoreUnavailable: "), filled
    assert filled.not_recovered_with.startswith("StoreUnavailable: "), filled
    assert filled.recovered_with == ""
    assert filled.lost == []
    assert filled.count - filled.acknowledged in {2, 3}, "the refused batch is there whole or not at all"
    assert filled.goes_on
