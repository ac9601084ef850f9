"""The server benchmarks end to end: against the reference server, at the smallest size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.config import Speed
from benchmarks.results import Conclusion, Sample, Subject, read_results
from benchmarks.server import processes
from benchmarks.server import runner as server_runner
from benchmarks.server.config import ServerConfig, ServerSizes
from benchmarks.server.goals import GOALS, GROWING, SCENARIOS, Scenario
from benchmarks.server.processes import ServerFailed, make_credentials, started
from parity.bench_cli import app

TINY = ServerSizes(builds=2, rounds=1, turns=2, turn_ms=500, warmup_ms=50, growth_calls=5, latency_ms=500)


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with (
        pytest.raises(ServerFailed, match="the port is taken"),
        started(["python3", "-c", "import sys; sys.exit('the port is taken')"], log),
    ):
        raise AssertionError("it never started")


def test_a_server_that_says_nothing_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "START_S", 0.2)
    with pytest.raises(ServerFailed, match="it said nothing"), started(["sleep", "60"], tmp_path / "log"):
        raise AssertionError("it never started")


def test_credentials_are_for_this_user_only(tmp_path: Path) -> None:
    credentials = make_credentials(tmp_path)
    assert credentials.file.stat().st_mode & 0o077 == 0
    assert credentials.metadata["authorization"].removeprefix("Bearer ") in credentials.file.read_text()


# Starting four servers per build is for real runs.
ONE_SCENARIO: tuple[Scenario, ...] = tuple(
    one for one in SCENARIOS if (one.metric, one.profile, one.durability) == ("create", "oss", "relaxed")
)


def test_one_build_is_measured_and_said_to_be_too_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_runner, "HEADROOM_MIN", 0.0)  # the machine may be busy
    config = ServerConfig(tmp_path, Speed.QUICK, sizes=replace(TINY, builds=1), growth=(), scenarios=ONE_SCENARIO)
    results = server_runner.run_server(config)
    assert list(tmp_path.iterdir()) == []
    assert results.raw.blanks == ()
    metrics = {(one.metric, one.subject.engine) for one in results.raw.samples}
    assert {("create", "leveldb"), ("create", "echo"), ("create_headroom", "echo")} <= metrics
    assert ("create_latency_response", "leveldb") in {
        (one.metric, one.subject.engine) for one in results.raw.histograms
    }
    reasons = {one.claim: one.reason for one in results.judgement.verdicts if one.durability == "relaxed"}
    assert "at least two" in reasons["create-oss"]
    assert "no get samples" in reasons["get-cloud"]


def test_a_generator_without_headroom_makes_a_blank_not_a_number() -> None:
    subject = Subject("leveldb", "protobuf", "durable", "oss")

    def headrooms(*values: float) -> list[Sample]:
        return [
            Sample("create", "create_headroom", "times", subject, "medium", 0, place, (value,))
            for place, value in enumerate(values)
        ]

    assert list(server_runner.generator_bound(headrooms(9.0, 1.5, 3.0))) == []
    (blank,) = server_runner.generator_bound(headrooms(1.2, 1.25, 3.0))
    assert (blank.workload, blank.subject, blank.payload) == ("create", subject, "medium")
    assert "80 % of the time" in blank.reason


@pytest.mark.full
def test_goals_and_growth_are_judged_on_the_reference_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_runner, "HEADROOM_MIN", 0.0)
    config = ServerConfig(tmp_path, Speed.QUICK, sizes=TINY, growth=(3, 6), scenarios=ONE_SCENARIO)
    results = server_runner.run_server(config)
    assert results.raw.blanks == ()
    verdicts = {(one.claim, one.durability): one for one in results.judgement.verdicts}
    assert verdicts["create-oss", "relaxed"].ratio is not None
    assert verdicts["get-cloud", "relaxed"].verdict is Conclusion.NOT_MEASURED
    assert all(verdicts[f"growth-{name.replace('_', '-')}", "relaxed"].ratio for name in GROWING)
    assert "server_memory_peak" in {one.metric for one in results.raw.samples}
    assert any("headroom" in note for note in results.raw.notes)

    monkeypatch.setattr(server_runner, "run_server", lambda config, report: results)
    done = CliRunner().invoke(app, ["server", "--quick", "--out", str(tmp_path), "-v"])
    assert done.exit_code == 0, done.output
    assert all(goal.title in done.output for goal in GOALS)
    assert read_results(tmp_path) == results


def test_bad_input_is_one_line_and_exit_2(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["server", "--out", str(tmp_path), "--agents", "5", "--agents", "5"])
    assert done.exit_code == 2
    assert "must grow" in done.output
