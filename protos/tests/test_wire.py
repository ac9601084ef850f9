"""The descriptors say exactly what the wire contract says: names, numbers, types, options, constraints."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from google.protobuf import text_format
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, FileDescriptor, ServiceDescriptor

from protos.ai.stigmer.commons.apiresource.apiresourcekind import api_resource_group_pb2, api_resource_kind_pb2
from protos.ai.stigmer.commons.apiresource.rpc_service_options_pb2 import api_resource_kind
from protos.ai.stigmer.iam.iampolicy.v1.rpcauthorization import method_options_pb2
from protos.buf.validate import validate_pb2
from protos.generate import proto_files, stale_files
from protos.options import option_of

TABLES = Path(__file__).with_name("wire_tables.txt")
_SCALARS = {
    FieldDescriptor.TYPE_STRING: "string",
    FieldDescriptor.TYPE_BOOL: "bool",
    FieldDescriptor.TYPE_INT32: "int32",
}


def _files() -> list[FileDescriptor]:
    names = [name for name in proto_files() if name.startswith("ai/")]
    modules = ["protos." + name.removesuffix(".proto").replace("/", ".") + "_pb2" for name in names]
    return [importlib.import_module(module).DESCRIPTOR for module in modules]


def _option_text(message: object) -> str:
    text = text_format.MessageToString(message, as_one_line=True)  # type: ignore[arg-type]
    return text.replace("\\'", "'")


def _type(field: FieldDescriptor) -> str:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return f"map<string, {_type(field.message_type.fields_by_name['value'])}>"
    if field.message_type is not None:
        base = field.message_type.full_name
    elif field.enum_type is not None:
        base = field.enum_type.full_name
    else:
        base = _SCALARS[field.type]
    return f"repeated {base}" if field.is_repeated else base


def _field_line(field: FieldDescriptor) -> str:
    # An option set in any way but the table's text shows up as a difference, as it should.
    oneof = f" oneof={field.containing_oneof.name}" if field.containing_oneof else ""
    rules = option_of(field.GetOptions(), validate_pb2.field)
    rendered = f" rules {_option_text(rules)}" if rules is not None else ""
    return f"  field {field.number} {field.name} {_type(field)}{oneof}{rendered}"


def _message_lines(message: Descriptor) -> list[str]:
    assert not message.nested_types or all(nested.GetOptions().map_entry for nested in message.nested_types)
    return [f"message {message.full_name}", *(_field_line(field) for field in message.fields)]


def _enum_lines(enum: EnumDescriptor) -> list[str]:
    lines = [f"enum {enum.full_name}"]
    for value in enum.values:
        metas = (api_resource_group_pb2.group_meta, api_resource_kind_pb2.kind_meta)
        found = [option_of(value.GetOptions(), meta) for meta in metas]
        options = [_option_text(option) for option in found if option is not None]
        lines.append(f"  value {value.number} {value.name}" + "".join(f" options {option}" for option in options))
    return lines


def _service_lines(service: ServiceDescriptor) -> list[str]:
    kind = option_of(service.GetOptions(), api_resource_kind)
    assert kind is not None
    lines = [f"service {service.full_name} api_resource_kind={api_resource_kind_pb2.ApiResourceKind.Name(kind)}"]
    for method in service.methods:
        options = method.GetOptions()
        text = f"  rpc {method.name} ({method.input_type.full_name}) returns ({method.output_type.full_name})"
        config = option_of(options, method_options_pb2.config)
        if config is not None:
            text += f" config: {_option_text(config)}"
        for flag in (method_options_pb2.is_public, method_options_pb2.is_skip_authorization):
            if option_of(options, flag) is not None:
                text += f" {flag.name}: {option_of(options, flag)}"
        assert not method.client_streaming
        assert not method.server_streaming
        lines.append(text)
    return lines


def _extension_lines(file: FileDescriptor) -> list[str]:
    lines = []
    for extension in file.extensions_by_name.values():
        kind = extension.message_type or extension.enum_type
        name = kind.full_name if kind else _SCALARS[extension.type]
        assert extension.containing_type is not None
        lines.append(
            f"extension {extension.full_name} of {extension.containing_type.full_name} = {extension.number} {name}"
        )
    return lines


def _lines(file: FileDescriptor) -> list[str]:
    lines = [f"file {file.name} package {file.package}"]
    for message in file.message_types_by_name.values():
        lines += _message_lines(message)
    for enum in file.enum_types_by_name.values():
        lines += _enum_lines(enum)
    for service in file.services_by_name.values():
        lines += _service_lines(service)
    return lines + _extension_lines(file)


def _tables() -> dict[str, list[str]]:
    """The wire tables by file; inside a file the order of the blocks is of no meaning, inside a block it is."""
    blocks: dict[str, list[str]] = {}
    for line in TABLES.read_text(encoding="utf-8").splitlines():
        if line.startswith("file "):
            lines = blocks.setdefault(line.split()[1], [])
        lines.append(line)
    return blocks


def _grouped(lines: list[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for line in lines:
        if not line.startswith("  "):
            group = groups.setdefault(line, [])
        else:
            group.append(line)
    return groups


def test_every_file_of_the_contract_is_there_and_no_other() -> None:
    assert {file.name for file in _files()} == set(_tables())


@pytest.mark.parametrize("file", _files(), ids=lambda file: file.name)
def test_descriptor_equals_the_wire_table(file: FileDescriptor) -> None:
    assert _grouped(_lines(file)) == _grouped(_tables()[file.name])


def test_generated_code_is_fresh() -> None:
    assert stale_files() == [], "run `make protos` and commit the result"
