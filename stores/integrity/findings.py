"""What can be wrong with a database: the one table, and a finding as a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class FindingKind(NamedTuple):
    """One sort of what is told of a database.

    `derived`: it can be made again from the resources, which `--repair-indexes` does. `lawful`: calls that the contract
    allows leave it as well, so that by itself it is no damage; a loss shows in counts, order or indexes too.
    """

    sentence: str
    derived: bool = False
    lawful: bool = False


FINDING_KINDS: Mapping[str, FindingKind] = {
    "database-unreadable": FindingKind("The database can't be opened."),
    "area-unreadable": FindingKind("The engine can't read a part of the database."),
    "resource-unreadable": FindingKind("A resource is there, but can't be read back."),
    "resource-gone": FindingKind("An index or the order of creation names a resource that isn't there.", derived=True),
    "resource-id": FindingKind("A resource stands under another id than its message has."),
    "resource-keys": FindingKind("The index keys kept with a resource aren't those of its message.", derived=True),
    "entry-missing": FindingKind("An index doesn't name a resource that it must name.", derived=True),
    "entry-wrong": FindingKind("An index names a resource under a key or position that it hasn't.", derived=True),
    "unique-twice": FindingKind("Two resources have the same key of a unique index."),
    "position-twice": FindingKind("Two resources have the same position."),
    "order-missing": FindingKind("The order of creation leaves a resource out.", derived=True),
    "order-wrong": FindingKind("The order of creation names a resource at another position.", derived=True),
    "count-wrong": FindingKind("The number kept for an index key isn't that of its entries.", derived=True),
    "kind-count-wrong": FindingKind("The number kept for a kind isn't that of its resources.", derived=True),
    "number-behind": FindingKind("A position or revision is higher than the last one given out.", derived=True),
    "row-unreadable": FindingKind("A row of an index, an order or a count can't be read.", derived=True),
    "tree-index": FindingKind("An index of the engine's own doesn't fit its table.", derived=True),
    "row-unknown": FindingKind("A row belongs to nothing that this version knows."),
    "agent-gone": FindingKind("An instance belongs to an agent that isn't there."),
    "policy-of-nothing": FindingKind(
        "A policy is about a resource that isn't there: an operator may grant before there is one.", lawful=True
    ),
    "default-instance-gone": FindingKind(
        "An agent's status names no instance of this agent: a default instance may be deleted alone.", lawful=True
    ),
}
"""By name. A new sort of finding is a row here, and a test that plants it."""

REFERENCES = frozenset({"agent-gone", "policy-of-nothing", "default-instance-gone"})
"""What is wrong between resources that are whole themselves: a resource is missing, or was deleted alone."""


class Finding(NamedTuple):
    """One thing that is wrong: its sort (a name of FINDING_KINDS), the resource where one is known, and the details."""

    what: str
    kind: str
    id: str
    detail: str

    @property
    def lawful(self) -> bool:
        """Whether a database that was only used properly may show it."""
        return FINDING_KINDS[self.what].lawful

    @property
    def derived(self) -> bool:
        """Whether it can be made again from the resources."""
        return FINDING_KINDS[self.what].derived
