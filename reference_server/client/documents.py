"""Resources as YAML and JSON: what people write in files, and what the client prints.

JSON is YAML, so one reader serves both. Field names are those of the .proto files; lowerCamelCase is read as well.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import json_format
from google.protobuf.message import Message

from reference_server.client.failures import BadInput
from reference_server.client.kinds import API_VERSION, KINDS, Kind

STANDARD_INPUT = "-"
_FIELD_OF_ERROR = re.compile(r"^Failed to parse (\S+) field: ")


class _Loader(yaml.SafeLoader):
    """SafeLoader that leaves dates as the text they are: the fields of the schema are text."""


_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class _Dumper(yaml.SafeDumper):
    """SafeDumper that writes text of several lines as a block, the way people write instructions."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def read_resources(path: str, kind: Kind) -> list[Message]:
    """Read the resources of a file (`-`: standard input), one or several YAML documents.

    `api_version`, `kind` and the slug's name may be left out. Raises BadInput that says which file, which document
    and which field.
    """
    try:
        text = sys.stdin.read() if path == STANDARD_INPUT else Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from error
    try:
        documents = [document for document in yaml.load_all(text, _Loader) if document is not None]
    except yaml.YAMLError as error:
        raise BadInput(f"{path}: neither YAML nor JSON: {error}") from error
    if not documents:
        raise BadInput(f"{path}: holds no resource")
    return [
        _resource(document, kind, f"{path}, document {number}" if len(documents) > 1 else path)
        for number, document in enumerate(documents, start=1)
    ]


def _resource(document: object, kind: Kind, where: str) -> Message:
    if not isinstance(document, dict):
        raise BadInput(f"{where}: a resource is a mapping with metadata and spec, not {type(document).__name__}")
    fields: dict[Any, Any] = {"api_version": API_VERSION, "kind": kind.title, **document}
    if "apiVersion" in fields:
        del fields["api_version"]
    if fields["kind"] != kind.title:
        other = next((row.word for row in KINDS if row.title == fields["kind"]), None)
        hint = f"Use `parity {other}` for it." if other else ""
        raise BadInput(f"{where}: kind is {fields['kind']!r}; this command handles {kind.title!r}", hint=hint)
    try:
        return json_format.ParseDict(fields, kind.message_type())
    except json_format.ParseError as error:
        raise BadInput(f"{where}: {_plain(str(error))}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise BadInput(f"{where}: is not a resource: {error}") from error


def _plain(message: str) -> str:
    """Turn `Failed to parse spec field: Failed to parse icon field: ...` into `spec.icon: ...`."""
    path: list[str] = []
    while found := _FIELD_OF_ERROR.match(message):
        path.append(found.group(1))
        message = message[found.end() :]
    text = message.rstrip(".")
    return f"{'.'.join(path)}: {text}" if path else text


def to_plain(resource: Message) -> dict[str, Any]:
    """Return a resource as plain values, fields in the order of the schema."""
    return json_format.MessageToDict(resource, preserving_proto_field_name=True)


def as_yaml(resources: Iterable[Message]) -> str:
    """Write resources as YAML documents."""
    documents = [to_plain(resource) for resource in resources]
    return yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def as_json(resources: Iterable[Message], *, one: bool) -> str:
    """Write a resource as a JSON object (`one`), or any number of them as an array."""
    documents = [to_plain(resource) for resource in resources]
    return json.dumps(documents[0] if one else documents, indent=2, ensure_ascii=False) + "\n"
