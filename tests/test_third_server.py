"""A third reading of the contract, in another language: the suite passes it, and finds what real servers do wrong."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from conformance.verdict import EXIT_CONFORMANT, EXIT_NOT_CONFORMANT, Verdict
from tests.third_server import hosting
from tests.third_server.build import SOURCES
from tests.third_server.defects import DEFECTS

RACE_TRIES = 8
BUILD_SECONDS = 900
"""A cold build takes over a minute where nothing else runs."""

pytestmark = pytest.mark.timeout(BUILD_SECONDS)


@pytest.fixture(scope="module")
def third_server() -> None:
    if reason := hosting.unavailable():
        pytest.skip(reason)
    hosting.command()


def test_the_suite_finds_nothing_where_nothing_is_planted(third_server: None) -> None:
    report = hosting.judge()
    assert [row.id for row in report.results if row.verdict in {Verdict.FAIL, Verdict.UNTESTABLE}] == []
    assert report.leaks == ()
    assert report.exit_code == EXIT_CONFORMANT
    assert report.summary.measured > 190


def failing(defect: str, wanted: list[str], only: tuple[str, ...] = ()) -> list[str]:
    """What a defect makes fail; a race has some tries to show it."""
    for left in reversed(range(RACE_TRIES if DEFECTS[defect].race else 1)):
        report = hosting.judge([defect], only)
        found = sorted(report.failing())
        if found == wanted or not left:
            break
    assert report.exit_code == (EXIT_NOT_CONFORMANT if found else EXIT_CONFORMANT)
    return found


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_fails_what_its_sentence_says(defect: str, third_server: None) -> None:
    wanted = sorted(DEFECTS[defect].broken)
    assert failing(defect, wanted, DEFECTS[defect].broken) == wanted


@pytest.mark.full
@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_fails_exactly_its_stored_set(defect: str, third_server: None) -> None:
    wanted = hosting.expected()[defect]
    assert failing(defect, wanted) == wanted


def test_stored_sets_are_of_these_defects_and_hold_what_their_sentences_say() -> None:
    stored = hosting.expected()
    assert list(stored) == list(DEFECTS)
    for name, defect in DEFECTS.items():
        assert set(defect.broken) <= set(stored[name]), name
        assert stored[name] == sorted(stored[name]), name


def test_the_program_plants_these_defects() -> None:
    names = re.findall(r'^\t\w+\s+= "([a-z-]+)"$', (SOURCES / "defects.go").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(names) == sorted(DEFECTS)


def test_the_older_schema_is_what_reflection_tells(third_server: None, tmp_path: Path) -> None:
    with hosting.started(tmp_path / "log", ["older-sub-agents"]) as running:
        assert _type_of_first_field(running.address) == FieldDescriptorProto.TYPE_MESSAGE
    with hosting.started(tmp_path / "log") as running:
        assert _type_of_first_field(running.address) == FieldDescriptorProto.TYPE_STRING


def _type_of_first_field(address: str) -> int:
    """Ask a server by reflection for the type of SubAgent's field 1."""
    request = reflection_pb2.ServerReflectionRequest(file_containing_symbol="ai.stigmer.agentic.agent.v1.SubAgent")
    with grpc.insecure_channel(address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        answer = next(iter(stub.ServerReflectionInfo(iter([request]), timeout=10)))
    files = [FileDescriptorProto.FromString(raw) for raw in answer.file_descriptor_response.file_descriptor_proto]
    (message,) = [one for file in files for one in file.message_type if one.name == "SubAgent"]
    return next(field.type for field in message.field if field.number == 1)


def test_a_defect_that_does_not_exist_is_refused() -> None:
    with pytest.raises(KeyError, match="nonsense"):
        hosting.command(["nonsense"])


def test_without_go_the_tests_say_why_they_skip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARITY_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert "python -m tests.third_server.build" in hosting.unavailable()
    assert "Go isn't on this machine" in hosting.unavailable()
