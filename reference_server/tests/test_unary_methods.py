"""What gRPC is given for a call: a handler that knows its caller."""

from __future__ import annotations

import asyncio
from typing import Any, NoReturn

import grpc
import pytest

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agent.v1.io_pb2 import AgentId
from reference_server.authorization.model import Caller
from reference_server.tests.conftest import Bench, agent
from reference_server.transport import servicers
from reference_server.transport.servicers import Answering, UnaryMethods

GET = "/ai.stigmer.agentic.agent.v1.AgentQueryController/get"


class Details(grpc.HandlerCallDetails):
    """What gRPC says of a call before its message has come."""

    def __init__(self, method: str, metadata: tuple[tuple[str, str], ...] = ()) -> None:
        self.method = method
        self.invocation_metadata = metadata


class Aborted(Exception):
    """The call was ended with a status."""


class Context:
    """As much of a servicer context as a handler needs."""

    def time_remaining(self) -> None:
        return None

    async def abort(self, code: grpc.StatusCode, message: str, trailing_metadata: Any) -> NoReturn:
        del trailing_metadata
        raise Aborted(code, message)


def methods_of(bench: Bench, callers: dict[str, Caller]) -> UnaryMethods:
    """Return the methods of a server where the token says who calls."""

    def caller_of(metadata: Any) -> Caller | None:
        token = dict(metadata).get("authorization", "")
        if token == "broken":
            raise OSError("the keys can't be read")
        return callers.get(token)

    return UnaryMethods(Answering(bench.executor), caller_of, bench.application.operations())


def called(methods: UnaryMethods, token: str, request: bytes) -> bytes:
    handler = methods.service(Details(GET, (("authorization", token),)))
    assert handler is not None
    answer: bytes = asyncio.run(handler.unary_unary(request, Context()))  # type: ignore[arg-type, misc]
    return answer


def test_each_call_is_answered_as_its_caller_may_have_it(cloud: Bench) -> None:
    made = cloud.call("agent-create", agent(), "ada")
    request = AgentId(value=made.metadata.id).SerializeToString()
    methods = methods_of(cloud, {"a": Caller("ada"), "e": Caller("eve")})
    for _ in range(2):
        assert Agent.FromString(called(methods, "a", request)) == made
        with pytest.raises(Aborted, match="PERMISSION_DENIED"):
            called(methods, "e", request)
        with pytest.raises(Aborted, match="UNAUTHENTICATED"):
            called(methods, "unknown", request)


def test_a_caller_has_one_handler_and_their_number_is_bounded(cloud: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servicers, "_HANDLERS_MAX", 3)
    methods = methods_of(cloud, {str(number): Caller(str(number)) for number in range(9)})
    one, again = (methods.service(Details(GET, (("authorization", "1"),))) for _ in range(2))
    assert one is again
    for number in range(9):
        assert methods.service(Details(GET, (("authorization", str(number)),))) is not None
        assert len(methods._handlers) <= 3


def test_a_method_that_is_not_there_is_left_to_others(cloud: Bench) -> None:
    assert methods_of(cloud, {}).service(Details("/grpc.health.v1.Health/Check")) is None


def test_a_fault_in_finding_the_caller_is_an_answer(cloud: Bench) -> None:
    with pytest.raises(Aborted, match=r"INTERNAL.*a fault of the server \(OSError\)"):
        called(methods_of(cloud, {}), "broken", b"")
