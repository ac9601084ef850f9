"""Templates of `-o jsonpath=…`, as kubectl has them: text with `{.metadata.name}` in it, and `{range}` … `{end}`.

What stands in braces is a path of RFC 9535 whose `$` may be left out. Source of the form:
<https://kubernetes.io/docs/reference/kubectl/jsonpath/>.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jsonpath

from reference_server.client.failures import BadInput

_PIECE = re.compile(r"\{(?P<inner>(?:[^{}'\"]|'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")*)\}|(?P<text>[^{}]+)")
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'")
_RANGE, _END = "range", "end"


@dataclass(frozen=True, slots=True)
class _Text:
    text: str


@dataclass(frozen=True, slots=True)
class _Path:
    path: jsonpath.JSONPath | jsonpath.CompoundJSONPath


@dataclass(frozen=True, slots=True)
class _Range:
    path: jsonpath.JSONPath | jsonpath.CompoundJSONPath
    parts: tuple[Any, ...]


class Template:
    """A template, ready to be filled."""

    def __init__(self, text: str) -> None:
        """Raises BadInput for what is no template."""
        self._source = text
        pieces = list(self._pieces(text if "{" in text else f"{{{text}}}"))
        self._parts, rest = self._block(pieces)
        if rest:
            raise BadInput(f"jsonpath {text}: {{end}} without {{range}}")

    def fill(self, value: Any) -> str:  # noqa: ANN401 - any plain value
        """Return the text for a value. What a path doesn't find is nothing."""
        return "".join(_filled(self._parts, value))

    def find(self, value: Any) -> list[Any]:  # noqa: ANN401 - any plain value
        """Return what the template's paths find. Text between them is left out."""
        return [found for part in self._parts if isinstance(part, _Path) for found in part.path.findall(value)]

    def _pieces(self, text: str) -> Iterator[tuple[str, str]]:
        end = 0
        while end < len(text):
            found = _PIECE.match(text, end)
            if found is None:
                raise BadInput(f"jsonpath {text}: a brace isn't closed", hint="Write {.metadata.name}, for example.")
            yield ("text", found["text"]) if found["text"] is not None else ("inner", found["inner"].strip())
            end = found.end()

    def _block(self, pieces: list[tuple[str, str]]) -> tuple[tuple[Any, ...], list[tuple[str, str]]]:
        """Return the parts up to an `{end}`, and the pieces from there."""
        parts: list[Any] = []
        while pieces:
            (sort, text), pieces = pieces[0], pieces[1:]
            if sort == "inner" and text == _END:
                return tuple(parts), [(sort, text), *pieces]
            if sort == "inner" and text.startswith(f"{_RANGE} "):
                inner, rest = self._block(pieces)
                if not rest:
                    raise BadInput(f"jsonpath {self._source}: {{range}} without {{end}}")
                parts.append(_Range(self._path(text.removeprefix(_RANGE).strip()), inner))
                pieces = rest[1:]
            else:
                parts.append(self._simple(sort, text))
        return tuple(parts), []

    def _simple(self, sort: str, text: str) -> _Text | _Path:
        if sort == "text":
            return _Text(text)
        if _QUOTED.fullmatch(text):
            return _Text(self._unquoted(text))
        return _Path(self._path(text))

    def _unquoted(self, text: str) -> str:
        """Return what a text in single or double quotes says, by the escapes of JSON."""
        inner = text[1:-1]
        if text.startswith("'"):
            inner = inner.replace("\\'", "'").replace('"', '\\"')
        try:
            return str(json.loads(f'"{inner}"'))
        except json.JSONDecodeError as error:
            raise BadInput(f"jsonpath {self._source}: {text} has an escape that JSON hasn't") from error

    def _path(self, text: str) -> jsonpath.JSONPath | jsonpath.CompoundJSONPath:
        path = text if text.startswith("$") else f"${text.removeprefix('@')}" if text[:1] in ".[@" else f"$.{text}"
        try:
            return jsonpath.compile("$" if path == "$." else path)
        except jsonpath.JSONPathError as error:
            reason = str(error).splitlines()[0]
            raise BadInput(f"jsonpath {self._source}: {text!r} is no path: {reason}") from error


def _filled(parts: tuple[Any, ...], value: Any) -> Iterator[str]:  # noqa: ANN401 - any plain value
    for part in parts:
        if isinstance(part, _Text):
            yield part.text
        elif isinstance(part, _Path):
            yield " ".join(_word(found) for found in part.path.findall(value))
        else:
            for item in part.path.findall(value):
                yield from _filled(part.parts, item)


def _word(value: Any) -> str:  # noqa: ANN401 - any plain value
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
