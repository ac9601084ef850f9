"""The stores that the tests run over."""

from __future__ import annotations

from pathlib import Path

import pytest

from stores.suite.subject import UrlSubject


@pytest.fixture
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> UrlSubject:
    """The store of the URL that the test is parametrized with (indirect)."""
    return UrlSubject.of(request.param, tmp_path)
