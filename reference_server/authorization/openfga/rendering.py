"""The permission model in OpenFGA's words: which types and relations there are, and the same as JSON and as DSL; pure.

Four things in it have no counterpart in `model.toml`:

- A relation that others are linked by (`organization` of an agent) can be given to objects only, as OpenFGA asks of
  whatever stands behind `from`. A set that has the same relation has it as `any_organization`, which includes it.
- Type `other` stands for all kinds that the model doesn't know (groups, teams).
- Names that are asked for beyond a link (`member`, `can_view`) may be given on every type, as policies may.
- Type `named` stands for what a policy names: `named:agent/can_view/agt-1#holder` is everybody who can view agt-1. All
  sets are given relations so: were each relation open to each set by its own name, the model would have so many ways
  in a circle that OpenFGA doesn't check it in time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reference_server.authorization.model import Model, Term

SCHEMA_VERSION = "1.1"
OTHER, NAMED, HOLDER = "other", "named", "holder"
ANY = "any_"
_PLAIN = ("identity_account", "platform")
"""Kinds that are principals or resources without being in the model's table, or hardly."""


@dataclass(frozen=True, slots=True)
class Relation:
    """One relation of a type: who may be given it, and what implies it."""

    objects: bool
    """Objects may be given it, of whatever type."""
    sets: bool
    """Sets may be given it: everybody who has a relation to an object."""
    bridged: bool = False
    """Relations of other types lead to it, each by a tuple of its own."""
    terms: tuple[Term, ...] = ()


Types = Mapping[str, Mapping[str, Relation]]
"""By type, by relation."""


def types_of(model: Model) -> Types:
    """Return OpenFGA's types and relations for a model. Raises ValueError for names that get into each other's way."""
    beyond_links = {
        term.permission for kind in model.values() for terms in kind.values() for term in terms if term.link
    }
    types: dict[str, dict[str, Relation]] = {}
    for kind in (*dict.fromkeys((*_PLAIN, *model)), OTHER):
        permissions = model.get(kind, {})
        links = {term.link for terms in permissions.values() for term in terms if term.link}
        named = {term.permission for terms in permissions.values() for term in terms if not term.link}
        if kind == "platform":
            named.add("operator")
        relations: dict[str, Relation] = {}
        for link in sorted(links):
            relations[link] = Relation(objects=True, sets=False)
            relations[ANY + link] = Relation(objects=False, sets=True, terms=(Term(link),))
        for name in (*sorted((named | beyond_links) - links - permissions.keys()), *permissions):
            if name.startswith(ANY) or name in links:
                raise ValueError(f"permission model: [{kind}] {name}: the name can't be told from that of a link")
            terms = tuple(
                Term(_asked(links, term.permission)) if not term.link else term for term in permissions.get(name, ())
            )
            relations[name] = Relation(objects=True, sets=True, terms=terms)
        types[kind] = relations
    types[NAMED] = {HOLDER: Relation(objects=True, sets=True, bridged=True)}
    return types


def _asked(links: set[str], name: str) -> str:
    return ANY + name if name in links else name


def asked(types: Types, kind: str, relation: str) -> str:
    """Return what everybody has who has the relation to an object of this type, be it as an object or in a set."""
    return ANY + relation if ANY + relation in types[kind] else relation


def holders(types: Types, relation: Relation) -> list[tuple[str, str]]:
    """Return who may be given a relation: pairs of a type and, for sets, the relation that makes the set."""
    found: list[tuple[str, str]] = []
    if relation.objects:
        found += ((kind, "") for kind in types if kind != NAMED)
    if relation.sets:
        found.append((NAMED, HOLDER))
    if relation.bridged:
        found += (
            (kind, name) for kind in types if kind != NAMED for name in types[kind] if ANY + name not in types[kind]
        )
    return found


def model_json(types: Types) -> dict[str, Any]:
    """Return the body of OpenFGA's `WriteAuthorizationModel`."""
    return {"schema_version": SCHEMA_VERSION, "type_definitions": [_definition(types, kind) for kind in types]}


def _definition(types: Types, kind: str) -> dict[str, Any]:
    relations = types[kind]
    related = {
        name: {
            "directly_related_user_types": [
                {"type": holder, "relation": of} if of else {"type": holder} for holder, of in holders(types, relation)
            ]
        }
        for name, relation in relations.items()
    }
    return {
        "type": kind,
        "relations": {name: _rewrite(relation) for name, relation in relations.items()},
        "metadata": {"relations": related},
    }


def _rewrite(relation: Relation) -> dict[str, Any]:
    children: list[dict[str, Any]] = [{"this": {}}, *map(_child, relation.terms)]
    return children[0] if len(children) == 1 else {"union": {"child": children}}


def _child(term: Term) -> dict[str, Any]:
    if not term.link:
        return {"computedUserset": {"relation": term.permission}}
    return {"tupleToUserset": {"tupleset": {"relation": term.link}, "computedUserset": {"relation": term.permission}}}


def model_dsl(types: Types) -> str:
    """Return the model in OpenFGA's modelling language."""
    lines = ["model", f"  schema {SCHEMA_VERSION}"]
    for kind, relations in types.items():
        lines += ["", f"type {kind}", "  relations"]
        for name, relation in relations.items():
            given = ", ".join(f"{holder}#{of}" if of else holder for holder, of in holders(types, relation))
            terms = (f"{term.permission} from {term.link}" if term.link else term.permission for term in relation.terms)
            lines.append(f"    define {name}: " + " or ".join([f"[{given}]", *terms]))
    return "\n".join(lines) + "\n"


def same_model(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Say whether two models say the same, in whatever order, and with whatever else a server adds to them."""
    return _compared(one) == _compared(other)


def _compared(model: Mapping[str, Any]) -> dict[tuple[str, str], tuple[frozenset[tuple[str, str]], frozenset[str]]]:
    compared = {}
    for definition in model.get("type_definitions", ()):
        about = (definition.get("metadata") or {}).get("relations") or {}
        for name, rewrite in (definition.get("relations") or {}).items():
            given = (about.get(name) or {}).get("directly_related_user_types") or ()
            users = frozenset(
                (each["type"], each.get("relation") or ("*" if "wildcard" in each else "")) for each in given
            )
            children = (rewrite.get("union") or {}).get("child") or [rewrite]
            compared[definition["type"], name] = users, frozenset(map(_term_text, children))
    return compared


def _term_text(child: Mapping[str, Any]) -> str:
    if "tupleToUserset" in child:
        link = child["tupleToUserset"]
        return f"{link['computedUserset']['relation']} from {link['tupleset']['relation']}"
    if "computedUserset" in child:
        return str(child["computedUserset"]["relation"])
    return "this" if "this" in child else repr(child)
