"""How a slug is made of a name: a small pure rule with its own tests."""

from __future__ import annotations

import re

_BLANK = re.compile(r"\s")
_DROPPED = re.compile(r"[^a-z0-9-]+")
_RUN = re.compile(r"-{2,}")
_ASCII = {
    code: "-" if _BLANK.match(chr(code)) else None if _DROPPED.match(chr(code).lower()) else chr(code).lower()
    for code in range(128)
}
"""What the rules make of each ASCII character: names are mostly of these, and one pass takes a third of the time."""


def slug_of(name: str) -> str:
    """Return the slug of a name; empty when nothing of the name can be kept.

    Lower-case, each white space character to a hyphen, then only ASCII letters, digits and hyphens, no run of
    hyphens, none at either end, no limit of length. Source: behaviour contract, step 3.
    """
    kept = name.translate(_ASCII) if name.isascii() else _DROPPED.sub("", _BLANK.sub("-", name.lower()))
    return (_RUN.sub("-", kept) if "--" in kept else kept).strip("-")
