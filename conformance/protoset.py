"""The contract as descriptors: a file by which grpcurl and others call a server that has no reflection."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from conformance.methods import METHODS

PROTOSET_FILE = "contract.protoset"


def protoset_bytes() -> bytes:
    """Return a serialized `google.protobuf.FileDescriptorSet`: every service, each file after those it imports."""
    pool = METHODS["agent.get"].request.DESCRIPTOR.file.pool
    files: dict[str, FileDescriptor] = {}
    for method in METHODS.values():
        service = pool.FindServiceByName(method.path.split("/")[1])
        files |= {file.name: file for file in _with_imports(service.file)}
    found = FileDescriptorSet()
    for file in files.values():
        file.CopyToProto(found.file.add())
    return found.SerializeToString(deterministic=True)


def _with_imports(file: FileDescriptor) -> Iterator[FileDescriptor]:
    for one in file.dependencies:
        yield from _with_imports(one)
    yield file


def write_protoset(path: Path) -> Path:
    """Write the file, into a folder under its usual name. Raises OSError."""
    file = path / PROTOSET_FILE if path.is_dir() else path
    file.write_bytes(protoset_bytes())
    return file
