"""One spelling for each message: equal messages have equal canonical bytes, wherever they were stored.

Protobuf lets map entries stand in any order, also inside a packed `google.protobuf.Any`, whose value is bytes that
deterministic serialization leaves alone. A JSON codec can't give the first spelling back; it gives this one.
"""

from __future__ import annotations

from functools import cache

from google.protobuf import symbol_database
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message

_ANY = AnyMessage.DESCRIPTOR.full_name


def canonical_bytes(message: Message) -> bytes:
    """Return the wire bytes with map entries in order, inside packed messages too. Leaves the message alone."""
    if not holds_any(message.DESCRIPTOR):
        return message.SerializeToString(deterministic=True)
    copy = type(message)()
    copy.CopyFrom(message)
    settle_packed(copy)
    return copy.SerializeToString(deterministic=True)


def settle_packed(message: Message) -> None:
    """Make the packed messages in a message canonical, in place. Those of unknown types stay as they are."""
    if not holds_any(message.DESCRIPTOR):
        return
    if isinstance(message, AnyMessage):
        _settle_any(message)
        return
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for part in _messages(field, value):
            settle_packed(part)


def _settle_any(packed: AnyMessage) -> None:
    try:
        content_type = symbol_database.Default().GetSymbol(packed.type_url.rpartition("/")[2])
        content = content_type.FromString(packed.value)
    except (KeyError, DecodeError):
        return
    settle_packed(content)
    packed.value = content.SerializeToString(deterministic=True)


def _messages(field: FieldDescriptor, value: object) -> list[Message]:
    if isinstance(value, Message):
        return [value]
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        values = list(value.values())  # type: ignore[attr-defined] # a map container, which has no public type
        return [part for part in values if isinstance(part, Message)]
    return list(value)  # type: ignore[call-overload, no-any-return] # a repeated container of messages


@cache
def holds_any(descriptor: Descriptor) -> bool:
    """Return whether a message of this type can hold an Any, at any depth."""
    return _holds_any(descriptor, set())


def _holds_any(descriptor: Descriptor, seen: set[str]) -> bool:
    if descriptor.full_name == _ANY:
        return True
    if descriptor.full_name in seen:
        return False
    seen.add(descriptor.full_name)
    return any(field.message_type and _holds_any(field.message_type, seen) for field in descriptor.fields)
