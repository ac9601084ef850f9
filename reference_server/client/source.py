"""Where a value of a file came from, and what the readers of files and the writers of terminals share."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from reference_server.client.failures import BadInput

Path = tuple[str | int, ...]
"""Names of fields, keys and numbers of items, from the document to a value."""

DEPTH_MAX = 100
"""Values within values: no resource has a tenth of it, and protobuf itself reads no deeper messages."""
_UNUSUAL = re.compile(r"[^\t\n -~]+")


@dataclass(frozen=True, slots=True)
class Source:
    """The line where a value begins (from 1), and the text of a scalar as it stands there."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file: its plain value, and where the parts of it came from, if that is known."""

    value: Any
    sources: Mapping[Path, Source] = field(default_factory=dict)


def too_deep(where: str) -> BadInput:
    """The error for values within values without end."""
    return BadInput(f"{where}: more than {DEPTH_MAX} brackets or levels within each other; no resource is that deep")


def yaml_escape(char: str) -> str:
    """Return a character as an escape in YAML's double quotes."""
    number = ord(char)
    return f"\\u{number:04x}" if char <= "\uffff" else f"\\U{number:08x}"


def is_shown(char: str) -> bool:
    """Whether a terminal shows a character, rather than obeys it: no control, no direction mark, no line separator."""
    return char == "\N{ZERO WIDTH JOINER}" or unicodedata.category(char) not in {"Cc", "Cf", "Zl", "Zp"}


def escaped(text: str, escape: Callable[[str], str] = yaml_escape) -> str:
    """Replace what isn't shown (tabs and line feeds excepted) by escapes: those of YAML's double quotes, or others."""
    return _UNUSUAL.sub(lambda run: "".join(char if is_shown(char) else escape(char) for char in run[0]), text)
