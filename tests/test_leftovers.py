"""What a run leaves behind is found by asking, removed where it can be, and else named with the way to remove it."""

from __future__ import annotations

import grpc
import pytest

from conformance.evidence import Evidence, Exchange
from conformance.features import Declaration
from conformance.leftovers import ids_in
from conformance.runner import Options, run
from conformance.samples import agent
from conformance.verdict import EXIT_NOT_CONFORMANT, Report
from parity.main import run as command_line
from tests.second_server import RunningServer, start
from tests.second_server.resources import Resources
from tests.second_server.state import Refused

ONLY = ("DEL-INSTANCES", "SLUG-DERIVE", "INS-CREATE")
FOREIGN = "agt-foreign"


def judged(server: RunningServer) -> Report:
    foreign = agent("foreign", "somebody")
    foreign.metadata.id = FOREIGN
    server.state.resources["agent"][FOREIGN] = foreign
    try:
        return run(f"grpc://{server.address}", Options(profile="oss", only=ONLY, quick=True, reruns=0))
    finally:
        server.stop()


def left_in(server: RunningServer) -> set[str]:
    return {resource_id for rows in server.state.resources.values() for resource_id in rows} - {FOREIGN}


def test_default_instances_that_outlive_their_agent_are_removed() -> None:
    server = start("oss", {}, defects=frozenset({"delete_leaves_instances"}))
    report = judged(server)
    assert left_in(server) == set()
    assert report.leaks == ()
    assert FOREIGN in server.state.resources["agent"]


def test_what_is_made_to_compare_messages_is_removed_too(capsys: pytest.CaptureFixture[str]) -> None:
    """Where no list shows it either, and the server keeps an agent's instances."""
    server = start("oss", {}, defects=frozenset({"delete_leaves_instances"}))
    declared = Declaration({"list": False, "watch": False}, "oss")
    try:
        run(f"grpc://{server.address}", Options(only=("PERSIST-ALL",), declaration=declared, quick=True, reruns=0))
        assert left_in(server) == set()
        command_line(["wire", f"grpc://{server.address}"])
        assert left_in(server) == set()
    finally:
        server.stop()
    assert "left behind" not in capsys.readouterr().out


def test_what_a_lying_delete_leaves_is_named_with_the_way_to_remove_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Resources, "remove", lambda *_: None)
    server = start("oss", {})
    report = judged(server)
    left = left_in(server)
    assert len(left) >= 6
    assert {leak.split()[1] for leak in report.leaks} == left
    assert report.exit_code == EXIT_NOT_CONFORMANT
    told = next(leak for leak in report.leaks if leak.startswith("agent ") and "of SLUG-DERIVE" in leak)
    named = told.split()[1]
    assert "(delete answered OK)" in told
    assert told.endswith(
        f"""remove it: grpcurl -d '{{"value":"{named}"}}' -plaintext {server.address}"""
        " ai.stigmer.agentic.agent.v1.AgentCommandController/delete"
    )


def test_a_refused_delete_is_told_with_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise Refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "no")

    monkeypatch.setattr(Resources, "delete", refuse)
    server = start("oss", {})
    report = judged(server)
    assert {leak.split()[1] for leak in report.leaks} == left_in(server)
    assert [leak for leak in report.leaks if "(delete answered RESOURCE_EXHAUSTED)" not in leak] == []


def test_ids_are_those_of_creates_and_of_what_the_server_made_beside_them() -> None:
    def exchange(step: str, request: dict[str, object], *responses: dict[str, object]) -> Exchange:
        return Exchange(1, "c", "l", step, "", "/p", request, "OK" if responses else "INTERNAL", responses=responses)

    made = exchange("agent.create", {}, {"metadata": {"id": "a1"}, "status": {"default_instance_id": "i1"}})
    refused = exchange("agent.create", {"metadata": {"id": "a2"}})
    shown = exchange("instance.by_agent", {}, {"items": [{"metadata": {"id": "i2"}}]})
    listed = exchange("list.agents", {}, {"items": [{"metadata": {"id": "a-of-somebody-else"}}]})
    found = list(ids_in(Evidence("c", (made, refused, shown, listed))))
    assert found == [("agent", "a1"), ("instance", "i1"), ("agent", "a2"), ("instance", "i2")]
