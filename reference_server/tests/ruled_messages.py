"""Messages of types made here, with field constraints that the wire contract doesn't have."""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from protos.buf.validate import validate_pb2


def message_with_rules(field_type: int, label: int, **rules: Any) -> Any:
    """Return an empty message whose only field, `value`, has these rules."""
    file = descriptor_pb2.FileDescriptorProto(name="made.proto", package="made", syntax="proto3")
    file.dependency.append("buf/validate/validate.proto")
    field = file.message_type.add(name="Made").field.add(name="value", number=1, type=field_type, label=label)
    options: Any = field.options
    options.Extensions[validate_pb2.field].MergeFrom(validate_pb2.FieldRules(**rules))
    pool = descriptor_pool.DescriptorPool()
    for known in (descriptor_pb2.DESCRIPTOR, *validate_pb2.DESCRIPTOR.dependencies, validate_pb2.DESCRIPTOR):
        pool.AddSerializedFile(known.serialized_pb)
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("made.Made"))()
