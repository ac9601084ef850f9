"""Policies and questions in OpenFGA's words; pure.

Every policy that the wire contract allows becomes one tuple and no two become the same, whatever characters its ids
hold. OpenFGA reads `:`, `#`, `@` and blanks in an id as its own, and `*` as everybody, so what isn't plainly a letter,
a digit, `.`, `_` or `-` is percent-encoded; what is too long for OpenFGA then is its hash.
"""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple
from urllib.parse import quote

from reference_server.authorization.model import Ref, RelationTuple
from reference_server.authorization.openfga.rendering import ANY, HOLDER, NAMED, OTHER, Types, asked

OBJECT_MAX = 256
"""Of type, colon and id. Source: the rules of OpenFGA's `TupleKey.object`."""
_ROOM_FOR_TYPE = 24


class TupleKey(NamedTuple):
    """A tuple of OpenFGA, or a question about one."""

    user: str
    relation: str
    object: str


def tuples_of(types: Types, policy: RelationTuple) -> list[TupleKey]:
    """Return the tuple that says what a policy says. A set's comes with another that stays true whatever policies say.

    That other one says that whoever has a relation is a holder of it.
    """
    principal, relation, resource = policy
    kind, relation, id_ = _place(types, relation, resource)
    held = f"{kind}:{id_}"
    if not principal.relation:
        return [TupleKey(_user(types, principal), relation, held)]
    if ANY + relation in types[kind]:
        relation = ANY + relation
    named = f"{NAMED}:{_id([principal.kind, principal.relation, principal.id])}"
    own = TupleKey(f"{named}#{HOLDER}", relation, held)
    user = _user(types, principal)
    return [own] if user == own.user else [own, TupleKey(user, HOLDER, named)]


def question_of(types: Types, question: RelationTuple) -> TupleKey:
    """Return the question whether a principal has a relation or permission, by whatever way."""
    principal, relation, resource = question
    kind, relation, id_ = _place(types, relation, resource)
    return TupleKey(_user(types, principal), asked(types, kind, relation), f"{kind}:{id_}")


def _user(types: Types, principal: Ref) -> str:
    if not principal.relation:
        kind, parts = (
            (principal.kind, [principal.id]) if _knows(types, principal.kind) else (OTHER, list(principal[:2]))
        )
        return f"{kind}:{_id(parts)}"
    kind, relation, id_ = _place(types, principal.relation, principal)
    return f"{kind}:{id_}#{asked(types, kind, relation)}"


def _place(types: Types, relation: str, resource: Ref) -> tuple[str, str, str]:
    """Return type, relation and id under which a relation to a resource stands."""
    known = _knows(types, resource.kind)
    kind = resource.kind if known else OTHER
    if relation in types[kind] and not relation.startswith(ANY):
        return kind, relation, _id([resource.id] if known else list(resource[:2]))
    return NAMED, HOLDER, _id([resource.kind, relation, resource.id])


def _knows(types: Types, kind: str) -> bool:
    return kind in types and kind not in {OTHER, NAMED}


def _id(parts: list[str]) -> str:
    text = "/".join(quote(part, safe="").replace("~", "%7E") for part in parts)
    if not text:
        return "~"
    return text if len(text) <= OBJECT_MAX - _ROOM_FOR_TYPE else f"~{sha256(text.encode()).hexdigest()}"
