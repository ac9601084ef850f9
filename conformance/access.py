"""Who may call what, in the cloud profile: one row per method, from which requirements and checks are made.

Source: behaviour contract, step 2 and AUTH; wire contract, the methods' authorization options. A new method is one row.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import protovalidate

from conformance.methods import METHODS

_MEMBERS = ("operator", "org_admin", "org_member")
_EDITORS = ("operator", "org_admin", "owner")
_STRANGERS = CREATORS_NOT = ("other_org_member", "nobody")
"""They may neither see nor create anything in the run's organization."""


@dataclass(frozen=True)
class Access:
    """One method, who may call it on a resource of the run's organization, and who may not.

    The roles are those of credentials files, and `owner`: a member who made the resource himself. Where nobody is
    named, any known caller may call, and what he is shown is another matter. `optional` methods may be UNIMPLEMENTED.
    """

    method: str
    may: tuple[str, ...] = ()
    may_not: tuple[str, ...] = ()
    optional: bool = False

    @property
    def credentials_id(self) -> str:
        """The requirement that the method asks for credentials."""
        return f"CRED-{method_id(self.method)}"

    @property
    def permission_id(self) -> str:
        """The requirement that it asks for a permission; empty where it doesn't."""
        return f"PERM-{method_id(self.method)}" if self.may else ""


def method_id(method: str) -> str:
    """Return a method's short name as part of a requirement's id: `agent.by_reference` is AGENT-BY-REFERENCE."""
    words = re.sub(r"([a-z])([A-Z])", r"\1-\2", method)
    return re.sub(r"[._]", "-", words).upper()


def _kind(kind: str) -> tuple[Access, ...]:
    plain_member = ("org_member", *_STRANGERS)
    return (
        Access(f"{kind}.create", _MEMBERS, _STRANGERS),
        Access(f"{kind}.update", _EDITORS, plain_member),
        Access(f"{kind}.apply", _EDITORS, plain_member),
        Access(f"{kind}.delete", _EDITORS, plain_member),
        Access(f"{kind}.get", _MEMBERS, _STRANGERS),
        Access(f"{kind}.by_reference", _MEMBERS, _STRANGERS),
        Access(f"list.{kind}s"),
    )


_OPERATOR_ONLY = (("operator",), ("org_admin", "org_member", *_STRANGERS))
_GRANTERS = (_EDITORS, ("org_member", *_STRANGERS))

ACCESS: tuple[Access, ...] = (
    *_kind("agent"),
    *_kind("instance"),
    Access("instance.by_agent"),
    *_kind("environment"),
    Access("policy.create", *_GRANTERS),
    Access("policy.delete", *_GRANTERS),
    Access("policy.createPlatformLink", *_OPERATOR_ONLY, optional=True),
    Access("policy.bootstrapPolicy", *_OPERATOR_ONLY, optional=True),
    Access("policy.cleanupResourcePolicies", *_OPERATOR_ONLY, optional=True),
    Access("policy.get", *_GRANTERS),
    Access("policy.check"),
    Access("policy.listAuthorizedResourceIds", ("operator", "owner"), _STRANGERS, optional=True),
    Access("policy.listAuthorizedPrincipalIds", *_GRANTERS, optional=True),
    Access("event.watch"),
)

RULED: tuple[str, ...] = tuple(
    row.method
    for row in ACCESS
    # A list's page and a reference may be blank; but a size, a scope and a version have rules.
    if row.method.startswith("list.")
    or row.method.endswith("by_reference")
    or protovalidate.collect_violations(METHODS[row.method].request())
)
"""The methods whose requests have field constraints."""
