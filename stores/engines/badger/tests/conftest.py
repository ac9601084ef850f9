"""These tests need the Go library. It is built when Go is here; without both they are skipped, and say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from stores.engines.badger.build import build, missing
from stores.go_build import find_go

BUILD_TIMEOUT_SECONDS = 900


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here) and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(BUILD_TIMEOUT_SECONDS))


@pytest.fixture(scope="session")
def library() -> None:
    """The library, built if need be."""
    reason = missing()
    if reason and find_go() is None:
        pytest.skip(f"{reason}; Go isn't on this machine")
    build()
