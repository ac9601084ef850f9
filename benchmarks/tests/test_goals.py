"""The goals of the server: planted rates come out as planted, and wrong answers have no number."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.claims import in_words, stated_in_words
from benchmarks.config import ConfigError, Speed
from benchmarks.results import (
    Blank,
    ClaimVerdict,
    Conclusion,
    Configuration,
    Environment,
    FsyncCost,
    PayloadClass,
    PayloadSource,
    Raw,
    Sample,
    Subject,
)
from benchmarks.server.calls import (
    WrongAnswers,
    agent_to_create,
    has_bytes,
    has_default_instance,
    is_created,
    is_one_of,
    require_right,
)
from benchmarks.server.config import ServerConfig
from benchmarks.server.goals import GOALS, GROWING, SCENARIOS, Scenario, agents_label, judge_goals
from benchmarks.server.load import LoadReport, OperationReport
from benchmarks.server.measure import steps_of
from benchmarks.server.operations import renamed
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agentinstance.v1.io_pb2 import AgentInstanceList

SIZES = (100, 10_000)


def planted(shares: dict[tuple[str, str, str], float], growth: float = 1.1, **changes: object) -> Raw:
    """A run in which each scenario takes the echo's time over its share, and growing multiplies time by `growth`."""
    samples: list[Sample] = []
    for scenario in (*SCENARIOS, Scenario("create_64", "oss", "relaxed", 64)):
        echo, fixed = (Subject(name, "", scenario.durability, scenario.profile) for name in ("echo", "fixed"))
        server = Subject("leveldb", "protobuf", scenario.durability, scenario.profile)
        share = shares.get((scenario.metric, scenario.profile, scenario.durability), 0.5)
        for build in range(4):
            cost = 200.0 + build
            samples.append(Sample(scenario.metric, scenario.metric, "us", echo, "medium", build, 0, (cost,)))
            samples.append(Sample(scenario.metric, scenario.metric, "us", fixed, "medium", build, 0, (cost * 0.9,)))
            samples.append(Sample(scenario.metric, scenario.metric, "us", server, "medium", build, 0, (cost / share,)))
    subject = Subject("leveldb", "protobuf", "relaxed", "oss")
    for operation in GROWING:
        for size, cost in zip(SIZES, (100.0, 100.0 * growth), strict=True):
            name = f"growth_{operation}"
            samples += [Sample(name, name, "us", subject, agents_label(size), build, 0, (cost,)) for build in range(4)]
    source = PayloadSource("synthetic", "", 1, 1, 0, (), (PayloadClass("medium", 1, 1, 1, 1),))
    configuration = Configuration("server", "quick", 1, "parity bench server", (), (), source, {})
    environment = Environment("now", "cpu", 2, 1, "Linux", "3", "/", "ext4", FsyncCost(150, 200, 9), 0.0, {})
    return Raw(environment, configuration, tuple(samples), **changes)  # type: ignore[arg-type]  # fields of Raw


def verdicts(raw: Raw) -> dict[tuple[str, str], ClaimVerdict]:
    return {(one.claim, one.durability): one for one in judge_goals(raw, "leveldb", "protobuf", SIZES)}


def test_shares_are_judged_against_their_goals() -> None:
    found = verdicts(planted({("get", "oss", "relaxed"): 0.97, ("create", "cloud", "durable"): 0.2}))
    get = found["get-oss", "relaxed"]
    assert get.verdict is Conclusion.SUPPORTED
    assert get.ratio is not None
    assert get.ratio.value == pytest.approx(0.97)
    assert (stated_in_words(get), in_words("share", 0.97)) == ("at least 95 %", "97 %")
    fixed = found["get-oss-fixed", "relaxed"]
    assert fixed.ratio is not None
    assert fixed.ratio.value == pytest.approx(0.97 * 0.9)
    assert found["create-cloud", "durable"].verdict is Conclusion.CONTRADICTED
    assert found["create-cloud", "durable"].reason == "all of 20 % to 20 % lies below 28 %"
    assert {(goal.id, goal.durability) for goal in GOALS} <= set(found)


def test_the_price_of_durability_is_taken_between_the_modes_on_purpose() -> None:
    found = verdicts(planted({("create_64", "oss", "durable"): 0.4, ("create_64", "oss", "relaxed"): 0.5}))
    group = found["group-commit", "durable"]
    assert (group.baseline.durability, group.candidate.durability) == ("relaxed", "durable")
    assert group.ratio is not None
    assert group.ratio.value == pytest.approx(0.8)
    assert group.verdict is Conclusion.SUPPORTED


@pytest.mark.parametrize(("growth", "expected"), [(1.1, Conclusion.SUPPORTED), (1.5, Conclusion.CONTRADICTED)])
def test_growth_is_judged_from_the_fewest_to_the_most(growth: float, expected: Conclusion) -> None:
    one = verdicts(planted({}, growth))["growth-get-by-agent", "relaxed"]
    assert one.verdict is expected
    assert one.payload == "100 agents to 10,000 agents"
    assert stated_in_words(one) == "at most 1.3x"
    assert f"{growth}x" in one.reason


@pytest.mark.parametrize(("mib", "expected"), [(171, Conclusion.SUPPORTED), (301, Conclusion.CONTRADICTED)])
def test_memory_is_judged_where_so_many_agents_were_stored(mib: int, expected: Conclusion) -> None:
    raw, server = planted({}), Subject("leveldb", "protobuf", "relaxed", "oss")
    assert ("memory", "relaxed") not in verdicts(raw)
    peaks = tuple(
        Sample("server_memory_peak", "server_memory_peak", "KiB", server, "100,000 agents", build, 0, (mib * 1024.0,))
        for build in range(2)
    )
    found = verdicts(replace(raw, samples=(*raw.samples, *peaks)))["memory", "relaxed"]
    assert found.verdict is expected
    assert stated_in_words(found) == "at most 1x"


def test_wrong_answers_have_no_number() -> None:
    blank = Blank("create", Subject("leveldb", "protobuf", "durable", "oss"), "medium", "answered INTERNAL 3 times")
    found = verdicts(planted({}, blanks=(blank,)))
    assert found["create-oss", "durable"].verdict is Conclusion.NOT_MEASURED
    assert found["create-oss", "durable"].reason == "answered INTERNAL 3 times"
    assert found["create-oss", "relaxed"].verdict is Conclusion.SUPPORTED


# ---- answers


def report(body: bytes, statuses: dict[int, int]) -> LoadReport:
    answers = OperationReport(1, statuses, samples=[base64.b64encode(body).decode()])
    return LoadReport({"create": answers}, 1.0, 0.1)


def created(name: str = "load-1-1") -> Agent:
    agent = agent_to_create(3, "small")
    agent.metadata.name = name
    agent.metadata.id = "agt-1"
    agent.status.default_instance_id = "ain-1"
    return agent


def test_errors_of_grpc_are_no_answers() -> None:
    right = created().SerializeToString()
    require_right(report(right, {0: 1}), {"create": is_created("load-1")}, "create")
    with pytest.raises(WrongAnswers, match="answered without status \\(-1\\) 1 times, ALREADY_EXISTS 2 times"):
        require_right(report(right, {0: 1, 6: 2, -1: 1}), {"create": is_created("load-1")}, "create")


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff\xff", created("someone-else").SerializeToString(), agent_to_create(3, "small").SerializeToString()],
)
def test_a_create_that_did_not_create_is_found_out(body: bytes) -> None:
    with pytest.raises(WrongAnswers, match="1 of 1 sampled answers are not right"):
        require_right(report(body, {0: 1}), {"create": is_created("load-1")}, "create")


def test_no_answer_at_all_is_said() -> None:
    with pytest.raises(WrongAnswers, match="not answered in time"):
        require_right(LoadReport(), {"create": is_created("x")}, "create")


def test_reads_must_give_exactly_what_was_stored() -> None:
    agent, other = created(), created()
    other.spec.instructions += "!"
    assert is_one_of([agent])(agent.SerializeToString())
    assert not is_one_of([agent])(other.SerializeToString())
    instances = AgentInstanceList()
    assert not has_default_instance([agent])(instances.SerializeToString())
    instances.items.add().metadata.id = "ain-1"
    assert has_default_instance([agent])(instances.SerializeToString())
    assert [has_bytes(10)(b"x" * size) for size in (9, 10, 74, 75)] == [False, True, True, False]


def test_the_message_is_valid_and_loads_can_rename_it() -> None:
    message = agent_to_create(3, "medium")
    assert message.metadata.org == "bench"
    assert not message.metadata.slug
    assert Agent.FromString(renamed(message.SerializeToString(), "load-1-2-3")).metadata.name == "load-1-2-3"


def test_numbers_of_agents_must_grow() -> None:
    with pytest.raises(ConfigError, match="must grow"):
        ServerConfig(Path(), growth=(100, 10))
    config = ServerConfig(Path(), Speed.QUICK, growth=())
    assert len(list(steps_of(config))) == config.counts.builds * (len(SCENARIOS) * config.counts.rounds + 2)
    assert config.command == "parity bench server --quick --seed 1 --engine leveldb --codec protobuf"
