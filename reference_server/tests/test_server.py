"""The server over its sockets: what only gRPC can show."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agent.v1.io_pb2 import AgentId
from protos.parity.v1.event_pb2 import WatchRequest, WatchResponse
from reference_server.config import ServerConfig
from reference_server.tests.conftest import TOKENS, agent
from reference_server.tests.running import Running, running

CREATE = "ai.stigmer.agentic.agent.v1.AgentCommandController/create"
GET = "ai.stigmer.agentic.agent.v1.AgentQueryController/get"
WATCH = "/parity.v1.EventService/Watch"


@pytest.fixture(scope="module")
def oss() -> Iterator[Running]:
    with running(ServerConfig(listen="127.0.0.1:0")) as server:
        yield server


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    tokens: Path = tmp_path_factory.mktemp("tokens") / "tokens.toml"
    tokens.write_text(TOKENS, encoding="utf-8")
    with running(ServerConfig(listen="127.0.0.1:0", profile="cloud", tokens=str(tokens))) as server:
        yield server


def refused(server: Running, method: str, data: bytes, token: str = "") -> Any:
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    with pytest.raises(grpc.RpcError) as caught:
        server.channel.unary_unary(f"/{method}")(data, metadata=metadata, timeout=10)
    return caught.value


def test_errors_carry_typed_details(oss: Running) -> None:
    request = agent()
    request.spec.instructions = "short"
    error = refused(oss, CREATE, request.SerializeToString())
    status = rpc_status.from_call(error)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert status is not None
    bad, info = error_details_pb2.BadRequest(), error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(bad)
    assert (info.reason, info.domain) == ("INVALID_REQUEST", "parity.v1")
    assert [violation.field for violation in bad.field_violations] == ["spec.instructions"]


def test_junk_and_unknown_methods_leave_the_server_up(oss: Running) -> None:
    assert refused(oss, CREATE, b"\xff\xff\xff").code() is grpc.StatusCode.INVALID_ARGUMENT
    assert refused(oss, CREATE.replace("create", "nothing"), b"").code() is grpc.StatusCode.UNIMPLEMENTED
    health = oss.call("grpc.health.v1.Health/Check", health_pb2.HealthCheckRequest(), health_pb2.HealthCheckResponse)
    assert health.status == health_pb2.HealthCheckResponse.SERVING


def test_a_request_over_ten_mebibytes_is_too_much_and_one_below_is_not(oss: Running) -> None:
    request = agent("Large")
    request.spec.instructions = "x" * (10 * 1024 * 1024)
    assert refused(oss, CREATE, request.SerializeToString()).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    request.spec.instructions = "x" * (3 * 1024 * 1024)
    assert oss.call(CREATE, request, Agent).spec == request.spec


def test_reflection_lists_the_services(oss: Running, cloud: Running) -> None:
    services = set(ProtoReflectionDescriptorDatabase(oss.channel).get_services())
    assert "ai.stigmer.agentic.agent.v1.AgentCommandController" in services
    assert "ai.stigmer.iam.iampolicy.v1.IamPolicyQueryController" not in services
    services = set(ProtoReflectionDescriptorDatabase(cloud.channel).get_services())
    assert {"ai.stigmer.iam.iampolicy.v1.IamPolicyQueryController", "parity.v1.EventService"} <= services


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_reflection_has_both_names(oss: Running, version: str) -> None:
    name = f"grpc.reflection.{version}.ServerReflection"
    call = oss.channel.stream_stream(f"/{name}/ServerReflectionInfo")
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    stream = call(iter((request.SerializeToString(),)), timeout=10)
    answer = reflection_pb2.ServerReflectionResponse.FromString(next(iter(stream)))
    assert name in {each.name for each in answer.list_services_response.service}


def test_tokens_make_callers(cloud: Running) -> None:
    data = agent("By Token").SerializeToString()
    for token in ("", "wrong"):
        assert refused(cloud, CREATE, data, token).code() is grpc.StatusCode.UNAUTHENTICATED
    error = refused(cloud, CREATE, data, "eve-token")
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    assert error.details() == "unauthorized to create agent in this organization"
    created = cloud.call(CREATE, agent("By Token"), Agent, "max-token")
    assert cloud.call(GET, AgentId(value=created.metadata.id), Agent, "max-token") == created


def test_one_of_many_concurrent_creates_wins(oss: Running) -> None:
    codes: list[str] = []
    start = threading.Barrier(16)

    def create() -> None:
        start.wait()
        try:
            oss.call(CREATE, agent("Contended"), Agent)
            codes.append("OK")
        except grpc.RpcError as error:
            codes.append(error.code().name)

    threads = [threading.Thread(target=create) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == ["ALREADY_EXISTS"] * 15 + ["OK"]


def test_watch_begins_with_a_bookmark_and_resumes(cloud: Running) -> None:
    def watch(**fields: Any) -> Any:
        invoke = cloud.channel.unary_stream(
            WATCH, request_serializer=WatchRequest.SerializeToString, response_deserializer=WatchResponse.FromString
        )
        return invoke(WatchRequest(**fields), metadata=(("authorization", "Bearer max-token"),), timeout=20)

    stream = watch(from_now=True)
    bookmark = next(stream)
    assert not bookmark.HasField("event")
    made = [cloud.call(CREATE, agent(f"Watched {n}"), Agent, "max-token") for n in range(3)]
    seen = [next(stream) for _ in range(6)]
    subjects = [response.event.subject for response in seen]
    assert subjects[1::2] == [each.metadata.id for each in made]
    positions = [response.position for response in seen]
    assert positions == sorted(positions)
    stream.cancel()
    resumed = watch(after_position=positions[1])
    assert not next(resumed).HasField("event")
    assert [next(resumed) for _ in range(4)] == seen[2:]
    resumed.cancel()


def test_a_stranger_sees_no_events(cloud: Running) -> None:
    cloud.call(CREATE, agent("Private"), Agent, "max-token")
    invoke = cloud.channel.unary_stream(
        WATCH, request_serializer=WatchRequest.SerializeToString, response_deserializer=WatchResponse.FromString
    )
    stream = invoke(WatchRequest(), metadata=(("authorization", "Bearer eve-token"),), timeout=1.5)
    assert not next(stream).HasField("event")
    with pytest.raises(grpc.RpcError) as caught:
        next(stream)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_watcher_that_does_not_read_is_cut_off(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.toml"
    tokens.write_text(TOKENS, encoding="utf-8")
    config = ServerConfig(listen="127.0.0.1:0", profile="cloud", tokens=str(tokens), watch_send_seconds=0.5)
    with running(config) as server:
        request = agent()
        request.spec.instructions = "x" * (2 * 1024 * 1024)
        for number in range(12):
            request.metadata.name = f"Large {number}"
            server.call(CREATE, request, Agent, "max-token")
        with grpc.insecure_channel(server.address, [("grpc.max_receive_message_length", -1)]) as channel:
            stream: Any = channel.unary_stream(WATCH, bytes, WatchResponse.FromString)(
                b"", metadata=(("authorization", "Bearer max-token"),), timeout=30
            )
            next(stream)
            time.sleep(2.0)
            with pytest.raises(grpc.RpcError) as caught:
                for _ in stream:
                    pass
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "too slowly" in str(caught.value.details())


def test_services_are_called_through_reflection(oss: Running) -> None:
    database = ProtoReflectionDescriptorDatabase(oss.channel)
    pool = DescriptorPool(database)
    service = pool.FindServiceByName("ai.stigmer.agentic.agent.v1.AgentCommandController")
    method = service.methods_by_name["create"]
    request = json_format.ParseDict(
        {
            "apiVersion": "agentic.stigmer.ai/v1",
            "kind": "Agent",
            "metadata": {"name": "Reflected", "ownerScope": "organization", "org": "acme"},
            "spec": {"instructions": "You were made through reflection."},
        },
        GetMessageClass(method.input_type)(),
    )
    answer = oss.call(f"{service.full_name}/{method.name}", request, GetMessageClass(method.output_type))
    assert json_format.MessageToDict(answer)["metadata"]["slug"] == "reflected"


def test_stopping_lets_requests_in_flight_finish_and_ends_watches(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.toml"
    tokens.write_text(TOKENS, encoding="utf-8")
    config = ServerConfig(listen="127.0.0.1:0", profile="cloud", tokens=str(tokens), grace_seconds=5)
    with running(config) as server:
        invoke = server.channel.unary_stream(WATCH, response_deserializer=WatchResponse.FromString)
        stream = invoke(b"", metadata=(("authorization", "Bearer max-token"),), timeout=30)
        next(stream)
        futures = [
            server.channel.unary_unary(f"/{CREATE}").future(
                agent(f"In Flight {n}").SerializeToString(),
                metadata=(("authorization", "Bearer max-token"),),
                timeout=10,
            )
            for n in range(20)
        ]
        assert all(future.result(10) for future in futures)
        stopped = threading.Thread(target=_drain, args=(stream,))
        stopped.start()
    stopped.join(10)
    assert not stopped.is_alive()
    assert stream.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}


def _drain(stream: Any) -> None:
    with pytest.raises(grpc.RpcError):
        for _ in stream:
            pass
