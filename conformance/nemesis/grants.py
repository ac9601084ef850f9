"""Permissions under faults: what is granted holds, and what is revoked holds no longer, from the next call on.

Each guarded agent is a register of its own: whether somebody who holds nothing else may see it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from conformance import samples
from conformance.methods import METHODS
from conformance.nemesis.keys import UNKNOWN_MAX
from conformance.session import Session
from conformance.target_client import Metadata

if TYPE_CHECKING:
    from conformance.nemesis.client import Client

HELD = {"id": "", "value": "held"}
"""What a history says where the permission holds."""
ROLES = ("nobody", "other_org_member")
"""Who holds nothing in the run's organization, the first that is given."""
AT_A_TIME = 2
CALLS_MAX = 400
_MIX = {"grant": 1, "revoke": 1, "may": 2}
_METHODS = {"grant": "policy.create", "revoke": "policy.delete"}


@dataclass
class Guarded:
    """One agent that is seen by whom it is granted."""

    key: str
    agent_id: str
    calls: int = 0
    unknown: int = 0


@dataclass
class Grants:
    """All guarded agents of a run, and who asks for them. Safe to use from many threads."""

    identity: str
    metadata: Metadata
    random: Random
    guarded: list[Guarded] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def pick(self) -> Guarded | None:
        """Return one of those in use; None where all have been used up."""
        with self._lock:
            fresh = [one for one in self.guarded if one.calls < CALLS_MAX and one.unknown < UNKNOWN_MAX]
            if not fresh:
                return None
            one = self.random.choice(fresh[:AT_A_TIME])
            one.calls += 1
            return one


def guarded_agents(session: Session, count: int, random: Random) -> Grants | None:
    """Make the agents; None where there are no callers, or none is given that holds nothing. Raises SetupRefused."""
    role = next((role for role in ROLES if role in session.context.roles), "")
    if not session.cloud or not role:
        return None
    grants = Grants(session.context.identity(role), session.metadata(role), random)
    for number in range(count):
        name = f"g-{session.context.run_id}-{number}"
        made = session.need(f"guarded.{number}", "agent.create", samples.agent(name, session.org))
        grants.guarded.append(Guarded(name, made.metadata.id))
    return grants


def act(client: Client, grants: Grants) -> bool:
    """Grant, revoke, or ask; say whether it is known how that ended."""
    one = grants.pick()
    if one is None:
        return True
    f = client.random.choices(list(_MIX), list(_MIX.values()))[0]
    known = may(client, grants, one) if f == "may" else _change(client, grants, one, f)
    one.unknown += not known and f != "may"
    return known


def may(client: Client, grants: Grants, one: Guarded) -> bool:
    """Ask whether the one who holds nothing else sees an agent."""
    client.history.write("invoke", client.process, "may", one.key, {})
    answer = client.ask("agent.get", METHODS["agent.get"].request(value=one.agent_id), grants.metadata)
    outcomes: Mapping[str, object] = {"OK": HELD, "PERMISSION_DENIED": None, "NOT_FOUND": None}
    if answer.code in outcomes:
        return client.ended("may", one.key, "ok", outcomes[answer.code])
    return client.ended("may", one.key, "info", error=answer.code)


def _change(client: Client, grants: Grants, one: Guarded, f: str) -> bool:
    client.history.write("invoke", client.process, f, one.key, {})
    policy = samples.policy(("identity_account", grants.identity), "owner", ("agent", one.agent_id))
    answer = client.ask(_METHODS[f], policy)
    if answer.code == "OK":
        return client.ended(f, one.key, "ok", HELD if f == "grant" else None)
    return client.ended(f, one.key, client.outcome_of(answer), error=answer.code)
