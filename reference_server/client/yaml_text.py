"""YAML 1.2 to plain values and back, so that what a file says is what is sent.

A file is read by the core schema of YAML 1.2 (<https://yaml.org/spec/1.2.2/#103-core-schema>): `no`, `22:22` and
`1_000` are text. What can be read in two ways (`010`, a key that is there twice, a merge key) is refused with its line.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml import events as told
from ruamel.yaml.error import YAMLError
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.representer import SafeRepresenter

from reference_server.client.failures import BadInput
from reference_server.client.source import DEPTH_MAX, Document, Path, Source, escaped, is_shown, too_deep

_NULL = re.compile(r"null|Null|NULL|~|")
_TRUE, _FALSE = frozenset({"true", "True", "TRUE"}), frozenset({"false", "False", "FALSE"})
_OCTAL_OR_NOT = re.compile(r"[-+]?0[0-9]+")
_INTEGERS = ((re.compile(r"[-+]?[0-9]+"), 10), (re.compile(r"0o[0-7]+"), 8), (re.compile(r"0x[0-9a-fA-F]+"), 16))
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_DIGITS_MAX = 1000
"""More are no number that any field takes, and Python refuses to convert them from 4,300 on."""
_BREAKS_OF_1_1 = re.compile("[\x85\u2028\u2029]")
_NODES_MAX = 1_000_000
"""So many values a file may stand for, aliases followed: no agent of 10 MiB has as many."""
_TEXT_TAGS = frozenset({None, "!", "tag:yaml.org,2002:str"})
_MAY_BE_OTHER = re.compile(r"[-+.0-9~=<]|(null|true|false|yes|no|on|off|y|n)$", re.IGNORECASE)
"""Text that some reader of YAML takes for something else: it is written in quotes."""


def read_yaml(text: str) -> Iterator[Document]:
    """Yield the documents of a text. Raises BadInput with the line of what is wrong or can be read in two ways."""
    found = _BREAKS_OF_1_1.search(text)
    if found:
        raise BadInput(
            f"line {text.count(chr(10), 0, found.start()) + 1}: holds the character U+{ord(found[0]):04X}, "
            "which readers of YAML take for different things",
            hint=f'Write {escaped(found[0])} in double quotes for it, as in "a{escaped(found[0])}b".',
        )
    try:
        yield from _Composer(YAML(typ="safe", pure=True).parse(text)).documents()
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise BadInput(
            f"line {line}: holds the character U+{error.character:04X}, which YAML doesn't allow as it stands",
            hint="Write it as an escape in double quotes, such as \\x1b.",
        ) from error
    except YAMLError as error:
        raise _told_error(error) from error


def _told_error(error: YAMLError) -> BadInput:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None) or str(error)
    where = "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "
    return BadInput(f"{where}neither YAML nor JSON: {problem}")


class _Composer:
    """Builds plain values from the events of a parser."""

    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events
        self._nodes = 0

    def documents(self) -> Iterator[Document]:
        for event in self._events:
            if isinstance(event, told.DocumentStartEvent):
                if event.version is not None and event.version < (1, 2):
                    raise BadInput(
                        f"line {_line(event)}: is written for YAML 1.1, where `no` is false and 010 is 8",
                        hint="Make it YAML 1.2 (check what isn't in quotes) and take the line %YAML 1.1 out.",
                    )
                self._anchors: dict[str, tuple[Any, int]] = {}
                self._sources: dict[Path, Source] = {}
                value = self._value(next(self._events), ())
                yield Document(value, self._sources)

    def _value(self, event: Any, path: Path) -> Any:  # noqa: ANN401 - any plain value
        """Return the value that begins with an event."""
        if len(path) > DEPTH_MAX:
            raise too_deep(f"line {_line(event)}")
        before = self._nodes
        self._count(1, event)
        if isinstance(event, told.AliasEvent):
            value, nodes = self._anchors.get(event.anchor, (None, -1))
            if nodes < 0:
                raise BadInput(f"line {_line(event)}: nothing has the anchor &{event.anchor}")
            self._count(nodes, event)
            return value
        value = self._new_value(event, path)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, self._nodes - before)
        return value

    def _new_value(self, event: Any, path: Path) -> Any:  # noqa: ANN401 - any plain value
        if isinstance(event, told.ScalarEvent):
            self._sources[path] = Source(_line(event), event.value)
            return _scalar(event)
        self._sources[path] = Source(_line(event), "")
        if isinstance(event, told.SequenceStartEvent):
            return [
                self._value(item, (*path, number)) for number, item in enumerate(self._until(told.SequenceEndEvent))
            ]
        found: dict[str, Any] = {}
        for key in self._until(told.MappingEndEvent):
            name = _key(key)
            if name in found:
                raise BadInput(
                    f"line {_line(key)}: the key {name!r} is there twice", hint="Keep one of them: which is meant?"
                )
            found[name] = self._value(next(self._events), (*path, name))
        return found

    def _until(self, end: type[Any]) -> Iterator[Any]:
        while not isinstance(event := next(self._events), end):
            yield event

    def _count(self, nodes: int, event: Any) -> None:  # noqa: ANN401 - any event
        self._nodes += nodes
        if self._nodes > _NODES_MAX:
            raise BadInput(f"line {_line(event)}: its aliases stand for more than {_NODES_MAX:,} values")


def _line(event: Any) -> int:  # noqa: ANN401 - any event
    return int(event.start_mark.line) + 1


def _key(event: Any) -> str:  # noqa: ANN401 - any event
    key = _scalar(event) if isinstance(event, told.ScalarEvent) else None
    if not isinstance(key, str):
        given = repr(event.value) if isinstance(event, told.ScalarEvent) else "this"
        raise BadInput(
            f"line {_line(event)}: {given} is a key that isn't text", hint="If it is meant as text, quote it."
        )
    if key == "<<" and event.style is None:
        raise BadInput(
            f"line {_line(event)}: YAML 1.2 has no merge keys (<<)", hint="Write the fields out, or quote the key."
        )
    return key


def _scalar(event: told.ScalarEvent) -> Any:  # noqa: ANN401 - text, number, truth value or None
    """Return what a scalar says: text in quotes and blocks, else by the core schema. Raises BadInput."""
    text = str(event.value)
    tag = None if event.ctag is None else str(event.ctag)
    if tag not in _TEXT_TAGS:
        raise BadInput(f"line {_line(event)}: the tag {tag} is not read", hint="Leave it out.")
    if event.style is not None or tag is not None:
        return _joined_surrogates(text, _line(event))
    if _OCTAL_OR_NOT.fullmatch(text):
        raise BadInput(
            f"line {_line(event)}: {text} is one number for readers of YAML 1.1 and another for those of 1.2",
            hint="If it is text, quote it; a number is written without the leading zero.",
        )
    return _plain(text)


def _plain(text: str) -> Any:  # noqa: ANN401 - text, number, truth value or None
    if _NULL.fullmatch(text):
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if len(text) <= _DIGITS_MAX:
        for pattern, base in _INTEGERS:
            if pattern.fullmatch(text):
                return int(text, base)
        if _FLOAT.fullmatch(text):
            return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


def _joined_surrogates(text: str, line: int) -> str:
    r"""Join what JSON writes as two escapes (`\ud83d\ude80`). Raises BadInput for half of a character."""
    if not any("\ud800" <= char <= "\udfff" for char in text):
        return text
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise BadInput(f"line {line}: holds half of a character (a lone surrogate), which is no text") from None


# ---- writing


class _Representer(SafeRepresenter):
    """Writes text of several lines as a block, the way people write instructions, and quotes what could be misread."""


def _text(representer: SafeRepresenter, text: str) -> Any:  # noqa: ANN401 - a node
    style = None
    if not all(char in "\t\n" or is_shown(char) for char in text) or _MAY_BE_OTHER.match(text):
        style = '"'
    elif "\n" in text:
        style = '"' if text[0] in " \n\t" else "|"
    return representer.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Representer.add_representer(str, _text)


def write_yaml(values: Iterable[Any]) -> str:
    """Write plain values as YAML documents that readers of YAML 1.1 and 1.2 read alike."""
    writer = YAML(typ="safe", pure=True)
    writer.Representer = _Representer
    writer.default_flow_style = False
    writer.allow_unicode = True
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment] # declared as None, used as a bool
    # Only blocks are broken into lines: a line that is folded and unfolded again has too many rules.
    writer.width = 1 << 30
    written = io.StringIO()
    writer.dump_all(values, written)
    # Characters that a terminal obeys stand in double quotes only (see `_text`), where an escape means the same.
    return escaped(written.getvalue())
