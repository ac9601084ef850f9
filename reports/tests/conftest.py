"""One set of benchmark results for all tests of this room: its intervals take a second to compute."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.results import Results
from reports.tests import sample


@pytest.fixture(scope="session")
def results() -> Results:
    return sample.results()


@pytest.fixture(scope="session")
def red_run(results: Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run in which one server has a result of every bad kind. Tests read it and leave it as it is."""
    return sample.write_whole(tmp_path_factory.mktemp("runs") / "red", results, red=True)


@pytest.fixture(scope="session")
def green_run(results: Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sample.write_whole(tmp_path_factory.mktemp("runs") / "green", results, red=False)


@pytest.fixture(scope="session")
def hostile_run(results: Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run in which all that a server or a payload may choose is an attack on the reader."""
    return sample.write_whole(tmp_path_factory.mktemp("runs") / "hostile", results, red=True, hostile=True)
