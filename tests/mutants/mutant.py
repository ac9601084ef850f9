"""What a mutant is, and the names of operations and steps that they are told with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.mutants.wrapping import Change

CREATE, UPDATE, APPLY, DELETE, GET = (f"agent-{verb}" for verb in ("create", "update", "apply", "delete", "get"))
REFERENCE, LIST, BY_AGENT = "agent-get-by-reference", "agent-list", "agent-instance-get-by-agent"
INSTANCE, ENVIRONMENT = "agent-instance-create", "environment-create"
VALIDATE, AUTHORIZE, SLUG, DUPLICATE, DEFAULTS = (
    "ValidateFieldConstraints",
    "Authorize",
    "ResolveSlug",
    "CheckDuplicate",
    "SetDefaults",
)
PERSIST, POLICIES, DEFAULT, STATUS = (
    "Persist",
    "CreateIamPolicies",
    "CreateDefaultInstance",
    "UpdateAgentStatusWithDefaultInstance",
)
PUBLISH, TRANSFORM, SEND = "Publish", "TransformResponse", "SendResponse"


@dataclass(frozen=True)
class Mutant:
    """One wrong server."""

    name: str
    sin: str
    change: Change
    profile: str = "cloud"
    config: Mapping[str, Any] = field(default_factory=dict)
    asked: tuple[str, ...] = ()
    """The requirements (ids or patterns) that it is judged by; empty: all."""
    full: bool = False
    """Whether it takes a run of ordinary size to find: what is rare, or shows on long pages only."""
    equivalent: str = ""
    """Why nothing outside can tell it from a right server; empty: something can."""
