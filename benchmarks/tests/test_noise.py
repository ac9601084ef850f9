"""A busy machine makes an interval wide and a verdict open, never wrong; and whole runs agree."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from benchmarks import noise, repeated
from benchmarks.claims import load_claims
from benchmarks.config import Speed, StoresConfig
from benchmarks.judge import judge
from benchmarks.noise import Noises, Quietness, widened
from benchmarks.results import Conclusion, Interval, Noise, Ratio, Raw, Results, Sample, Subject
from benchmarks.tests.test_claims import NEW, OLD, at_least, only, planted, times

SIDES = tuple(Subject(*side, "durable") for side in (OLD, NEW))


def visits(others_s: float, probes: tuple[float, float] = (80.0, 80.0), workload: str = "write") -> tuple[Noise, ...]:
    pairs = zip(SIDES, probes, strict=True)
    return tuple(Noise(workload, side, "medium", others_s, 1.0, probe) for side, probe in pairs for _ in range(4))


@pytest.mark.parametrize(
    ("seen", "verdict", "says"),
    [
        ((), Conclusion.SUPPORTED, "all of"),
        (visits(0.02), Conclusion.SUPPORTED, "all of"),
        (visits(1.0), Conclusion.INCONCLUSIVE, "the machine was busy: others took 50 % of it"),
        (
            visits(0.0, (80.0, 240.0)),
            Conclusion.INCONCLUSIVE,
            "the machine was busy: it was 3.00x as slow for one side",
        ),
        (visits(1.0, workload="read"), Conclusion.SUPPORTED, "all of"),
    ],
)
def test_a_verdict_on_times_is_open_where_the_machine_was_busy(
    seen: tuple[Noise, ...], verdict: Conclusion, says: str
) -> None:
    one = only(replace(planted(times(4.0)), noises=seen), at_least(2.0))
    assert one.verdict is verdict
    assert one.reason.startswith(says)


def test_a_far_verdict_stands_on_a_busy_machine_too() -> None:
    assert only(replace(planted(times(40.0)), noises=visits(1.0)), at_least(2.0)).verdict is Conclusion.SUPPORTED


def test_bytes_do_not_care_how_busy_the_machine_was() -> None:
    raw = planted(times(4.0))
    samples = tuple(replace(one, unit="bytes/agent") for one in raw.samples)
    quiet, busy = (only(replace(raw, samples=samples, noises=seen), at_least(2.0)) for seen in ((), visits(1.9)))
    assert quiet == busy
    assert quiet.verdict is Conclusion.SUPPORTED


def test_nobody_there_widens_nothing_and_all_taken_is_still_a_number() -> None:
    assert Noises(visits(-0.01), 2).around("write", "medium", *SIDES) == Quietness(0.0, 1.0)
    whole = Noises(visits(2.0), 2).around("write", "medium", *SIDES)
    assert whole.share == noise.SHARE_MAX
    found = widened(Ratio(2.0, Interval(1.0, 4.0, 0.95)), whole.widening)
    assert 0 < found.interval.low < found.interval.high < math.inf


def test_probes_that_only_scatter_widen_nothing() -> None:
    random = Random(3)
    seen = tuple(replace(one, probe_us=80 * math.exp(random.gauss(0, 0.3))) for _ in range(5) for one in visits(0.0))
    assert Noises(seen, 2).around("write", "medium", *SIDES).unevenness < 1.1


def test_what_others_take_is_what_is_not_our_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stat = tmp_path / "stat"

    def ticks(used: int) -> None:
        stat.write_text(f"cpu  {used} 0 0 999 0 0 0 0 0 0\nintr 1\n")

    monkeypatch.setattr(noise, "_STAT", stat)
    own: Iterator[float] = iter([3.0, 3.4])
    monkeypatch.setattr(noise, "_own_s", lambda child: next(own))
    ticks(500)
    with noise.watched(lambda: None) as seen:
        ticks(600)
    assert seen.others_s == pytest.approx(100 / noise._TICKS_S - 0.4)
    assert seen.probe_us > 0
    assert seen.seconds > 0


def test_a_probe_of_this_machine_counts_its_own_work() -> None:
    before = noise._own_s(None)
    noise.probe_us()
    assert noise._own_s(None) > before
    assert noise._used_by_s(2**22 + 1) == 0.0, "a process that isn't there"


def a_run(true: float, seed: int) -> Raw:
    """A run of both sides of the native claims: the candidate takes a `true`-th."""
    random = Random(seed)
    claim = next(one for one in load_claims() if one.id == "write-speed" and one.language == "go")
    raw = planted(times(true))
    samples = [
        Sample("write", "write", "us", side, "medium", build, 0, (cost * math.exp(random.gauss(0, 0.02)),))
        for side, cost in zip(claim.subjects("relaxed"), (true, 1.0), strict=True)
        for build in range(5)
    ]
    subjects = claim.subjects("relaxed")
    return replace(raw, samples=tuple(samples), configuration=replace(raw.configuration, subjects=subjects))


def test_a_cell_that_turns_around_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def run_stores(config: StoresConfig) -> Results:
        assert not config.proven
        raw = a_run(20.0 if config.seed % 2 else 2.0, config.seed)
        return Results(raw, judge(raw))

    monkeypatch.setattr(repeated, "run_stores", run_stores)
    cells: dict[str, repeated.Cell] = {}
    repeated.repeat(StoresConfig(tmp_path, Speed.QUICK), 4, cells)
    cell = cells["write-speed/relaxed/medium"]
    assert cell.turned_around
    assert cell.in_words().startswith("2 supported, 2 contradicted; quiet ")
    assert "middle held 2 of 2; loaded 2.0" in cell.in_words(), "quiet runs hold their own, loaded ones were far away"
    assert cell.in_words().endswith("middle held 0 of 2")
    assert not cells["read-speed/relaxed/medium"].turned_around


@pytest.mark.full
def test_twenty_runs_half_of_them_under_load_never_turn_around(tmp_path: Path) -> None:
    config = StoresConfig(tmp_path, Speed.QUICK, payloads=("medium",), durabilities=("relaxed",))
    cells: dict[str, repeated.Cell] = {}
    repeated.repeat(config, 20, cells)
    assert [name for name, cell in cells.items() if cell.turned_around] == []
    assert any(one is not Conclusion.INCONCLUSIVE for cell in cells.values() for one in cell.verdicts)
