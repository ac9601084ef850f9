"""The nemesis is judged: it catches each of these wrong servers, and says of each what is wrong with it."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from conformance.nemesis.judge import NemesisReport
from conformance.nemesis.run import Plan, run_nemesis
from conformance.runner import Options
from conformance.verdict import EXIT_CONFORMANT, EXIT_NOT_CONFORMANT
from tests.mutants.hosting import CREDENTIALS, reference, token_file
from tests.wrong_replicas.sins import SINS

SECONDS = 4.0
SEEDS = 5
"""A wrong server must be caught under one of so many seeds."""


def judged(sin: str, folder: Path, seed: int) -> NemesisReport:
    tokens = folder / "tokens.toml"
    tokens.write_text(token_file(), encoding="utf-8")
    command = [sys.executable, "-m", "tests.wrong_replicas", sin, "--port", "{port}", "--tokens", str(tokens)]
    command += ["--store", f"leveldb:{folder / 'db'}?durability=relaxed"]
    faults = SINS[sin].faults if sin in SINS else ("kill", "close")
    options = Options(profile="cloud", credentials=CREDENTIALS, seed=seed)
    return run_nemesis(f"cmd:{shlex.join(command)}", options, Plan(faults, SECONDS))


def caught(sin: str, folder: Path) -> None:
    for seed in range(SEEDS):
        place = folder / str(seed)
        place.mkdir()
        report = judged(sin, place, seed)
        if SINS[sin].breaks <= set(report.failing()):
            assert report.exit_code == EXIT_NOT_CONFORMANT
            return
    pytest.fail(f"{sin}: {report.failing()} instead of {sorted(SINS[sin].breaks)}: {report.figures}")


def test_a_server_that_reads_old_states_is_caught() -> None:
    with reference("cloud", fast_paths=False, around=SINS["reads-old"].store) as address:
        options = Options(profile="cloud", credentials=CREDENTIALS)
        report = run_nemesis(f"grpc://{address}", options, Plan(("close",), 1.0))
    assert "NEM-LINEAR" in report.failing()


@pytest.mark.full
@pytest.mark.parametrize("sin", SINS)
def test_every_wrong_server_is_caught(sin: str, tmp_path: Path) -> None:
    caught(sin, tmp_path)


def test_the_guide_names_every_wrong_server() -> None:
    text = (Path(__file__).parent.parent / "docs" / "guides" / "under-faults.md").read_text(encoding="utf-8")
    for name, sin in SINS.items():
        row = f"| {name} | {sin.sentence} | {', '.join(sin.faults)} | {', '.join(sorted(sin.breaks))} |"
        assert row in text, row


@pytest.mark.full
def test_the_same_server_without_a_sin_is_right(tmp_path: Path) -> None:
    assert judged("none", tmp_path, 0).exit_code == EXIT_CONFORMANT
