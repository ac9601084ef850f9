"""Each requirement as a pytest test.

    pytest -p conformance.pytest_plugin --pyargs conformance.pytest_plugin --parity-target grpc://host:port

The target is exercised once, before the first test; the tests report its verdicts. A requirement that isn't applicable
is skipped with the reason, a red one fails with its card.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.credentials import Credentials, read_credentials
from conformance.features import NOTHING_DECLARED, read_declaration
from conformance.run_context import profile_named
from conformance.runner import Options, run, select
from conformance.transcript import card
from conformance.verdict import RED, Report, Verdict

REPORT = pytest.StashKey[Report]()
_MADE = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options of the plugin."""
    group = parser.getgroup("parity", "conformance of an agent server")
    group.addoption("--parity-target", help="the server to judge: grpc://host:port, cmd:..., see the guide")
    group.addoption("--parity-profile", default="", help="cloud or oss; cloud where credentials are given, else oss")
    group.addoption("--parity-credentials", type=Path, help="TOML with [roles.NAME] token and id")
    group.addoption("--parity-declare", type=Path, help="TOML with [features] that the target claims")
    group.addoption("--parity-only", action="append", default=[], help="requirement id or pattern; may be repeated")
    group.addoption("--parity-seed", type=int, default=0)
    group.addoption("--parity-jobs", type=int, default=1)
    group.addoption("--parity-out", type=Path, help="directory for evidence.jsonl and verdicts.json")


def _options(config: pytest.Config) -> Options:
    credentials = config.getoption("--parity-credentials")
    declare = config.getoption("--parity-declare")
    return Options(
        profile=profile_named(config.getoption("--parity-profile") or ("cloud" if credentials else "oss")),
        only=tuple(config.getoption("--parity-only")),
        seed=config.getoption("--parity-seed"),
        credentials=read_credentials(credentials) if credentials else Credentials(),
        declaration=read_declaration(declare) if declare else NOTHING_DECLARED,
        jobs=config.getoption("--parity-jobs"),
    )


def _report(config: pytest.Config) -> Report:
    """Run the suite once per session."""
    if REPORT not in config.stash:
        target = config.getoption("--parity-target")
        config.stash[REPORT] = run(target, _options(config), out=config.getoption("--parity-out"))
    return config.stash[REPORT]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one test of each selected requirement."""
    # This module is plugin and test module at once, so pytest calls this twice for its test.
    if "parity_requirement" in metafunc.fixturenames and not metafunc.definition.stash.get(_MADE, False):
        metafunc.definition.stash[_MADE] = True
        if not metafunc.config.getoption("--parity-target", default=None):
            raise pytest.UsageError("--parity-target is needed: what server shall be judged?")
        ids = select(tuple(metafunc.config.getoption("--parity-only")))
        metafunc.parametrize("parity_requirement", ids)


def test_requirement(parity_requirement: str, pytestconfig: pytest.Config) -> None:
    """The verdict on one requirement."""
    report = _report(pytestconfig)
    result = report.of(parity_requirement)
    if result.verdict is Verdict.NOT_APPLICABLE:
        pytest.skip(result.reason)
    if result.verdict in RED:
        reason = f"{result.verdict}: {result.reason}\n" if result.reason else f"{result.verdict}\n"
        pytest.fail(reason + card(result, {}, report.run.target), pytrace=False)
