"""The slug of a name, as a server derives it: what two agents of one scope may not share."""

from __future__ import annotations

import re

_BLANKS = re.compile(r"\s+")
_DROPPED = re.compile(r"[^a-z0-9-]")
_HYPHENS = re.compile(r"-+")


def slug_of(name: str) -> str:
    """Return the slug of a name; empty when the name has no ASCII letter or digit."""
    hyphenated = _BLANKS.sub("-", name.lower())
    return _HYPHENS.sub("-", _DROPPED.sub("", hyphenated)).strip("-")


def distinct(slug: str, taken: set[str]) -> str:
    """Return the slug, or with the first free number behind it, and mark it as taken."""
    candidate, number = slug, 1
    while candidate in taken:
        number += 1
        candidate = f"{slug}-{number}"
    taken.add(candidate)
    return candidate
