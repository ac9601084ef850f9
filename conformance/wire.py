"""Whether a target speaks the contract's messages: its descriptors, by server reflection, compared with ours.

Only what the suite's methods carry is compared. Where a target has no reflection, `conformance.drift` finds by trying
which part of an agent it doesn't take.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import grpc
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from conformance.methods import METHODS, SERVICE_NAMES

_TYPES = {
    number: name.removeprefix("TYPE_").lower() for name, number in vars(FieldDescriptor).items() if name[:5] == "TYPE_"
}


class NoReflection(Exception):
    """The target doesn't tell its descriptors; the message says what it said instead."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which a target's messages depart from the contract's.

    `message` is the full name of the message (or enum, or service), `field` the contract's name of the field, empty
    where it is about the whole. `added` is harmless: a reader skips what it doesn't know.
    """

    message: str
    field: str
    text: str
    added: bool = False

    @property
    def name(self) -> str:
        """What differs, by its short name: `SubAgent.name`."""
        message = self.message.rpartition(".")[2]
        return f"{message}.{self.field}" if self.field else message

    @property
    def sentence(self) -> str:
        """The difference in one sentence."""
        return f"`{self.name}`: {self.text}"


def differences(channel: grpc.Channel, seconds: float) -> tuple[Difference, ...]:
    """Compare what a target says of its services with the contract. Raises NoReflection.

    Services that it doesn't serve at all are left out: the checks of features tell those.
    """
    pool, served = _descriptors(channel, seconds)
    wanted = [method for method in METHODS.values() if method.path.split("/")[1] in served]
    found: dict[str, tuple[Difference, ...]] = {}
    for service in served:
        theirs = pool.FindServiceByName(service).methods_by_name
        names = [method.path.split("/")[2] for method in wanted if method.path.split("/")[1] == service]
        found[service] = tuple(Difference(service, "", f"no method {name}") for name in names if name not in theirs)
    for method in wanted:
        for message in (method.request.DESCRIPTOR, method.response.DESCRIPTOR):
            _compare(message, pool, found)
    return tuple(row for rows in found.values() for row in rows)


def _descriptors(channel: grpc.Channel, seconds: float) -> tuple[DescriptorPool, tuple[str, ...]]:
    """Ask for the files of the contract's services; return them in a pool, with the names of those that are served."""
    try:
        (listed,) = _ask(channel, [reflection_pb2.ServerReflectionRequest(list_services="")], seconds)
        names = {row.name for row in listed.list_services_response.service}
        served = tuple(name for name in SERVICE_NAMES if name in names)
        files = _files(channel, served, seconds)
    except (grpc.RpcError, ValueError) as error:
        said = f"{error.code().name}: {error.details()}" if isinstance(error, grpc.Call) else str(error)
        raise NoReflection(f"server reflection doesn't tell its descriptors ({said})") from error
    if not served:
        raise NoReflection("server reflection names none of the contract's services")
    return _pool(files), served


def _ask(
    channel: grpc.Channel, requests: Sequence[reflection_pb2.ServerReflectionRequest], seconds: float
) -> list[reflection_pb2.ServerReflectionResponse]:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    return list(stub.ServerReflectionInfo(iter(requests), timeout=seconds))


def _files(channel: grpc.Channel, served: Iterable[str], seconds: float) -> dict[str, FileDescriptorProto]:
    """Return the services' files and all that they import, by name. Raises ValueError for one that isn't told."""
    files: dict[str, FileDescriptorProto] = {}
    asked = [reflection_pb2.ServerReflectionRequest(file_containing_symbol=name) for name in served]
    while asked:
        for answer in _ask(channel, asked, seconds):
            if answer.HasField("error_response"):
                raise ValueError(answer.error_response.error_message)
            for data in answer.file_descriptor_response.file_descriptor_proto:
                file = FileDescriptorProto.FromString(data)
                files[file.name] = file
        missing = {name for file in files.values() for name in file.dependency} - set(files)
        asked = [reflection_pb2.ServerReflectionRequest(file_by_filename=name) for name in sorted(missing)]
    return files


def _pool(files: dict[str, FileDescriptorProto]) -> DescriptorPool:
    pool = DescriptorPool()
    added: set[str] = set()

    def add(name: str) -> None:
        if name not in added:
            added.add(name)
            for dependency in files[name].dependency:
                add(dependency)
            pool.Add(files[name])

    for name in files:
        add(name)
    return pool


def _compare(ours: Descriptor, pool: DescriptorPool, found: dict[str, tuple[Difference, ...]]) -> None:
    """Compare a message and all that it holds, each once."""
    if ours.full_name in found:
        return
    found[ours.full_name] = ()
    try:
        theirs = pool.FindMessageTypeByName(ours.full_name)
    except KeyError:
        found[ours.full_name] = (Difference(ours.full_name, "", "there is no such message"),)
        return
    found[ours.full_name] = tuple(_fields(ours, theirs))
    for field in ours.fields:
        if field.message_type is not None:
            _compare(field.message_type, pool, found)
        if field.enum_type is not None:
            _compare_enum(field.enum_type, pool, found)


def _fields(ours: Descriptor, theirs: Descriptor) -> Iterator[Difference]:
    for field in ours.fields:
        other, same_number = theirs.fields_by_name.get(field.name), theirs.fields_by_number.get(field.number)
        if other is None:
            told = f"field {field.number} is {same_number.name} there" if same_number else "missing"
            yield Difference(ours.full_name, field.name, told)
        elif other.number != field.number:
            text = f"has the number {other.number}, in the contract {field.number}"
            yield Difference(ours.full_name, field.name, text)
        elif _type(other) != _type(field):
            yield Difference(ours.full_name, field.name, f"is {_type(other)}, in the contract {_type(field)}")
    for field in theirs.fields:
        if field.name not in ours.fields_by_name and field.number not in ours.fields_by_number:
            yield Difference(ours.full_name, field.name, f"added, number {field.number}, {_type(field)}", added=True)


def _type(field: FieldDescriptor) -> str:
    """Return a field's type as a .proto file has it."""
    holder = field.message_type or field.enum_type
    name = holder.full_name if holder is not None else _TYPES[field.type]
    return f"repeated {name}" if field.is_repeated else str(name)


def _compare_enum(ours: EnumDescriptor, pool: DescriptorPool, found: dict[str, tuple[Difference, ...]]) -> None:
    if ours.full_name in found:
        return
    try:
        theirs = pool.FindEnumTypeByName(ours.full_name)
    except KeyError:
        found[ours.full_name] = (Difference(ours.full_name, "", "there is no such enum"),)
        return
    numbers = {value.name: value.number for value in theirs.values}
    found[ours.full_name] = tuple(
        Difference(ours.full_name, value.name, f"is {numbers.get(value.name, 'missing')}, not {value.number}")
        for value in ours.values
        if numbers.get(value.name) != value.number
    )
