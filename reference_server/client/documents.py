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


def read_resources(path: str, kind: Kind | None) -> list[tuple[Kind, Message]]:
    """Read the resources of a file (`-`: standard input): YAML documents, a JSON object, or an array of them.

    `api_version` may be left out, and `kind` where one kind is wanted. Raises BadInput that says which file, document,
    line and field.
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


def _resource(document: Document, wanted: Kind | None, where: str) -> tuple[Kind, Message]:
    if not isinstance(document.value, dict):
        raise BadInput(f"{where}: a resource is a mapping with metadata and spec, not {type(document.value).__name__}")
    kind = _kind(document.value.get("kind"), wanted, where)
    fields = {"kind": kind.title, **document.value}
    if "apiVersion" not in fields:
        fields = {"api_version": API_VERSION, **fields}
    message = kind.message_type()
    try:
        from_plain(Document(fields, document.sources), message)
    except BadInput as error:
        raise BadInput(f"{where}: {error}", hint=error.hint) from error
    return kind, message


def _kind(title: object, wanted: Kind | None, where: str) -> Kind:
    """Return the kind of a document that says `title`, or nothing. Raises BadInput."""
    if title is None and wanted is not None:
        return wanted
    found = next((row for row in KINDS if row.title == title), None)
    titles = ", ".join(row.title for row in KINDS)
    if title is None:
        raise BadInput(f"{where}: says no kind", hint=f"Write one of: kind: {titles}.")
    if found is None or wanted not in {None, found}:
        hint = f"Use `parity {found.word}` for it, or `parity apply`." if found else f"There are: {titles}."
        handles = titles if wanted is None else wanted.title
        raise BadInput(f"{where}: kind is {title!r}; this command handles {handles}", hint=hint)
    return found


def as_yaml(resources: Iterable[Message]) -> str:
    """Write resources as YAML documents."""
    return write_yaml([to_plain(resource) for resource in resources])


def as_json(resources: Sequence[Message], *, one: bool) -> str:
    """Write a resource as a JSON object (`one`), or any number of them as an array."""
    plain = [to_plain(resource) for resource in resources]
    return write_json(plain[0] if one else plain)
