"""Comparing servers: mixes, objectives, what is made of loads, and growth that takes too long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from benchmarks.config import ConfigError
from benchmarks.server import calls
from benchmarks.server.operations import PATHS
from benchmarks.server.processes import Credentials, reference
from benchmarks.targets import measure, runner
from benchmarks.targets.config import Address, Target, TargetsConfig, TargetSizes
from benchmarks.targets.mixes import BY_NAME, MIXES, Mix, draw
from benchmarks.targets.objective import highest_rate, parse_objective
from benchmarks.targets.tables import growth_table, latencies_table, rates_table
from benchmarks.targets.traffic import Stock, judges_of, traffic_of
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent

TINY = TargetSizes(
    visits=2, turns=1, turn_ms=300, warmup_ms=5, loaded=20, open_ms=400, probe_ms=100, growth_calls=2, growth_s=30
)


def stored(number: int) -> Agent:
    agent = calls.agent_to_create(1, "small")
    agent.metadata.id, agent.metadata.slug, agent.metadata.name = f"agt-{number}", f"slug-{number}", f"a{number}"
    agent.status.default_instance_id = f"ain-{number}"
    return agent


# ---- mixes


@pytest.mark.parametrize("mix", MIXES, ids=lambda mix: str(mix.name))
def test_every_mix_is_whole_and_can_be_sent(mix: Mix) -> None:
    assert sum(part.share for part in mix.parts) == pytest.approx(1)
    stock = Stock("bench", [stored(number) for number in range(5)])
    traffic = traffic_of(mix, stock, stored(9), "p", Random(1))
    judges = judges_of(stock, "p")
    operations = {name for each in traffic for name in (each.operation, *each.then)}
    assert operations <= set(judges)
    assert operations <= set(PATHS)
    assert all(each.messages for each in traffic)


def test_a_server_without_a_list_is_asked_for_instances_instead() -> None:
    stock = Stock("bench", [stored(1)], has_list=False)
    assert "list" not in {each.operation for each in traffic_of(BY_NAME["own"], stock, stored(2), "p", Random(1))}


def test_keys_are_drawn_as_the_mix_says() -> None:
    items = list(range(100))
    even = Counter(draw(items, 20_000, BY_NAME["get"], Random(1)))
    skewed = Counter(draw(items, 20_000, BY_NAME["ycsb-a"], Random(1)))
    latest = Counter(draw(items, 20_000, BY_NAME["ycsb-d"], Random(1)))
    assert max(even.values()) < 300
    assert skewed.most_common(1)[0][1] == pytest.approx(20_000 / 5.2, rel=0.1)  # the sum of 1/n^0.99 to 100 is 5.2
    assert [key for key, _ in latest.most_common(3)] == [99, 98, 97]


def test_answers_are_held_against_what_was_made() -> None:
    stock = Stock("bench", [stored(1)])
    judges = judges_of(stock, "new")
    right, other = stored(1), stored(1)
    right.spec.instructions = "Changed by a load."
    other.metadata.org = "elsewhere"
    assert judges["get"](right.SerializeToString())
    assert judges["update"](right.SerializeToString())
    assert not judges["update"](stored(1).SerializeToString())
    assert not judges["get"](other.SerializeToString())
    assert not judges["get"](stored(2).SerializeToString())
    assert not judges["list"](b"")


# ---- objectives


def test_an_objective_is_a_percentile_and_a_time() -> None:
    assert parse_objective("p99.9=1.5s").within_us == 1_500_000
    assert parse_objective("p50=20ms").percentile == 50
    for wrong in ("p99", "99=50ms", "p99=50", "p0=5ms", "p100=1ms", "p99=-1ms"):
        with pytest.raises(ConfigError, match="p99=50ms"):
            parse_objective(wrong)


@pytest.mark.parametrize("capacity", [51.0, 733.0, 12_345.0])
def test_the_search_finds_the_rate_that_still_holds(capacity: float) -> None:
    found = highest_rate(lambda rate: rate <= capacity)
    assert found is not None
    assert capacity / 1.1 <= found <= capacity


def test_a_rate_that_held_by_luck_is_not_the_answer() -> None:
    asked: Counter[float] = Counter()

    def holds(rate: float) -> bool:
        asked[rate] += 1
        return rate <= 500 or (rate <= 900 and asked[rate] == 1)

    found = highest_rate(holds)
    assert found is not None
    assert found <= 500
    assert highest_rate(lambda rate: False) is None


# ---- a whole comparison


def target(name: str, folder: Path) -> Target:
    @contextmanager
    def opened() -> Iterator[Address]:
        with reference("memory:", "oss", Credentials(Path(), {}), folder / f"{name}.log") as running:
            yield Address(running.address, process=running.pid)

    return Target(name, "the reference", opened)


def test_two_servers_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.server.runner.HEADROOM_MIN", 0.0)  # the machine may be busy
    config = TargetsConfig(
        tmp_path, (target("a", tmp_path), target("b", tmp_path)), mixes=("crud",), rates=(50.0,), growth=(), sizes=TINY
    )
    results = runner.run_targets(config)
    assert results.raw.blanks == ()
    assert [(one.metric, one.change) for one in results.judgement.factors] == [("crud", "a to b")]
    assert rates_table(results).row_count == 1
    latencies = latencies_table(results)
    assert latencies.row_count == 2
    told = {str(column.header): list(column.cells) for column in latencies.columns}
    assert all(told["p50"])
    assert told["p99.9"] == ["", ""]  # of some 20 calls


@pytest.mark.full
def test_a_comparison_has_growth_and_an_objective(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = TargetsConfig(
        tmp_path, (target("a", tmp_path), target("b", tmp_path)), mixes=("get", "own"), growth=(3, 6), sizes=TINY,
        objective=parse_objective("p50=10s"),
    )  # fmt: skip
    monkeypatch.setattr(measure, "highest_rate", lambda holds: 75.0 if holds(50.0) else None)
    results = runner.run_targets(config)
    metrics = {one.metric for one in results.judgement.summaries}
    assert {"get", "own", "own_within_p50=10s", "growth_create", "growth_list"} <= metrics
    assert growth_table(results).row_count == 10


def test_wrong_answers_and_slow_growth_leave_blanks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = TargetSizes(2, 1, 300, 5, 20, 100, 100, 2, 0)
    monkeypatch.setattr("benchmarks.targets.traffic.calls.has_default_instance", lambda agents: lambda data: False)
    config = TargetsConfig(tmp_path, (target("a", tmp_path),), mixes=("get_by_agent",), growth=(5_000,), sizes=sizes)
    results = runner.run_targets(config)
    reasons = {one.workload: one.reason for one in results.raw.blanks}
    assert "sampled answers are not right" in reasons["get_by_agent"]
    assert "took too long" in reasons["growth"]
    assert not [one for one in results.raw.samples if one.metric == "get_by_agent"]


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    one = target("a", tmp_path)
    with pytest.raises(ConfigError, match="no such mix: gett; there are get"):
        TargetsConfig(tmp_path, (one,), mixes=("gett",))
    with pytest.raises(ConfigError, match="one name"):
        TargetsConfig(tmp_path, (one, one))
    with pytest.raises(ConfigError, match="above zero"):
        TargetsConfig(tmp_path, (one,), rates=(0.0,))
    with pytest.raises(ConfigError, match="must grow"):
        TargetsConfig(tmp_path, (one,), growth=(10, 5))
