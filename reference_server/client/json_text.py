"""JSON to plain values and back. Read as JSON, by Python's own reader; a key that is there twice is refused."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from reference_server.client.failures import BadInput
from reference_server.client.source import Document, escaped, too_deep

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]')


class _KeyTwice(Exception):
    """An object has a key twice."""


def read_json(text: str) -> Document:
    """Read a text that is one JSON value. Raises BadInput; JSONDecodeError when it is no JSON."""
    try:
        value = json.loads(text, parse_constant=_no_number, object_pairs_hook=_object)
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise too_deep("JSON") from None
    except UnicodeEncodeError:
        raise BadInput("holds half of a character (a lone surrogate), which is no text") from None
    except json.JSONDecodeError:
        raise
    except _KeyTwice:
        line, key = _first_key_twice(text)
        raise BadInput(f"line {line}: the key {key} is there twice", hint="Keep one of them: which is meant?") from None
    except ValueError:  # Python converts no number of more than 4,300 digits
        raise BadInput("holds a number of more digits than any field takes") from None
    return Document(value)


def _no_number(text: str) -> NoReturn:
    raise BadInput(f"{text} is no number of JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _KeyTwice
    return found


def _first_key_twice(text: str) -> tuple[int, str]:
    """Return line and text of the first key that its object has already. The text is JSON, and has one."""
    keys: list[set[str] | None] = []
    before = ""
    for token in _TOKEN.finditer(text):
        found = token[0]
        if found in {"{", "["}:
            keys.append(set() if found == "{" else None)
        elif found in {"}", "]"}:
            keys.pop()
        elif found.startswith('"') and before in {"{", ","} and keys and keys[-1] is not None:
            key = json.loads(found)
            if key in keys[-1]:
                return text.count("\n", 0, token.start()) + 1, found
            keys[-1].add(key)
        before = found
    raise AssertionError("the reader has seen a key twice")


def write_json(value: Any) -> str:  # noqa: ANN401 - any plain value
    """Write a plain value as JSON; characters that a terminal obeys are written as escapes."""
    return _escaped(json.dumps(value, indent=2, ensure_ascii=False)) + "\n"


def write_json_line(value: Any) -> str:  # noqa: ANN401 - any plain value
    """Write a plain value as one line of JSON, without its end."""
    return _escaped(json.dumps(value, ensure_ascii=False))


def _escaped(text: str) -> str:
    return escaped(text, lambda char: json.dumps(char)[1:-1])
