"""Races are decided: one that is planted in one of five heats is found every time."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.evidence import Evidence
from conformance.evidence_file import read_evidence
from conformance.racing import HEATS, heats_of, missed_with
from conformance.runner import Options, run
from conformance.verdict import EVIDENCE_FILE, Verdict
from tests.mutants.hosting import CREDENTIALS, TOKENS, identity
from tests.second_server import start

REQUIREMENT_OF = {
    "creates": "ORD-RACE",
    "applies": "APL-RACE",
    "updates": "UPD-RACE",
    "deletes": "UPD-RACE-DELETE",
}
"""Of each race that can be planted, the requirement that it breaks."""
MISSED_MAX = 1 / 1000
RUNS = 50
"""Of each race: 200 in all."""


def _raced(race: str, out: Path) -> tuple[Verdict, Evidence]:
    """Judge a server in which a race is planted by the requirement that it breaks."""
    requirement = REQUIREMENT_OF[race]
    server = start("cloud", TOKENS, identity("operator"), defects=frozenset({race}))
    try:
        options = Options(profile="cloud", credentials=CREDENTIALS, only=(requirement,), reruns=0)
        report = run(f"grpc://{server.address}", options, out=out)
    finally:
        server.stop()
    return report.of(requirement).verdict, read_evidence(out / EVIDENCE_FILE).evidence[requirement]


@pytest.mark.parametrize("race", REQUIREMENT_OF)
def test_a_race_of_one_in_five_heats_is_found(race: str, tmp_path: Path) -> None:
    verdict, evidence = _raced(race, tmp_path)
    assert verdict is Verdict.FAIL
    assert missed_with(HEATS) < MISSED_MAX
    assert evidence.fact("race_of_one_in_five_missed_with_probability") < MISSED_MAX
    assert evidence.fact("heats_released_at_once") == evidence.fact("heats") >= HEATS


def test_it_shows_in_some_of_the_heats_only(tmp_path: Path) -> None:
    _, evidence = _raced("creates", tmp_path)
    shown = [sum(row.ok for row in rows) > 1 for _, rows in heats_of(evidence)]
    assert 1 <= sum(shown) <= len(shown) / 2


@pytest.mark.full
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("race", REQUIREMENT_OF)
def test_it_is_found_every_time(race: str, tmp_path: Path) -> None:
    assert [_raced(race, tmp_path)[0] for _ in range(RUNS)] == [Verdict.FAIL] * RUNS
