"""Every engine x codec x mode keeps the contract."""

from __future__ import annotations

import pytest

from stores.codecs import CODECS
from stores.registry import SCHEMES, Scheme, unavailable
from stores.suite.check import Check, Verdict, run_check
from stores.suite.checks import CHECKS
from stores.suite.subject import UrlSubject

ENGINES = [scheme for scheme in SCHEMES if scheme.options]
URLS = [
    "memory:",
    *[
        f"{scheme.name}:?codec={codec}&durability={mode}"
        for scheme in ENGINES
        for codec in CODECS
        for mode in ("durable", "relaxed")
    ],
]


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: str(scheme.name))
def test_every_driver_is_there(scheme: Scheme) -> None:
    """A missing driver must not pass as green: here all of them are installed."""
    assert unavailable(scheme) is None


def test_ids_are_unique() -> None:
    ids = [check.id for check in CHECKS]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: str(check.id))
@pytest.mark.parametrize("subject", URLS, indirect=True)
def test_contract(subject: UrlSubject, check: Check) -> None:
    result = run_check(check, subject, check.id)
    assert result.verdict is not Verdict.FAIL, f"{check.sentence}\n{result.reason}"
