"""No file descriptor left: each engine says so, loses nothing, and goes on when there are some again."""

from __future__ import annotations

from pathlib import Path

import pytest

from stores.registry import SCHEMES, unavailable
from stores.suite.few_descriptors import WRITES, exhaust

ENGINES = [scheme.name for scheme in SCHEMES if scheme.options and unavailable(scheme) is None]
NEED_NONE = {"sqlite", "lmdb"}
"""They have all files open that they ever write."""


@pytest.mark.timeout(150)
@pytest.mark.parametrize(
    "engine",
    [name if name in {"leveldb", "badger"} else pytest.param(name, marks=pytest.mark.full) for name in ENGINES],
)
def test_without_descriptors_nothing_is_lost(engine: str, tmp_path: Path) -> None:
    done = exhaust(engine, tmp_path)
    assert done.other_opened_with.startswith("StoreUnavailable: ")
    assert "ulimit -n" in done.other_opened_with
    if engine in NEED_NONE:
        assert (done.acknowledged, done.refused_with) == (WRITES, "")
    else:
        assert 0 < done.acknowledged < WRITES
        assert done.refused_with.startswith("StoreUnavailable: ")
        assert "oo many open files" in done.refused_with
        assert "\n" not in done.refused_with
        assert done.not_recovered_with.startswith("StoreUnavailable: ")
    assert done.recovered_with == ""
    assert done.lost == []
    assert done.count - done.acknowledged in {1, 2}, "the refused batch is there whole or not at all"
