"""The permission model, and the words that policies are made of; pure.

The model is `model.toml` beside this file. Source of the rules: behaviour contract, step 2 and step 7.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError


class Ref(NamedTuple):
    """A principal or a resource of a policy. A relation makes a principal a set: everybody who holds it."""

    kind: str
    id: str
    relation: str = ""


class RelationTuple(NamedTuple):
    """What a policy says: this principal has this relation to this resource."""

    principal: Ref
    relation: str
    resource: Ref


PLATFORM = Ref("platform", "stigmer")
"""The one platform resource; its id is the value of `PlatformIdValue` in the wire contract."""
PERMISSION_PREFIX = "can_"
"""Permissions are named so, in the wire contract and in the model; every other name is a relation."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The identity behind a request."""

    id: str
    ref: Ref = field(init=False)
    """The caller as a principal of policies."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "ref", Ref("identity_account", self.id))


SYSTEM = Caller("system")
"""Who acts in the oss profile, and in what the server does by itself."""


@dataclass(frozen=True, slots=True)
class Term:
    """One way to hold a permission: `permission` here, or on what is linked by `link`."""

    permission: str
    link: str = ""


Model = Mapping[str, Mapping[str, tuple[Term, ...]]]
"""By kind, by permission: all the ways to hold it."""
_TABLES = TypeAdapter(dict[str, dict[str, list[str]]])


def parse_model(text: str) -> Model:
    """Read a model from TOML. Raises ValueError that names the kind and permission of a wrong term."""
    try:
        tables = _TABLES.validate_python(tomllib.loads(text))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ValueError(f"permission model: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    return {
        kind: {name: tuple(_term(kind, name, term) for term in terms) for name, terms in permissions.items()}
        for kind, permissions in tables.items()
    }


def _term(kind: str, permission: str, text: str) -> Term:
    link, arrow, name = text.rpartition("->")
    if not name or (arrow and not link):
        raise ValueError(f"permission model: [{kind}] {permission}: {text!r} is neither 'name' nor 'link->name'")
    return Term(name, link)


@cache
def default_model() -> Model:
    """Return the model that ships with the server."""
    return parse_model(Path(__file__).with_name("model.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Ways:
    """All the ways to hold a permission: any of `names` here, or any of the names beyond a link."""

    names: tuple[str, ...]
    links: tuple[tuple[str, tuple[str, ...]], ...]


def ways_to(permissions: Mapping[str, tuple[Term, ...]], permission: str) -> Ways:
    """Follow the terms of one kind to everything that implies a permission; relations come before permissions."""
    names, links = [permission], dict[str, list[str]]()
    for name in names:
        for term in permissions.get(name, ()):
            found = links.setdefault(term.link, []) if term.link else names
            if term.permission not in found:
                found.append(term.permission)
    names.sort(key=lambda name: name.startswith(PERMISSION_PREFIX))
    return Ways(tuple(names), tuple((link, tuple(found)) for link, found in links.items()))
