"""The kinds of resources that the suite handles: its one table. The suite's own, as it judges the product's."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind, by the short name that begins the names of its methods (`instance.create`)."""

    short: str
    name: str
    """In policies."""
    id_prefix: str
    list_method: str
    delete_field: str
    """The field of a delete's request that holds the id."""


KINDS = {
    kind.short: kind
    for kind in (
        Kind("agent", "agent", "agt", "list.agents", "value"),
        Kind("instance", "agent_instance", "ain", "list.instances", "value"),
        Kind("environment", "environment", "env", "list.environments", "resource_id"),
    )
}
