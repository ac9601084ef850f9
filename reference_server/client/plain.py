"""Messages as plain values and back, without loss: every field by its name in the .proto files.

Where a message holds fields of a newer schema, their bytes stand under the key `@unknown`, in base64.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import re
from typing import Any, NoReturn

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from reference_server.client.failures import BadInput
from reference_server.client.source import DEPTH_MAX, Document, Path, too_deep

UNKNOWN = "@unknown"
_DECIMAL = re.compile(r"0|-?[1-9][0-9]{0,19}")
_RANGES = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.TYPE_ENUM: (-(2**31), 2**31 - 1),
}
_ENUM = FieldDescriptor.TYPE_ENUM
_WELL_KNOWN = "google.protobuf."
"""Its messages have forms of their own in JSON, such as a time; protobuf's own code reads them."""

# ---- from messages


def to_plain(message: Message) -> dict[str, Any]:
    """Return a message as plain values, fields in the order of the schema."""
    plain: dict[str, Any] = json_format.MessageToDict(message, preserving_proto_field_name=True)
    _add_unknown(message, plain)
    return plain


def _add_unknown(message: Any, plain: dict[str, Any]) -> None:  # noqa: ANN401 - a message of any type
    if len(UnknownFieldSet(message)):
        rest = type(message)()
        rest.CopyFrom(message)
        for field, _ in message.ListFields():
            rest.ClearField(field.name)
        plain[UNKNOWN] = base64.b64encode(rest.SerializeToString()).decode()
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.full_name.startswith(_WELL_KNOWN):
            continue
        if _is_map(field):
            if field.message_type.fields_by_name["value"].message_type is not None:
                for key in value:
                    _add_unknown(value[key], plain[field.name][str(key)])
        elif field.is_repeated:
            for item, part in zip(value, plain[field.name], strict=True):
                _add_unknown(item, part)
        else:
            _add_unknown(value, plain[field.name])


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


# ---- to messages


def from_plain(document: Document, message: Message) -> None:
    """Fill an empty message from a document. Raises BadInput naming the field, its line, and what it may be."""
    _Filling(document).message(message, document.value, ())


class _Filling:
    """Fills messages from the values of one document; nothing is converted that isn't the field's own type."""

    def __init__(self, document: Document) -> None:
        self._sources = document.sources

    def message(self, message: Any, value: Any, path: Path) -> None:  # noqa: ANN401 - any message, any plain value
        """Set the fields that the mapping `value` names."""
        if len(path) > DEPTH_MAX:
            raise too_deep(self._where(path))
        descriptor: Descriptor = message.DESCRIPTOR
        if descriptor.full_name.startswith(_WELL_KNOWN):
            self._well_known(message, value, path)
            return
        if not isinstance(value, dict):
            self._refuse(path, f"is a mapping of fields, not {_named(value)}")
        seen: dict[str, str] = {}
        for key, part in value.items():
            if key == UNKNOWN:
                self._unknown(message, part, (*path, key))
                continue
            field = self._field(descriptor, key, path)
            if seen.setdefault(field.name, key) != key:
                self._refuse((*path, key), f"is the same field as {seen[field.name]}", "Keep one of them.")
            self._given(message, field, part, (*path, key))

    def _given(self, message: Any, field: FieldDescriptor, value: Any, path: Path) -> None:  # noqa: ANN401
        """Set one field. Null is a field that isn't set, unless it is written `~` where text belongs."""
        if value is None:
            source = self._sources.get(path)
            if field.type == FieldDescriptor.TYPE_STRING and source is not None and source.text == "~":
                self._refuse(path, "~ means nothing at all", "If it is meant as text, quote it; else leave it out.")
            return
        oneof = field.containing_oneof
        if oneof is not None and message.WhichOneof(oneof.name) not in {None, field.name}:
            self._refuse(path, f"excludes {message.WhichOneof(oneof.name)}", "Keep one of them.")
        if _is_map(field):
            self._map(getattr(message, field.name), field, value, path)
        elif field.is_repeated:
            self._list(getattr(message, field.name), field, value, path)
        elif field.message_type is not None:
            part = getattr(message, field.name)
            part.SetInParent()
            self.message(part, value, path)
        else:
            setattr(message, field.name, self._scalar(field, value, path))

    def _map(self, target: Any, field: FieldDescriptor, value: Any, path: Path) -> None:  # noqa: ANN401
        if not isinstance(value, dict):
            self._refuse(path, f"is a mapping, not {_named(value)}")
        assert field.message_type is not None  # noqa: S101 - a map's entries are messages
        inner = field.message_type.fields_by_name["value"]
        for key, item in value.items():
            if inner.message_type is not None:
                self.message(target[key], item, (*path, key))
            else:
                target[key] = self._scalar(inner, item, (*path, key))

    def _list(self, target: Any, field: FieldDescriptor, value: Any, path: Path) -> None:  # noqa: ANN401
        if not isinstance(value, list):
            self._refuse(path, f"is a list, not {_named(value)}")
        for number, item in enumerate(value):
            if field.message_type is not None:
                self.message(target.add(), item, (*path, number))
            else:
                target.append(self._scalar(field, item, (*path, number)))

    def _scalar(self, field: FieldDescriptor, value: Any, path: Path) -> Any:  # noqa: ANN401 - the field's type
        if field.type == FieldDescriptor.TYPE_STRING:
            if not isinstance(value, str):
                self._refuse(path, f"is text, not {self._told(value, path)}", "If it is meant as text, quote it.")
            return value
        if field.type == FieldDescriptor.TYPE_BOOL:
            if not isinstance(value, bool):
                self._refuse(path, f"is true or false, not {self._told(value, path)}", "Write true or false, unquoted.")
            return value
        if field.type == _ENUM and (isinstance(value, bool) or not isinstance(value, int)):
            return self._enum(field, value, path)
        return self._integer(field, value, path)

    def _enum(self, field: FieldDescriptor, value: Any, path: Path) -> int:  # noqa: ANN401 - any plain value
        assert field.enum_type is not None  # noqa: S101 - an enum field has its type
        found = field.enum_type.values_by_name.get(value) if isinstance(value, str) else None
        if found is None:
            self._refuse(
                path, f"can't be {self._told(value, path)}", f"It can be: {', '.join(field.enum_type.values_by_name)}."
            )
        return int(found.number)

    def _integer(self, field: FieldDescriptor, value: Any, path: Path) -> int:  # noqa: ANN401 - any plain value
        if isinstance(value, str) and _DECIMAL.fullmatch(value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            self._refuse(path, f"is a whole number, not {self._told(value, path)}", "Write its digits alone, as in 30.")
        low, high = _RANGES[field.type]
        if not low <= value <= high:
            self._refuse(path, f"is between {low} and {high}, not {value}")
        return value

    def _well_known(self, message: Message, value: Any, path: Path) -> None:  # noqa: ANN401
        try:
            json_format.ParseDict(value, message)
        except (json_format.ParseError, TypeError, ValueError, AttributeError) as error:
            self._refuse(path, f"is no {message.DESCRIPTOR.name}: {error}")

    def _unknown(self, message: Message, value: Any, path: Path) -> None:  # noqa: ANN401
        try:
            message.MergeFromString(base64.b64decode(value, validate=True))
        except (binascii.Error, DecodeError, TypeError, ValueError):
            self._refuse(path, "is no base64 of fields", "It is written by get -o yaml; leave it as it is, or out.")

    def _field(self, descriptor: Descriptor, name: str, path: Path) -> FieldDescriptor:
        found = next((row for row in descriptor.fields if name in {row.name, row.json_name}), None)
        if found is None:
            near = difflib.get_close_matches(name, [row.name for row in descriptor.fields], 1)
            hint = f"Is {near[0]} meant?" if near else f"There are: {', '.join(r.name for r in descriptor.fields)}."
            self._refuse((*path, name), "there is no such field", hint)
        return found

    def _told(self, value: Any, path: Path) -> str:  # noqa: ANN401 - any plain value
        source = self._sources.get(path)
        if value is None or source is None or not source.text:
            return _named(value)
        return f"the {_named(value).removeprefix('a ')} {source.text}"

    def _where(self, path: Path) -> str:
        source = self._sources.get(path)
        name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
        return (f"line {source.line}: " if source else "") + (name or "a resource")

    def _refuse(self, path: Path, problem: str, hint: str = "") -> NoReturn:
        raise BadInput(f"{self._where(path)}: {problem}", hint=hint)


_NAMES: tuple[tuple[type, str], ...] = (
    (bool, "a truth value"),
    (int, "a number"),
    (float, "a number"),
    (str, "a text"),
    (list, "a list"),
    (dict, "a mapping"),
)


def _named(value: Any) -> str:  # noqa: ANN401 - any plain value
    return next((name for kind, name in _NAMES if isinstance(value, kind)), "nothing")
