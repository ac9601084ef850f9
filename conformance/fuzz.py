"""Random requests made from the descriptors: valid ones, and ones that break exactly one rule.

The strategies know the field constraints only as hints for finding valid values quickly; protovalidate, the oracle,
has the last word on every message.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import protovalidate
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import assume
from hypothesis import strategies as st

from conformance.constraints import RuleCase, cases
from conformance.methods import Proto
from protos.buf.validate import validate_pb2
from protos.options import option_of

TEXT = st.text(alphabet=st.characters(codec="utf-8"), max_size=24)
ITEMS_MAX = 2
_INTEGERS = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
}
_HELD_BACK = frozenset({"status", "metadata"})
"""Parts of a resource that decide who may do what and where it lives: the caller sets them."""


@cache
def messages(message: Proto) -> st.SearchStrategy[Any]:
    """Return a strategy for messages of a type whose field constraints are (nearly always) kept."""
    return _messages(message)


@st.composite
def _messages(draw: st.DrawFn, message: Proto) -> Proto:
    made = message()
    chosen: set[str] = set()
    for field in message.DESCRIPTOR.fields:
        oneof = field.containing_oneof
        if field.name in _HELD_BACK or (oneof is not None and oneof.name in chosen):
            continue
        rules: Proto = option_of(field.GetOptions(), validate_pb2.field)
        if (rules is None or not _demands(rules)) and not draw(st.booleans()):
            continue
        if oneof is not None:
            chosen.add(oneof.name)
        _fill(draw, made, field, rules)
    return made


def _demands(rules: Proto) -> bool:
    """Whether leaving the field out could break one of its rules."""
    return bool(rules.required or rules.HasField("string") or rules.HasField("int32") or rules.cel)


def _fill(draw: st.DrawFn, made: Proto, field: Proto, rules: Proto) -> None:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        value_field = field.message_type.fields_by_name["value"]
        target = getattr(made, field.name)
        for key in draw(st.lists(TEXT, max_size=ITEMS_MAX, unique=True)):
            if value_field.message_type is not None:
                target[key].CopyFrom(draw(messages(value_field.message_type._concrete_class)))  # noqa: SLF001 - the only way to a class
            else:
                target[key] = draw(_scalars(value_field, None))
    elif field.is_repeated:
        count = draw(st.integers(0, ITEMS_MAX))
        items = rules.repeated.items if rules is not None and rules.HasField("repeated") else None
        for _ in range(count):
            _append(draw, getattr(made, field.name), field, items)
    elif field.message_type is not None:
        inner = draw(messages(field.message_type._concrete_class))  # noqa: SLF001 - the only way to a class
        _mend(inner, rules)
        getattr(made, field.name).CopyFrom(inner)
        getattr(made, field.name).SetInParent()
    else:
        setattr(made, field.name, draw(_scalars(field, rules)))


def _append(draw: st.DrawFn, target: Proto, field: Proto, rules: Proto) -> None:
    if field.message_type is None:
        target.append(draw(_scalars(field, rules)))
        return
    inner = draw(messages(field.message_type._concrete_class))  # noqa: SLF001 - the only way to a class
    _mend(inner, rules)
    target.append(inner)


def _mend(message: Proto, rules: Proto) -> None:
    """Satisfy a rule about a whole message: the contract's ask for one number in one of its fields."""
    for cel in rules.cel if rules is not None else ():
        left, _, number = cel.expression.partition(" == ")
        name = left.removeprefix("this.")
        if name in message.DESCRIPTOR.fields_by_name and number.split()[0].isdigit():
            setattr(message, name, int(number.split()[0]))


def _scalars(field: Proto, rules: Proto) -> st.SearchStrategy[Any]:
    if field.type == FieldDescriptor.TYPE_STRING:
        return _texts(rules)
    if field.type == FieldDescriptor.TYPE_BOOL:
        return st.booleans()
    if field.type == FieldDescriptor.TYPE_ENUM:
        return st.sampled_from([value.number for value in field.enum_type.values])
    low, high = _INTEGERS[field.type]
    if rules is not None and rules.int32.HasField("gte"):
        low = rules.int32.gte
    return st.integers(low, high)


def _texts(rules: Proto) -> st.SearchStrategy[str]:
    if rules is None:
        return TEXT
    text = rules.string
    if text.HasField("const"):
        return st.just(text.const)
    if text.HasField("pattern"):
        return st.sampled_from(["", "latest", "1.2.3", "v1_b-c", "a" * 64])
    least = max(text.min_len, 1 if rules.required else 0)
    most = text.max_len or least + 24
    return st.text(alphabet=st.characters(codec="utf-8"), min_size=least, max_size=most)


@st.composite
def valid_specs(draw: st.DrawFn, message: Proto) -> Proto:
    """Return a message that the oracle accepts."""
    made = draw(messages(message))
    assume(not protovalidate.collect_violations(made))
    return made


def _paths_of(case: RuleCase, message: Proto) -> bool:
    """Whether the part that a case changes is there."""
    inner = message
    for name, key in case.path:
        value = getattr(inner, name)
        if key is None:
            if not inner.HasField(name):
                return False
            inner = value
        elif isinstance(key, int):
            if len(value) <= key:
                return False
            inner = value[key]
        else:
            if key not in value:
                return False
            inner = value[key]
    return not case.rule.on_items or len(getattr(inner, case.rule.field)) > 0


@st.composite
def broken(draw: st.DrawFn, sample: Proto, method: str) -> Proto:
    """Return the sample with exactly one rule broken; the sample must be a valid request of the method."""
    possible = [case for case in cases() if case.method == method and _paths_of(case, sample)]
    case = draw(st.sampled_from(possible))
    made = case.broken(sample)
    assume(len(protovalidate.collect_violations(made)) == 1)
    return made
