"""Who the suite may act as: a TOML file with a token and an identity for each role.

    organization = "acme"            # optional: use these instead of setting up organizations of the run's own
    other_organization = "other"

    [roles.operator]
    token = "..."
    id = "ida-..."

Tokens are sent and never written anywhere: evidence and reports name roles only.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROLES: tuple[str, ...] = ("operator", "org_admin", "org_member", "other_org_member", "nobody")
"""The roles that the behaviour contract names, strongest first."""


class CredentialsInvalid(Exception):
    """The credentials file can't be used; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Role:
    """One identity to call as."""

    name: str
    id: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Credentials:
    """The roles that were given, and the organizations, where those were given too."""

    roles: Mapping[str, Role] = field(default_factory=dict)
    organization: str = ""
    other_organization: str = ""


def read_credentials(path: Path) -> Credentials:
    """Read a credentials file. Raises CredentialsInvalid."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CredentialsInvalid(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CredentialsInvalid(f"{path}: not TOML: {error}") from error
    return _credentials(path, document)


def _credentials(path: Path, document: dict[str, Any]) -> Credentials:
    rows = document.get("roles", {})
    if not isinstance(rows, dict):
        raise CredentialsInvalid(f"{path}: `roles` must be a table of roles")
    for name in rows:
        if name not in ROLES:
            raise CredentialsInvalid(f"{path}: unknown role {name!r}; the roles are: {', '.join(ROLES)}")
    organizations = {name: document.get(name, "") for name in ("organization", "other_organization")}
    for name, value in organizations.items():
        if not isinstance(value, str):
            raise CredentialsInvalid(f"{path}: {name} must be a string")
    return Credentials({name: _role(path, name, row) for name, row in rows.items()}, **organizations)


def _role(path: Path, name: str, row: object) -> Role:
    if not isinstance(row, dict):
        raise CredentialsInvalid(f"{path}: [roles.{name}] must be a table with token and id")
    for part in ("token", "id"):
        if not isinstance(row.get(part), str) or not row[part]:
            raise CredentialsInvalid(f'{path}: [roles.{name}] needs {part} = "..."')
    return Role(name, id=row["id"], token=row["token"])
