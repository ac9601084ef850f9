"""What Go's generators get: from the descriptors that Python uses, so it is never stale and needs no protoc."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, MessageOptions

RULES = "buf/validate/validate.proto"
GO_RULES = "buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
"""Where Go programs find the rules: a module of protovalidate's own."""
_WELL_KNOWN = "google/protobuf/"


def generator_request(files: Sequence[FileDescriptor], module: str, *, options: bool) -> CodeGeneratorRequest:
    """Return the request for the Go code of some files and of all that they import.

    Args:
        files: what is wanted.
        module: the Go module that the code becomes part of; its packages are named like the files' folders.
        options: whether the code keeps the options, the rules of validation among them. They bring a module along.
    """
    request = CodeGeneratorRequest()
    for file in _needed(files, set()):
        proto = FileDescriptorProto()
        file.CopyToProto(proto)
        if file.name == RULES and not options:
            continue
        if not file.name.startswith(_WELL_KNOWN) and file.name != RULES:
            request.file_to_generate.append(file.name)
            if not options:
                _strip(proto)
        request.proto_file.append(proto)
    packages = [f"M{name}={module}/{PurePosixPath(name).parent}" for name in request.file_to_generate]
    request.parameter = ",".join([f"module={module}", f"M{RULES}={GO_RULES}", *packages])
    return request


def _needed(files: Sequence[FileDescriptor], seen: set[str]) -> Iterator[FileDescriptor]:
    """Yield the files, each after all that it imports, and once."""
    for file in files:
        if file.name not in seen:
            seen.add(file.name)
            yield from _needed(file.dependencies, seen)
            yield file


def _strip(proto: FileDescriptorProto) -> None:
    proto.ClearField("options")
    kept = [name for name in proto.dependency if name != RULES]
    del proto.dependency[:]
    proto.dependency.extend(kept)
    for enum in proto.enum_type:
        for value in enum.value:
            value.ClearField("options")
    for message in proto.message_type:
        _strip_message(message)


def _strip_message(message: DescriptorProto) -> None:
    is_map = message.options.map_entry
    message.ClearField("options")
    if is_map:
        message.options.CopyFrom(MessageOptions(map_entry=True))
    for field in message.field:
        field.ClearField("options")
    for oneof in message.oneof_decl:
        oneof.ClearField("options")
    for nested in message.nested_type:
        _strip_message(nested)
