"""Verdicts depend on the server alone: not on seed, order, or how many checks run at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.evidence_file import read_evidence
from conformance.runner import Options, run
from conformance.verdict import EVIDENCE_FILE
from tests import stability
from tests.second_server import start

SOME = ("SLUG-*", "GET-*", "DEF-*", "DEL-*")


def order_of(folder: Path, seed: int, *, shuffle: bool) -> list[str]:
    """The checks of one run in the order in which they were exercised."""
    server = start("oss", {})
    try:
        run(f"grpc://{server.address}", Options(only=SOME, quick=True, seed=seed, shuffle=shuffle), out=folder)
    finally:
        server.stop()
    return list(read_evidence(folder / EVIDENCE_FILE).outcomes)[1:-1]


def test_the_order_is_the_seeds_where_it_is_shuffled(tmp_path: Path) -> None:
    plain, first, again, other = (
        order_of(tmp_path / name, seed, shuffle=shuffle)
        for name, seed, shuffle in (("a", 1, False), ("b", 1, True), ("c", 1, True), ("d", 2, True))
    )
    assert first == again
    assert len({tuple(one) for one in (plain, first, other)}) == 3
    assert sorted(plain) == sorted(first) == sorted(other)


@pytest.mark.full
def test_the_reference_is_right_in_another_order() -> None:
    (one,) = stability.runs(("cloud",), 1, (8,), quick=True)
    assert one.wrong() == ()
    assert one.report.summary.measured > 250


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_the_reference_is_right_with_every_seed() -> None:
    assert [str(one) for one in stability.runs(("cloud", "oss"), stability.SEEDS) if one.wrong()] == []
