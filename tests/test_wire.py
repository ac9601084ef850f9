"""Another schema is told by name: from a server's own descriptors, else from the part that it will not take."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager

import grpc
import pytest
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha import reflection

from conformance.methods import METHODS, SERVICE_NAMES
from conformance.runner import Options, run
from conformance.verdict import EXIT_CONFORMANT, EXIT_INCOMPLETE, EXIT_NOT_CONFORMANT, EXIT_USAGE
from conformance.wire import NoReflection, differences
from parity.main import run as parity
from protos.ai.stigmer.agentic.agent.v1 import command_pb2
from reference_server.errors import Internal
from reference_server.pipeline import State
from reference_server.pipelines import OPERATIONS
from reference_server.unit_of_work import UnitOfWork
from tests.mutants.hosting import reference
from tests.mutants.mutant import CREATE, VALIDATE
from tests.mutants.wrapping import first
from tests.mutants.wrong_servers import mutants

AGENT_COMMANDS = "ai.stigmer.agentic.agent.v1.AgentCommandController"
SPEC_FILE = "ai/stigmer/agentic/agent/v1/spec.proto"
SECONDS = 5.0


def files() -> dict[str, FileDescriptorProto]:
    """The contract's files behind the agent's commands, to be changed."""
    found: dict[str, FileDescriptorProto] = {}

    def add(file: FileDescriptor) -> None:
        if file.name not in found:
            for dependency in file.dependencies:
                add(dependency)
            found[file.name] = FileDescriptorProto()
            file.CopyToProto(found[file.name])

    add(command_pb2.DESCRIPTOR)
    return found


@contextmanager
def reflecting(
    told: dict[str, FileDescriptorProto], names: tuple[str, ...] = (AGENT_COMMANDS,)
) -> Iterator[grpc.Channel]:
    """A server that does nothing but tell these files."""
    pool = DescriptorPool()
    for file in told.values():
        pool.Add(file)
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=2), options=(("grpc.so_reuseport", 0),))
    reflection.enable_server_reflection(names, server, pool=pool)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel
    finally:
        server.stop(None).wait()


def sub_agent(told: dict[str, FileDescriptorProto]) -> FieldDescriptorProto:
    """`SubAgent.name` in the files."""
    (message,) = [row for row in told[SPEC_FILE].message_type if row.name == "SubAgent"]
    (field,) = [row for row in message.field if row.name == "name"]
    return field


def sentences(told: dict[str, FileDescriptorProto]) -> list[str]:
    with reflecting(told) as channel:
        return [one.sentence for one in differences(channel, SECONDS)]


def test_the_contract_s_own_descriptors_differ_in_nothing() -> None:
    assert sentences(files()) == []
    with reference("oss") as address, grpc.insecure_channel(address) as channel:
        assert differences(channel, SECONDS) == ()


def test_a_changed_number_a_changed_type_and_a_missing_field_are_told_by_name() -> None:
    numbered, typed, renamed = files(), files(), files()
    sub_agent(numbered).number = 99
    sub_agent(typed).type = FieldDescriptorProto.TYPE_BYTES
    sub_agent(renamed).name = "agent_ref"
    assert sentences(numbered) == ["`SubAgent.name`: has the number 99, in the contract 1"]
    assert sentences(typed) == ["`SubAgent.name`: is bytes, in the contract string"]
    assert sentences(renamed) == ["`SubAgent.name`: field 1 is agent_ref there"]


def test_an_added_field_is_told_as_harmless_and_a_missing_method_isn_t() -> None:
    more, less = files(), files()
    (message,) = [row for row in more[SPEC_FILE].message_type if row.name == "SubAgent"]
    message.field.add(name="colour", number=77, type=FieldDescriptorProto.TYPE_STRING, label=1)
    with reflecting(more) as channel:
        (one,) = differences(channel, SECONDS)
    assert (one.sentence, one.added) == ("`SubAgent.colour`: added, number 77, string", True)
    (service,) = less["ai/stigmer/agentic/agent/v1/command.proto"].service
    del service.method[0]
    told = sentences(less)
    assert told == [f"`AgentCommandController`: no method {METHODS['agent.apply'].path.split('/')[2]}"] or told == [
        f"`AgentCommandController`: no method {METHODS['agent.create'].path.split('/')[2]}"
    ]


def test_a_server_that_tells_nothing_of_the_contract_has_no_reflection_to_compare() -> None:
    with reflecting(files(), ()) as channel, pytest.raises(NoReflection, match="none of the contract's services"):
        differences(channel, SECONDS)
    with (
        reference("oss", settings={"reflection": False}) as address,
        grpc.insecure_channel(address) as channel,
        pytest.raises(NoReflection, match="UNIMPLEMENTED"),
    ):
        differences(channel, SECONDS)
    assert AGENT_COMMANDS in SERVICE_NAMES


def refuse_sub_agents(state: State, work: UnitOfWork) -> None:
    del work
    if state.request.spec.sub_agents:
        raise Internal("error unmarshalling request: proto: cannot parse invalid wire-format data")


OLDER = first(CREATE, VALIDATE, refuse_sub_agents)(OPERATIONS)


def test_without_reflection_the_part_is_found_by_leaving_parts_out_and_told_once() -> None:
    only = ("PERSIST-ALL", "VAL-SUBAGENT-*", "VAL-AGENT-KIND-CONST", "SEND-GET", "SLUG-GIVEN")
    with reference("oss", operations=OLDER, settings={"reflection": False}) as address:
        report = run(f"grpc://{address}", Options(profile="oss", only=only, quick=True))
    (told,) = report.drift
    assert told.startswith("the target speaks another `Agent.spec.sub_agents`: ")
    (cause,) = report.diagnosis.causes
    assert (cause.id, cause.sentence) == ("schema:Agent.spec.sub_agents", told)
    assert cause.explains == report.failing()
    assert "VAL-AGENT-KIND-CONST" not in report.failing(), "a rule is asked for with the parts that it is about"
    assert report.leaks == ()


def test_a_part_that_is_lost_is_another_schema_only_where_the_server_does_not_tell_its_own() -> None:
    drops = mutants()["persist-drops-labels"]
    for reflects, told in ((True, 0), (False, 1)):
        settings = {"reflection": reflects}
        with reference("oss", operations=drops.change(OPERATIONS), settings=settings) as address:
            report = run(f"grpc://{address}", Options(profile="oss", only=("PERSIST-ALL",), quick=True, reruns=0))
        assert [row.startswith("the target speaks another `Agent.metadata.labels`") for row in report.drift] == [
            True
        ] * told
        assert report.failing() == ("PERSIST-ALL",)


def test_the_command_compares_and_says_so_by_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with reference("oss", operations=OLDER, settings={"reflection": False}) as address:
        assert parity(["wire", f"grpc://{address}"]) == EXIT_NOT_CONFORMANT
    assert "the target speaks another `Agent.spec.sub_agents`" in capsys.readouterr().out
    with reference("oss") as address:
        assert parity(["wire", f"grpc://{address}"]) == EXIT_CONFORMANT
    assert capsys.readouterr().out == "the target speaks the contract's messages\n"
    assert parity(["wire", "grpc://127.0.0.1:1"]) == EXIT_INCOMPLETE
    assert parity(["wire", "nonsense://x"]) == EXIT_USAGE
