"""The permission model and the decision made with it; pure but for a reader of policies.

The model is `model.toml` beside this file. Source of the rules: behaviour contract, step 2 and step 7.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple, Protocol

from reference_server.kinds import PLATFORM_ID


class Ref(NamedTuple):
    """A principal or a resource of a policy. A relation makes a principal a set: everybody who holds it."""

    kind: str
    id: str
    relation: str = ""


class Statement(NamedTuple):
    """What a policy says: this principal has this relation to this resource."""

    principal: Ref
    relation: str
    resource: Ref


PLATFORM = Ref("platform", PLATFORM_ID)
_PERMISSION_PREFIX = "can_"
"""Permissions are named so, in the wire contract and in the model; every other name is a relation."""


class PolicyReader(Protocol):
    """Where the decision finds its facts."""

    def known_allowed(self, decision: Statement) -> bool:
        """Say whether the decision was yes before and must still be; False says nothing."""
        ...

    def learn_allowed(self, decision: Statement) -> None:
        """Hear that the decision is yes."""
        ...

    def knows(self, statement: Statement) -> bool:
        """Say whether the statement is known to be stored, without looking; False says nothing."""
        ...

    def holds(self, statement: Statement) -> bool:
        """Say whether exactly this statement is stored."""
        ...

    def sets_with(self, relation: str, resource: Ref) -> Iterable[Ref]:
        """Yield the principals with a relation of their own that have `relation` to the resource."""
        ...

    def linked(self, relation: str, resource: Ref) -> Iterable[Ref]:
        """Yield the principals that have `relation` to the resource, for following links."""
        ...


@dataclass(frozen=True, slots=True)
class Term:
    """One way to hold a permission: `permission` here, or on what is linked by `link`."""

    permission: str
    link: str = ""


Model = Mapping[str, Mapping[str, tuple[Term, ...]]]


def parse_model(text: str) -> Model:
    """Read a model from TOML. Raises ValueError that names the kind and permission of a wrong term."""
    parsed: dict[str, dict[str, tuple[Term, ...]]] = {}
    for kind, permissions in tomllib.loads(text).items():
        parsed[kind] = {name: tuple(_term(kind, name, term) for term in terms) for name, terms in permissions.items()}
    return parsed


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
    names.sort(key=lambda name: name.startswith(_PERMISSION_PREFIX))
    return Ways(tuple(names), tuple((link, tuple(found)) for link, found in links.items()))


class Authorizer:
    """Decides whether a principal holds a permission on a resource."""

    def __init__(self, model: Model | None = None) -> None:
        self._model = default_model() if model is None else model
        self._known_ways = {
            (kind, name): ways_to(permissions, name)
            for kind, permissions in self._model.items()
            for name in permissions
        }

    def allows(self, principal: Ref, permission: str, resource: Ref, policies: PolicyReader) -> bool:
        """Say whether `principal` holds `permission` on `resource`, be it a relation or a permission.

        Costs a few look-ups in the policies, however many there are. An operator of the platform holds every
        permission, but that makes nobody an owner or a member: relations are only what policies say.
        """
        decision = Statement(principal, permission, resource)
        if policies.known_allowed(decision):
            return True
        allowed = self._holds(principal, permission, resource, policies, set()) or (
            permission.startswith(_PERMISSION_PREFIX) and self.is_operator(principal, policies)
        )
        if allowed:
            policies.learn_allowed(decision)
        return allowed

    def is_operator(self, principal: Ref, policies: PolicyReader) -> bool:
        """Say whether `principal` is an operator of the platform."""
        return self._holds(principal, "operator", PLATFORM, policies, set())

    def _holds(
        self, principal: Ref, permission: str, resource: Ref, policies: PolicyReader, seen: set[tuple[str, Ref]]
    ) -> bool:
        """From the cheapest question to the dearest: what is known, what policies say, links, sets."""
        if (permission, resource) in seen:
            return False
        seen.add((permission, resource))
        ways = self._ways(resource.kind, permission)
        statements = [Statement(principal, name, resource) for name in ways.names]
        if any(map(policies.knows, statements)) or any(map(policies.holds, statements)):
            return True
        for link, names in ways.links:
            for target in policies.linked(link, resource):
                if any(self._holds(principal, name, target, policies, seen) for name in names):
                    return True
        for name in ways.names:
            for group in policies.sets_with(name, resource):
                parent = Ref(group.kind, group.id)
                if group == principal or self._holds(principal, group.relation, parent, policies, seen):
                    return True
        return False

    def _ways(self, kind: str, permission: str) -> Ways:
        # A name that isn't in the model is held by its own policy only; callers may ask for any, so none is kept.
        return self._known_ways.get((kind, permission)) or Ways((permission,), ())
