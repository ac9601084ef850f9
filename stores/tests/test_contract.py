"""Every engine x codec x mode keeps the contract."""

from __future__ import annotations

import pytest

from stores.codecs import CODECS
from stores.registry import SCHEMES, Scheme, unavailable
from stores.suite.check import StoreCheck, StoreVerdict, run_check
from stores.suite.checks import CHECKS
from stores.suite.subject import UrlSubject

ENGINES = [scheme.name for scheme in SCHEMES if scheme.options and unavailable(scheme) is None]
MAIN = ["memory:", *[f"{engine}:" for engine in ENGINES]]
"""Each engine with its defaults: all checks."""
COMBINATIONS = [
    f"{engine}:?codec={codec}&durability={mode}"
    for engine in ENGINES
    for codec in CODECS
    for mode in ("durable", "relaxed")
]
TOUCHED_BY_CODEC_AND_MODE = [
    check
    for check in CHECKS
    if (check.id.startswith("value-") and check.id not in {"value-large", "value-long-ids", "value-long-keys"})
    or check.id in {"resource-put-get", "batch-nothing", "group-independent", "reopen-keeps"}
]


@pytest.mark.parametrize("name", ["memory", "leveldb", "sqlite"])
def test_every_driver_is_there(name: str) -> None:
    """A missing driver must not pass as green: these are installed with the project."""
    assert name == "memory" or name in ENGINES


def test_ids_are_unique() -> None:
    ids = [check.id for check in CHECKS]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: str(check.id))
@pytest.mark.parametrize("subject", MAIN, indirect=True)
def test_contract(subject: UrlSubject, check: StoreCheck) -> None:
    _judge(subject, check)


@pytest.mark.parametrize("subject", COMBINATIONS, indirect=True)
def test_codecs_and_modes(subject: UrlSubject) -> None:
    for check in TOUCHED_BY_CODEC_AND_MODE:
        _judge(subject, check)


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("subject", COMBINATIONS, indirect=True)
def test_all_checks_of_all_combinations(subject: UrlSubject) -> None:
    for check in CHECKS:
        _judge(subject, check)


def _judge(subject: UrlSubject, check: StoreCheck) -> None:
    result = run_check(check, subject, check.id)
    assert result.verdict is not StoreVerdict.FAIL, f"{check.id}: {check.sentence}\n{result.reason}"


def test_scheme_rows_are_complete() -> None:
    for scheme in SCHEMES:
        assert isinstance(scheme, Scheme)
        assert scheme.summary
        assert scheme.driver is None or scheme.install
