"""Label selectors: which resources `-l` means. In kubectl's words: `a=b`, `a!=b`, `a`, `!a`, `a in (b)`, `a notin (b)`.

All terms must hold. As in kubectl, `a!=b` and `a notin (b)` hold for a resource without the label, too.
Source: <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors>.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from reference_server.client.failures import BadInput

Labels = Mapping[str, str]
Selector = Callable[[Labels], bool]

_TERMS = re.compile(r",(?![^(]*\))")
_SET = re.compile(r"(?P<key>[^\s=!,()]+)\s+(?P<word>in|notin)\s*\((?P<values>[^()]*)\)")
_EQUAL = re.compile(r"(?P<key>[^\s=!,()]+)\s*(?P<sign>==|=|!=)\s*(?P<value>[^=!()]*)")
_THERE = re.compile(r"(?P<absent>!?)\s*(?P<key>[^\s=!,()]+)")


def selector(text: str) -> Selector:
    """Return what tells whether labels fit; an empty text fits all. Raises BadInput."""
    terms = [_term(part.strip(), text) for part in _TERMS.split(text)] if text.strip() else []
    return lambda labels: all(term(labels) for term in terms)


def _term(term: str, text: str) -> Selector:
    if found := _SET.fullmatch(term):
        return _one_of(found["key"], {value.strip() for value in found["values"].split(",")}, found["word"] == "in")
    if found := _EQUAL.fullmatch(term):
        return _one_of(found["key"], {found["value"].strip()}, found["sign"] != "!=")
    if found := _THERE.fullmatch(term):
        key, wanted = found["key"], not found["absent"]
        return lambda labels: (key in labels) is wanted
    raise BadInput(
        f"-l {text}: {term!r} is no selector", hint="Write label=value, label!=value, label, !label or label in (a,b)."
    )


def _one_of(key: str, values: set[str], wanted: bool) -> Selector:
    return lambda labels: (key in labels and labels[key] in values) is wanted
