"""An early answer to a get is what its steps answer, or none."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from google.protobuf.descriptor import FieldDescriptor

from protos.ai.stigmer.agentic.agent.v1.io_pb2 import AgentId
from protos.ai.stigmer.agentic.environment.v1.spec_pb2 import EnvironmentValue
from protos.buf.validate import validate_pb2
from reference_server.authorization.model import SYSTEM, Caller
from reference_server.errors import ApiError
from reference_server.fast.get import ResponseCache, early_get
from reference_server.pipelines import OPERATIONS
from reference_server.profile import Profile
from reference_server.redaction import may_hold_secrets
from reference_server.tests.conftest import Bench, agent, policy
from reference_server.tests.ruled_messages import message_with_rules

STRING, ONE = FieldDescriptor.TYPE_STRING, FieldDescriptor.LABEL_OPTIONAL
TAG = EnvironmentValue(is_secret=True).SerializeToString()[:1]
UNKNOWN_FIELD = b"\x1a\x01x"


def by_steps(bench: Bench, operation: str, data: bytes, caller: Caller | None) -> bytes | None:
    """Return what the steps answer, None for any refusal."""
    try:
        return asyncio.run(bench.executor.execute(bench.application.context.operations[operation], data, caller))
    except ApiError:
        return None


def early(bench: Bench, operation: str, data: bytes, caller: Caller | None) -> bytes | None:
    return bench.application.context.early_answers[operation](data, caller)


def request(id_: str) -> bytes:
    return AgentId(value=id_).SerializeToString()


def test_ordinary_gets_and_nothing_else_are_answered_early(oss: Bench) -> None:
    assert set(oss.application.context.early_answers) == {"agent-get", "agent-instance-get", "environment-get"}


def test_what_is_there_is_answered_with_the_stored_bytes(oss: Bench) -> None:
    made = oss.call("agent-create", agent())
    assert early(oss, "agent-get", request(made.metadata.id), SYSTEM) == made.SerializeToString()


@pytest.mark.parametrize("caller", ["root", "ada", "max", "eve", "nobody", None])
def test_in_the_cloud_who_may_not_is_left_to_the_steps(cloud: Bench, caller: str | None) -> None:
    made = cloud.call("agent-create", agent(), "ada")
    who = Caller(caller) if caller else None
    data = request(made.metadata.id)
    for _once_unknown_then_remembered in range(2):
        assert early(cloud, "agent-get", data, who) == by_steps(cloud, "agent-get", data, who)
    assert (by_steps(cloud, "agent-get", data, who) is None) is (caller in {"eve", "nobody", None})


def test_a_revoked_grant_ends_the_early_answer(cloud: Bench) -> None:
    made = cloud.call("agent-create", agent(), "ada")
    grant = policy("identity_account:eve", "can_view", f"agent:{made.metadata.id}")
    cloud.call("iam-policy-create", grant, "ada")
    data, eve = request(made.metadata.id), Caller("eve")
    assert early(cloud, "agent-get", data, eve) is not None
    cloud.call("iam-policy-delete", grant, "ada")
    assert early(cloud, "agent-get", data, eve) is None


def test_secrets_are_left_to_the_steps(cloud: Bench) -> None:
    with_secret = agent()
    with_secret.spec.env_spec.data["TOKEN"].value = "s3cret"
    with_secret.spec.env_spec.data["TOKEN"].is_secret = True
    made = cloud.call("agent-create", with_secret, "ada")
    data = request(made.metadata.id)
    assert early(cloud, "agent-get", data, Caller("ada")) is None
    answer = by_steps(cloud, "agent-get", data, Caller("ada"))
    assert answer is not None
    assert b"s3cret" not in answer


@pytest.mark.parametrize(
    ("data", "may"),
    [
        (b"", False),
        (b"no such byte", False),
        (b"ends with " + TAG, False),
        (TAG + b"\x00", False),
        (TAG + b"\x01", True),
        (TAG + TAG + b"\x01", True),
        (b"a length " + TAG + b" of text, then " + TAG + b"\x01", True),
    ],
)
def test_a_mark_of_a_secret_is_found_wherever_it_stands(data: bytes, may: bool) -> None:
    assert may_hold_secrets(data) is may


@pytest.mark.parametrize(
    "data",
    [
        b"",
        request(""),
        b"\x0a\x00",
        request("agt-nobody"),
        request("x" * 127),
        request("x" * 128),
        b"\x0a\x05\xff\xfe\xfd\xfc\xfb",
        b"\x0a\x05abc",
        b"\x12\x01x",
        b"\x0a",
    ],
)
def test_other_requests_are_left_to_the_steps(oss: Bench, data: bytes) -> None:
    assert early(oss, "agent-get", data, SYSTEM) is None
    assert by_steps(oss, "agent-get", data, SYSTEM) is None


def test_a_request_with_more_in_it_is_left_to_the_steps(oss: Bench) -> None:
    made = oss.call("agent-create", agent())
    data = request(made.metadata.id) + UNKNOWN_FIELD
    assert early(oss, "agent-get", data, SYSTEM) is None
    assert by_steps(oss, "agent-get", data, SYSTEM) == made.SerializeToString()


def test_other_steps_and_requests_have_no_early_answer(oss: Bench) -> None:
    context, store, cache = oss.application.context, oss.store, ResponseCache()
    get = OPERATIONS["agent-get"].for_profile(Profile.OSS)
    assert early_get(get, context, store, cache) is not None
    assert early_get(OPERATIONS["agent-create"], context, store, cache) is None
    assert early_get(replace(get, steps=get.steps[1:]), context, store, cache) is None
    short_id = message_with_rules(STRING, ONE, string=validate_pb2.StringRules(max_len=3))
    assert early_get(replace(get, request_type=type(short_id)), context, store, cache) is None
