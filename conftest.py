"""Settings of the test run that every room shares."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests import postgresql

# How long an example takes depends on what else the machine does; a slow one is no failure. Nothing hangs all the
# same: each test has a timeout.
settings.register_profile("parity", deadline=None)
settings.load_profile("parity")


@pytest.fixture(scope="session")
def cluster() -> Iterator[postgresql.Cluster]:
    """A PostgreSQL of the test session's own; tests that ask for it are skipped where none can be had."""
    reason = postgresql.missing()
    if reason:
        pytest.skip(reason)
    with postgresql.cluster() as made:
        yield made


@pytest.fixture
def url(cluster: postgresql.Cluster, tmp_path: Path) -> Iterator[str]:
    """The store URL of a database in that PostgreSQL, in a schema of the test's own."""
    from stores.suite.subject import UrlSubject  # noqa: PLC0415 - most tests do without

    subject = UrlSubject.of(cluster.url, tmp_path)
    subject.opened.add(subject.url_of("db"))
    yield subject.url_of("db")
    subject.remove()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let tests of agents that are made up be run over real ones too."""
    parser.addoption("--corpus", metavar="FILE", help="a corpus of agents (JSON lines) instead of generated ones")
