"""Who the suite may act as: a TOML file with a token and an identity for each role.

    organization = "acme"            # optional: use these instead of setting up organizations of the run's own
    other_organization = "other"

    [roles.operator]
    token = "..."
    id = "ida-..."

Tokens are sent and never written anywhere: evidence and reports name roles only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints, field_validator

from conformance.toml_file import read_toml

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


class _RoleTable(BaseModel):
    model_config = ConfigDict(strict=True)

    token: Annotated[str, StringConstraints(min_length=1)]
    id: Annotated[str, StringConstraints(min_length=1)]


class _File(BaseModel):
    model_config = ConfigDict(strict=True)

    organization: str = ""
    other_organization: str = ""
    roles: dict[str, _RoleTable] = {}

    @field_validator("roles")
    @classmethod
    def _are_known(cls, rows: dict[str, _RoleTable]) -> dict[str, _RoleTable]:
        for name in rows:
            if name not in ROLES:
                raise ValueError(f"unknown role {name!r}; the roles are: {', '.join(ROLES)}")
        return rows


def read_credentials(path: Path) -> Credentials:
    """Read a credentials file. Raises CredentialsInvalid."""
    file = read_toml(path, _File, CredentialsInvalid)
    if not (file.roles or file.organization):
        raise CredentialsInvalid(f"{path}: holds no role; write [roles.operator] with a token and an id")
    roles = {name: Role(name, row.id, row.token) for name, row in file.roles.items()}
    return Credentials(roles, file.organization, file.other_organization)
