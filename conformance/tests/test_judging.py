"""The pure parts that judge: the model's word on a life, the rejudge of evidence, and who is to blame."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from conformance import fuzz, samples
from conformance.address import Address
from conformance.checks import check_of
from conformance.checks.rpc import DEADLINES_MS
from conformance.evidence import Ending, Evidence, Exchange, MissingEvidence, Outcome, StoredRun
from conformance.judging import PartJudge, accepted, differences, equal
from conformance.model import Model
from conformance.rejudge import judge_run
from conformance.run_context import RunContext
from conformance.session import HarnessFault, Session
from conformance.target import Running, open_channel
from conformance.target_client import TargetClient
from conformance.verdict import RunInfo, Verdict
from protos.ai.stigmer.agentic.agent.v1.spec_pb2 import AgentSpec

RUN = RunInfo("r", "t", "oss", 0, "x", "y", {}, {}, ("SLUG-LENGTH",), "2026-06-01T00:00:00Z")


def exchange(label: str, step: str, request: Any, code: str, response: Any = None) -> Exchange:
    return Exchange(1, "c", label, step, "", "/x", request, code, responses=(response,) if response else ())


def created(name: str, resource_id: str = "agt-1", code: str = "OK") -> Exchange:
    request = {"metadata": {"name": name, "org": "o"}, "spec": {"description": "d"}}
    response = {
        "metadata": {"id": resource_id, "slug": name, "org": "o", "name": name},
        "spec": {"description": "d"},
        "status": {"default_instance_id": "ain-1"},
    }
    return exchange("a", "agent.create", request, code, response if code == "OK" else None)


def test_the_model_lets_a_right_life_pass() -> None:
    model = Model(oss=False)
    assert model.observe(created("x")) == []
    assert model.observe(created("x", code="ALREADY_EXISTS")) == []
    assert model.observe(exchange("b", "agent.delete", {"value": "agt-1"}, "OK", created("x").response)) == []
    assert model.observe(exchange("c", "agent.get", {"value": "agt-1"}, "NOT_FOUND")) == []


@pytest.mark.parametrize(
    "wrong",
    [
        created("x", "agt-2"),  # a duplicate that is accepted
        exchange("b", "agent.get", {"value": "agt-1"}, "NOT_FOUND"),  # what exists isn't found
        exchange("b", "agent.get", {"value": "agt-2"}, "OK", created("x", "agt-2").response),  # what doesn't is
        exchange("b", "list.agents", {"org": "o"}, "OK", {"items": []}),  # a list without it
        exchange("b", "agent.delete", {"value": "agt-1"}, "INTERNAL"),
        exchange("b", "agent.by_reference", {"slug": "x", "org": "o"}, "OK", created("y").response),
        exchange("b", "agent.apply", {"metadata": {"name": "x", "org": "o"}}, "ALREADY_EXISTS"),
        exchange("b", "agent.update", {"metadata": {"id": "agt-2", "name": "x"}}, "OK", created("x").response),
    ],
)
def test_the_model_names_what_is_wrong(wrong: Exchange) -> None:
    model = Model(oss=False)
    assert model.observe(created("x")) == []
    assert model.observe(wrong) != []


def stored(evidence: Evidence, ending: Ending = Ending.EXERCISED) -> StoredRun:
    outcome = Outcome(evidence.check, ending, "why")
    return StoredRun(RUN, {evidence.check: evidence}, {evidence.check: outcome}, ())


@pytest.mark.parametrize(
    ("ending", "verdict"),
    [
        (Ending.UNTESTABLE, Verdict.UNTESTABLE),
        (Ending.NOT_APPLICABLE, Verdict.NOT_APPLICABLE),
        (Ending.NOT_RUN, Verdict.NOT_RUN),
        (Ending.HARNESS_ERROR, Verdict.HARNESS_ERROR),
    ],
)
def test_how_an_exercise_ended_is_its_verdict(ending: Ending, verdict: Verdict) -> None:
    report = judge_run(stored(Evidence("SLUG-LENGTH"), ending))
    assert report.of("SLUG-LENGTH").verdict is verdict
    assert report.of("SLUG-LENGTH").reason == "why"


def test_a_check_without_a_line_in_the_evidence_was_not_run() -> None:
    report = judge_run(StoredRun(RUN, {}, {}, ()))
    assert report.of("SLUG-LENGTH").verdict is Verdict.NOT_RUN


def test_evidence_that_lacks_what_a_judge_reads_is_the_suite_s_fault_unless_an_answer_cut_it_short() -> None:
    assert judge_run(stored(Evidence("SLUG-LENGTH"))).of("SLUG-LENGTH").verdict is Verdict.HARNESS_ERROR
    refused = Evidence("SLUG-LENGTH", (exchange("other", "agent.create", {}, "INTERNAL"),))
    result = judge_run(stored(refused)).of("SLUG-LENGTH")
    assert result.verdict is Verdict.FAIL
    assert "INTERNAL" in result.problems[0].actual


def test_an_answer_that_cannot_be_read_fails_its_check() -> None:
    answer = created("x")
    good = Evidence("SLUG-LENGTH", (replace(answer, label="create"),), {"slug": "x", "profile": "oss"})
    assert judge_run(stored(good)).of("SLUG-LENGTH").verdict is Verdict.PASS
    garbage = replace(answer, label="create", fault="the answer is no Agent")
    bad = replace(good, exchanges=(garbage,))
    assert judge_run(stored(bad)).of("SLUG-LENGTH").verdict is Verdict.FAIL


def session() -> Session:
    address = Address("127.0.0.1:1")
    return Session(
        "SLUG-LENGTH", TargetClient(Running(address), open_channel(address), 1.0), RunContext("r", "oss", "o", "p")
    )


def test_a_request_that_is_not_what_the_suite_means_is_the_suite_s_fault() -> None:
    corrupted = samples.agent("n", "o")
    corrupted.spec.instructions = "short"
    with pytest.raises(HarnessFault, match="should be valid"):
        session().call("create", "agent.create", corrupted)
    with pytest.raises(HarnessFault, match="breaks none"):
        session().call("create", "agent.create", samples.agent("n", "o"), valid=False)


def test_differences_name_every_leaf() -> None:
    found = differences({"a": {"b": 1, "c": [2]}}, {"a": {"b": 1, "c": [3], "d": 4}}, exchange("x", "s", {}, "OK"))
    assert [problem.text for problem in found] == ["x: a.c differs", "x: a.d differs"]
    assert equal("t", exchange("x", "s", {}, "OK"), 1, 1) == []


@settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(fuzz.valid_specs(AgentSpec))
def test_random_specs_are_valid_agents(spec: Any) -> None:
    request = samples.agent("n", "o")
    request.spec.CopyFrom(spec)
    assert request.spec.instructions


def _late(*states: tuple[str, int, bool], whole: tuple[str, int, bool]) -> Evidence:
    """Evidence of creates whose deadline passed, with what was seen of each, and of one in time."""
    seen = {"settled": whole, "missing": ("NOT_FOUND", 0, False)}
    seen |= {str(number): state for number, state in enumerate(states)}
    made: list[Exchange] = []
    for name, (code, count, named) in seen.items():
        one = f"agt-{name}"
        status = {"default_instance_id": "ain"} if named else {}
        label = "settled" if name == "settled" else f"late.{name}"
        rows = {"items": [{"spec": {"agent_id": one}}] * count + [{"spec": {"agent_id": "agt-other"}}]}
        agent = {"metadata": {"id": one}}
        for part, request, answer, ended in (
            (label, agent, agent, "OK"),
            (f"look.{name}.agent", {}, {"status": status}, code),
            (f"look.{name}.instances", {}, rows, "OK"),
        ):
            responses = (answer,) if ended == "OK" else ()
            made.append(Exchange(len(made), "RPC-DEADLINE", part, "", "", "/x", request, ended, responses=responses))
    return Evidence("RPC-DEADLINE", tuple(made), {"missing": "agt-missing"})


@pytest.mark.parametrize("whole", [("OK", 1, True), ("OK", 1, False), ("OK", 0, False), ("NOT_FOUND", 1, False)])
def test_a_late_create_is_held_against_one_in_time_however_many_were_late(whole: tuple[str, int, bool]) -> None:
    judge = check_of()["RPC-DEADLINE"].judges["RPC-DEADLINE"]
    nothing, count = ("NOT_FOUND", 0, False), len(DEADLINES_MS)
    for through in range(count + 1):
        states = [nothing] * (count - through) + [whole] * through
        assert judge(_late(*states, whole=whole)) == []
    half = ("OK", 2, True)
    assert len(judge(_late(*[nothing] * (count - 1), half, whole=whole))) == 1


def test_a_judge_of_a_part_sees_no_other() -> None:
    rows = (
        exchange("a.one", "agent.get", {}, "OK", {}),
        replace(exchange("b.one", "agent.get", {}, "OK"), fault="no id"),
    )
    part = PartJudge(("a.",), accepted("a.one"))
    assert [row.label for row in part.seen(Evidence("c", rows)).exchanges] == ["a.one"]
    assert part(Evidence("c", rows)) == []
    with pytest.raises(MissingEvidence):
        PartJudge(("a.",), accepted("b.one"))(Evidence("c", rows))
