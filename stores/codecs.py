"""How a message becomes the bytes that a store keeps, and comes back. A new codec is one class and one row of CODECS.

All encode deterministically (map entries in order). What comes out of a JSON codec is the canonical spelling.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Protocol, cast

import orjson
import protobuf
from google.protobuf import (
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    json_format,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
from google.protobuf.descriptor import Descriptor, FileDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto
from google.protobuf.message import DecodeError, Message
from protobuf import wkt

# No public door leads from a descriptor to protobuf-py's message types: the dependency is pinned to its minor release.
from protobuf._file_registry import create_file_registry

from stores.canonical import settle_packed
from stores.contract import InvalidOperation, InvalidStoreUrl
from stores.schema import KINDS

_WELL_KNOWN: tuple[type[Message], ...] = (
    duration_pb2.Duration,
    empty_pb2.Empty,
    field_mask_pb2.FieldMask,
    struct_pb2.Struct,
    timestamp_pb2.Timestamp,
    wrappers_pb2.Int64Value,
)


class Undecodable(Exception):
    """Stored bytes are no message of the type. The store says of which resource."""


class Codec(Protocol):
    """Message to stored bytes and back."""

    name: str
    is_text: bool
    """Stored bytes are UTF-8 text (JSON)."""
    keeps_unknown_fields: bool

    def encode(self, message: Message, data: bytes | None) -> bytes:
        """Return what is stored. `data`: the message's wire bytes, if known. Raises InvalidOperation."""
        ...

    def encode_wire(self, message_type: type[Message], data: bytes) -> bytes:
        """Return what is stored of a message that is there as wire bytes only. Raises InvalidOperation."""
        ...

    def wire(self, message_type: type[Message], stored: bytes) -> bytes:
        """Return the wire bytes of what is stored. Raises Undecodable."""
        ...

    def message(self, message_type: type[Message], stored: bytes) -> Message:
        """Return the message of what is stored. Raises Undecodable."""
        ...


class ProtobufCodec:
    """The wire bytes themselves: nothing is lost, and the bytes can be answered without being looked at."""

    name = "protobuf"
    is_text = False
    keeps_unknown_fields = True

    def encode(self, message: Message, data: bytes | None) -> bytes:
        """See `Codec`."""
        return message.SerializeToString(deterministic=True) if data is None else data

    def encode_wire(self, message_type: type[Message], data: bytes) -> bytes:  # noqa: ARG002 - taken at their word
        """See `Codec`."""
        return data

    def wire(self, message_type: type[Message], stored: bytes) -> bytes:  # noqa: ARG002 - the bytes say it all
        """See `Codec`."""
        return stored

    def message(self, message_type: type[Message], stored: bytes) -> Message:
        """See `Codec`."""
        try:
            return message_type.FromString(stored)
        except DecodeError as error:
            raise Undecodable(str(error)) from error


class _GoogleJson:
    """What the two codecs over google's JSON mapping have in common."""

    is_text = True
    keeps_unknown_fields = False
    name: str

    def encode(self, message: Message, data: bytes | None) -> bytes:  # noqa: ARG002 - the mapping starts at the message
        """See `Codec`."""
        try:
            return self._dump(message)
        except (json_format.Error, TypeError, ValueError) as error:
            raise _not_expressible(type(message), self.name, error) from error

    def encode_wire(self, message_type: type[Message], data: bytes) -> bytes:
        """See `Codec`."""
        try:
            message = message_type.FromString(data)
        except DecodeError as error:
            raise _not_expressible(message_type, self.name, error) from error
        return self.encode(message, data)

    def wire(self, message_type: type[Message], stored: bytes) -> bytes:
        """See `Codec`."""
        return self.message(message_type, stored).SerializeToString(deterministic=True)

    def message(self, message_type: type[Message], stored: bytes) -> Message:
        """See `Codec`."""
        if not stored.startswith(b"{"):
            raise Undecodable("it is no JSON object")
        try:
            message = self._load(message_type, stored)
        except (json_format.Error, TypeError, ValueError, AttributeError) as error:
            raise Undecodable(str(error)) from error
        settle_packed(message)
        return message

    def _dump(self, message: Message) -> bytes:
        raise NotImplementedError

    def _load(self, message_type: type[Message], stored: bytes) -> Message:
        raise NotImplementedError


class JsonFormatCodec(_GoogleJson):
    """Protobuf's own JSON mapping and Python's own json: what most programs do."""

    name = "json-format"

    def _dump(self, message: Message) -> bytes:
        return json_format.MessageToJson(message, indent=None, sort_keys=True, ensure_ascii=False).encode()

    def _load(self, message_type: type[Message], stored: bytes) -> Message:
        return json_format.Parse(stored, message_type())


class JsonOrjsonCodec(_GoogleJson):
    """Protobuf's own mapping to dicts, and orjson for the text."""

    name = "json-orjson"

    def _dump(self, message: Message) -> bytes:
        return orjson.dumps(json_format.MessageToDict(message), option=orjson.OPT_SORT_KEYS)

    def _load(self, message_type: type[Message], stored: bytes) -> Message:
        return json_format.ParseDict(orjson.loads(stored), message_type())


class JsonNativeCodec:
    """JSON through protobuf-py's native conversion, four to fifteen times as fast as google's mapping."""

    name = "json"
    is_text = True
    keeps_unknown_fields = False

    def encode(self, message: Message, data: bytes | None) -> bytes:
        """See `Codec`."""
        return self.encode_wire(type(message), message.SerializeToString(deterministic=True) if data is None else data)

    def encode_wire(self, message_type: type[Message], data: bytes) -> bytes:
        """See `Codec`."""
        native = native_types().of(message_type)
        try:
            return native.from_binary(data).to_json(registry=native_types().registry).encode()
        except (TypeError, ValueError) as error:
            raise _not_expressible(message_type, self.name, error) from error

    def wire(self, message_type: type[Message], stored: bytes) -> bytes:
        """See `Codec`."""
        return self.message(message_type, stored).SerializeToString(deterministic=True)

    def message(self, message_type: type[Message], stored: bytes) -> Message:
        """See `Codec`."""
        native = native_types().of(message_type)
        try:
            wire = native.from_json(stored, registry=native_types().registry).to_binary()
        except (TypeError, ValueError) as error:
            raise Undecodable(str(error)) from error
        message = message_type.FromString(wire)
        settle_packed(message)
        return message


class NativeTypes:
    """protobuf-py's message types, made from the descriptors of google's as they are asked for."""

    def __init__(self) -> None:
        self.registry = protobuf.Registry()
        self._types: dict[type[Message], type[protobuf.Message[Any]]] = {}

    def of(self, message_type: type[Message]) -> type[protobuf.Message[Any]]:
        """Return protobuf-py's counterpart of a google message type."""
        native = self._types.get(message_type)
        if native is None:
            self._add(cast("FileDescriptor", message_type.DESCRIPTOR.file))
            descriptor = self.registry.message(message_type.DESCRIPTOR.full_name)
            if descriptor is None:
                raise InvalidOperation(f"{message_type.DESCRIPTOR.full_name} has no native counterpart")
            native = self._types[message_type] = descriptor.type
        return native

    def _add(self, file: FileDescriptor) -> None:
        """Add a file, those that it imports first."""
        if self.registry.file(file.name) is not None:
            return
        for imported in file.dependencies:
            self._add(imported)
        proto = FileDescriptorProto()
        file.CopyToProto(proto)
        for message in proto.message_type:
            _name_for_json(message, file.message_types_by_name[message.name])
        native = wkt.FileDescriptorProto.from_binary(proto.SerializeToString())
        self.registry.add(create_file_registry(native, self.registry.file))


def _name_for_json(message: DescriptorProto, descriptor: Descriptor) -> None:
    """Fill in the fields' JSON names, which protoc gives its plugins but google's runtime leaves out of a copy."""
    for field in message.field:
        field.json_name = descriptor.fields_by_name[field.name].json_name
    for nested in message.nested_type:
        _name_for_json(nested, descriptor.nested_types_by_name[nested.name])


@cache
def native_types() -> NativeTypes:
    """Return the process's native types; making them takes some milliseconds, once.

    All kinds' types and the well-known ones are known from the start, as an Any can hold them.
    """
    types = NativeTypes()
    for message_type in _WELL_KNOWN:
        types.of(message_type)
    for kind in KINDS.values():
        types.of(kind.message_type)
    return types


def _not_expressible(message_type: type[Message], codec: str, error: Exception) -> InvalidOperation:
    return InvalidOperation(
        f"a {message_type.DESCRIPTOR.full_name} can't be written by the codec {codec}: {error}",
        hint="a store with the codec protobuf keeps any message",
    )


CODECS: Mapping[str, Callable[[], Codec]] = {
    "protobuf": ProtobufCodec,
    "json": JsonNativeCodec,
    "json-orjson": JsonOrjsonCodec,
    "json-format": JsonFormatCodec,
}


def codec_of(name: str) -> Codec:
    """Return the codec of this name. Raises InvalidStoreUrl."""
    try:
        return CODECS[name]()
    except KeyError:
        raise InvalidStoreUrl(f"unknown codec {name!r}; there are: {', '.join(CODECS)}") from None
