"""The quick yes says yes only where protovalidate does, and says it to ordinary requests."""

from __future__ import annotations

from typing import Any

import protovalidate
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from conformance import fuzz
from conformance.constraints import ROOTS, RuleCase, cases
from protos.ai.stigmer.commons.apiresource.io_pb2 import ApiResourceReference
from protos.buf.validate import validate_pb2
from reference_server.fast.validation import is_surely_valid
from reference_server.tests.ruled_messages import message_with_rules

SAMPLES = dict(ROOTS)
REQUESTS: list[Any] = [type(build()) for build in SAMPLES.values()]


@pytest.mark.parametrize("method", SAMPLES)
def test_ordinary_requests_are_plainly_valid(method: str) -> None:
    assert is_surely_valid(SAMPLES[method]())


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.rule.id)
def test_no_broken_rule_is_overlooked(case: RuleCase) -> None:
    sample = SAMPLES[case.method]()
    assert not is_surely_valid(case.broken(sample))
    assert is_surely_valid(case.kept(sample)), "the value that is just allowed"


@given(data=st.data())
def test_what_is_surely_valid_breaks_no_rule(data: st.DataObject) -> None:
    message = data.draw(fuzz.messages(data.draw(st.sampled_from(REQUESTS))))
    _disturb(data, message)
    if is_surely_valid(message):
        assert protovalidate.collect_violations(message) == []


def _disturb(data: st.DataObject, message: Message) -> None:
    """Take a field away, or give one a value of its type that no rule was asked about."""
    fields = [field for field in message.DESCRIPTOR.fields if not field.is_repeated]
    if not fields:
        return
    field = data.draw(st.sampled_from(fields))
    if field.message_type is not None and message.HasField(field.name) and data.draw(st.booleans()):
        _disturb(data, getattr(message, field.name))
    elif field.type == FieldDescriptor.TYPE_STRING:
        setattr(message, field.name, data.draw(fuzz.TEXT))
    elif field.type in {FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_ENUM}:
        setattr(message, field.name, data.draw(st.integers(-2, 60)))
    else:
        message.ClearField(field.name)


@pytest.mark.parametrize(
    ("version", "plain"),
    [("", True), ("latest", True), ("v1.2_3-x", True), ("latest\n", False), ("\n", False), ("a b", False)],
)
def test_a_pattern_means_what_it_means_to_the_library(version: str, plain: bool) -> None:
    reference = ApiResourceReference(version=version)
    assert is_surely_valid(reference) is plain
    assert (protovalidate.collect_violations(reference) == []) is plain


STRING, INT32 = FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_INT32
ONE, MANY = FieldDescriptor.LABEL_OPTIONAL, FieldDescriptor.LABEL_REPEATED


@pytest.mark.parametrize(
    ("message", "value"),
    [
        (message_with_rules(STRING, ONE, string=validate_pb2.StringRules(email=True)), "a@b.example"),
        (message_with_rules(STRING, ONE, string=validate_pb2.StringRules(pattern=r"^\d+$")), "1"),
        (message_with_rules(STRING, ONE, cel=[validate_pb2.Rule(id="x", expression="this.size() > 0")]), "a"),
        (message_with_rules(INT32, ONE, int32=validate_pb2.Int32Rules(lt=5)), 1),
        (message_with_rules(INT32, ONE, ignore=validate_pb2.IGNORE_ALWAYS), 1),
        (message_with_rules(STRING, MANY, repeated=validate_pb2.RepeatedRules(min_items=1)), ["a"]),
    ],
    ids=["email", "pattern", "cel", "lt", "ignore", "min_items"],
)
def test_rules_of_another_sort_are_left_to_the_library(message: Any, value: object) -> None:
    if isinstance(value, list):
        message.value.extend(value)
    else:
        message.value = value
    assert not is_surely_valid(message)
