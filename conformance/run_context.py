"""Where the checks of one run live: the run's own organizations, who may act in them, and what the target offers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from string import ascii_lowercase, digits
from typing import Literal
from zlib import crc32

from conformance.credentials import ROLES, Role

Profile = Literal["cloud", "oss"]
CHECK_CHARACTERS_MAX = 20
"""Of a check's id in a name: with run and number, and `-default` behind it, a name stays under 63 characters."""
DIGITS_MIN = 3
PROFILES: tuple[Profile, ...] = ("cloud", "oss")
CALLERS = ("operator", "org_admin", "org_member")
"""Roles that can be the ordinary caller of a cloud run, the first that is given."""


def _digits(number: int) -> str:
    """Return a number in base 36, with three digits at least: short, and in the order of the numbers."""
    found = ""
    while number or len(found) < DIGITS_MIN:
        number, digit = divmod(number, 36)
        found = (digits + ascii_lowercase)[digit] + found
    return found


def profile_named(text: str) -> Profile:
    """Return the profile of this name. Raises ValueError."""
    if text not in PROFILES:
        raise ValueError(f"unknown profile {text!r}; the profiles are: {', '.join(PROFILES)}")
    return "cloud" if text == "cloud" else "oss"


@dataclass(frozen=True)
class RunContext:
    """What every check of a run knows."""

    run_id: str
    profile: Profile
    org: str
    other_org: str
    roles: Mapping[str, Role] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    """Why a role can't be used, by role."""
    features: Mapping[str, bool] = field(default_factory=dict)
    """What is enforced."""
    served: Mapping[str, bool] = field(default_factory=dict)
    """What the probe found, declared or not."""
    declared: Mapping[str, bool | None] = field(default_factory=dict)
    """What the target said of itself; None where it said nothing."""
    seed: int = 0
    event_seconds: float = 5.0
    """How long an event may take to arrive."""
    scale: float = 1.0
    """1 for the default sizes of concurrent and repeated work; less for a quick run."""

    @property
    def cloud(self) -> bool:
        """Whether callers, policies, events and redaction exist."""
        return self.profile == "cloud"

    @property
    def own_orgs(self) -> tuple[str, ...]:
        """The organizations that exist for this run only."""
        return tuple(org for org in (self.org, self.other_org) if org.startswith(f"conform-{self.run_id}"))

    @cached_property
    def caller(self) -> str:
        """The role of ordinary calls: in the oss profile nobody asks, so it has no role."""
        return next((name for name in CALLERS if name in self.roles), "") if self.cloud else ""

    def name(self, check: str, number: int) -> str:
        """Return a name of a check in this run, fit for a slug.

        It is short: only a check of lengths may fail on a server that cuts what is long.
        """
        word = check.lower()
        short = word if len(word) <= CHECK_CHARACTERS_MAX else f"{word[:10].rstrip('-')}-{crc32(word.encode()):08x}"
        return f"c-{self.run_id}-{short}-{_digits(number)}"

    def identity(self, role: str) -> str:
        """Return the identity that the server knows a role by; `system` for the oss profile's caller."""
        return self.roles[role].id if role in self.roles else "system"

    def lacking(self, role: str) -> str:
        """Return why a role can't be used; empty if it can."""
        if role in self.roles or not self.cloud:
            return ""
        if role == "caller":
            return "" if self.caller else f"credentials of one of {', '.join(CALLERS)} are needed"
        if role not in ROLES:
            raise ValueError(f"no such role: {role}")
        return self.absent.get(role, f"no credentials for the role {role}: add [roles.{role}] to the credentials file")
