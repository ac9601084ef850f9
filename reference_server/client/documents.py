"""Resources in files: what people write, and what the client prints.

A `.json` file, and what else parses as JSON, is read as JSON; everything else is YAML 1.2. Field names are those of
the .proto files; lowerCamelCase is read as well.
"""

from __future__ import annotations

import json
import sys
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from google.protobuf.message import Message

from reference_server.client.failures import BadInput
from reference_server.client.json_text import read_json, write_json
from reference_server.client.kinds import API_VERSION, KINDS, Kind
from reference_server.client.plain import from_plain, to_plain
from reference_server.client.source import Document
from reference_server.client.yaml_text import read_yaml, write_yaml

STANDARD_INPUT = "-"


def read_resources(path: str, kind: Kind) -> list[Message]:
    """Read the resources of a file (`-`: standard input): YAML documents, a JSON object, or an array of them.

    `api_version`, `kind` and the slug's name may be left out. Raises BadInput that says which file, document, line
    and field.
    """
    try:
        documents = [one for document in _documents(path) for one in _items(document)]
    except BadInput as error:
        raise BadInput(f"{path}: {error}", hint=error.hint) from error
    if not documents:
        raise BadInput(f"{path}: holds no resource")
    return [
        _resource(document, kind, f"{path}, document {number}" if len(documents) > 1 else path)
        for number, document in enumerate(documents, start=1)
    ]


def _documents(path: str) -> list[Document]:
    text = _text(path)
    is_json = path.endswith(".json")
    if is_json or text.lstrip()[:1] in {"{", "["}:
        try:
            return [read_json(text)]
        except json.JSONDecodeError as error:
            if is_json:
                raise BadInput(f"line {error.lineno}, column {error.colno}: is no JSON: {error.msg}") from error
    return [document for document in read_yaml(text) if document.value is not None]


def _text(path: str) -> str:
    try:
        data = sys.stdin.buffer.read() if path == STANDARD_INPUT else Path(path).read_bytes()
    except OSError as error:
        raise BadInput(str(error.strerror)) from error
    try:
        return data.removeprefix(BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        raise BadInput(f"not UTF-8 text ({error.reason} at byte {error.start})") from error


def _items(document: Document) -> Iterator[Document]:
    """Yield a document, or the items of one that is a list."""
    if not isinstance(document.value, list):
        yield document
        return
    for number, item in enumerate(document.value):
        sources = {path[1:]: source for path, source in document.sources.items() if path[:1] == (number,)}
        yield Document(item, sources)


def _resource(document: Document, kind: Kind, where: str) -> Message:
    if not isinstance(document.value, dict):
        raise BadInput(f"{where}: a resource is a mapping with metadata and spec, not {type(document.value).__name__}")
    fields = {"kind": kind.title, **document.value}
    if "apiVersion" not in fields:
        fields = {"api_version": API_VERSION, **fields}
    if fields["kind"] != kind.title:
        other = next((row.word for row in KINDS if row.title == fields["kind"]), None)
        hint = f"Use `parity {other}` for it." if other else ""
        raise BadInput(f"{where}: kind is {fields['kind']!r}; this command handles {kind.title!r}", hint=hint)
    message = kind.message_type()
    try:
        from_plain(Document(fields, document.sources), message)
    except BadInput as error:
        raise BadInput(f"{where}: {error}", hint=error.hint) from error
    return message


def as_yaml(resources: Iterable[Message]) -> str:
    """Write resources as YAML documents."""
    return write_yaml([to_plain(resource) for resource in resources])


def as_json(resources: Sequence[Message], *, one: bool) -> str:
    """Write a resource as a JSON object (`one`), or any number of them as an array."""
    plain = [to_plain(resource) for resource in resources]
    return write_json(plain[0] if one else plain)
