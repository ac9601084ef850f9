"""Foreign text made safe to look at. What a server or a payload sent may hold anything.

Escaping for HTML, Markdown or XML is the renderer's; this module takes out what no format shows as it is: control
characters, characters that turn the direction of text around, and lengths that nobody reads.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

CARD_LIMIT = 4000
"""Characters of one request or response in a report; the evidence file has the whole."""
STRING_LIMIT = 400
LIST_LIMIT = 20
DEPTH_LIMIT = 24

_CONTROL = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\n\t"} | {0x7F: "\u2421"}
"""Control characters by their picture, as in `␀`. Line feeds and tabs are left alone."""
_HIDDEN = re.compile("[\u0080-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
"""Invisible characters and those that change the direction of text (a well-known way to show another text)."""
_NO_CHARACTER = re.compile("[\ud800-\udfff\ufffe\uffff]")
"""Half surrogates and non-characters: no XML and no UTF-8 may hold them."""


def visible(text: str) -> str:
    """Return text in which every hidden or forbidden character is shown by a name or a picture."""
    shown = _NO_CHARACTER.sub("\ufffd", text.translate(_CONTROL))
    return _HIDDEN.sub(lambda found: f"\u27e8U+{ord(found.group()):04X}\u27e9", shown)


def one_line(text: str) -> str:
    """Return visible text with all runs of blanks and line ends as one blank."""
    return " ".join(visible(text).split())


def cut(text: str, limit: int) -> str:
    """Return at most `limit` characters, to the end of a word if there is one near, and say how many were left out."""
    if len(text) <= limit:
        return text
    blank = text.rfind(" ", 2 * limit // 3, limit + 1)
    kept = text[: blank if blank > 0 else limit].rstrip()
    return f"{kept}… ({len(text) - len(kept)} more characters)"


def pretty(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return a JSON value indented, with long strings, long lists and deep nesting cut, at most CARD_LIMIT long."""
    text = orjson.dumps(_trimmed(value, DEPTH_LIMIT), option=orjson.OPT_INDENT_2).decode()
    return cut(text, CARD_LIMIT)


def _trimmed(value: Any, depth: int) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return cut(_NO_CHARACTER.sub("\ufffd", value), STRING_LIMIT)
    if isinstance(value, dict | list | tuple) and depth == 0:
        return "… (nested deeper)"
    if isinstance(value, dict):
        return {cut(str(key), STRING_LIMIT): _trimmed(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        more = [f"… ({len(value) - LIST_LIMIT} more)"] if len(value) > LIST_LIMIT else []
        return [_trimmed(item, depth - 1) for item in value[:LIST_LIMIT]] + more
    return value


def anchor(prefix: str, name: str) -> str:
    """Return an id for links inside a page: different names give different ids, of plain characters only."""
    safe = re.sub(r"[^A-Za-z0-9-]", lambda found: f"_{ord(found.group()):x}_", name)
    return f"{prefix}-{safe}"


def document_of(operation: str) -> str:
    """Return the page of the site of documents on an operation's requirements, without its ending: `agent-create`."""
    return re.sub(r"[^a-z0-9]+", "-", operation.lower()).strip("-") or "other"
