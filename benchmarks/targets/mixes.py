"""The mixes of calls that servers are compared under, as data.

Single operations say what one costs. `own` is what this platform's servers see: mostly reads. The YCSB mixes are those
of Cooper et al. 2010 (Benchmarking Cloud Serving Systems with YCSB, table 2), translated: a record is an agent, a scan
is a list of agents. Keys are drawn as YCSB draws them, by Zipf's law with exponent 0.99, or evenly.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import TypeVar

ZIPF_EXPONENT = 0.99
LIST = "list"
INSTEAD_OF_LIST = "get_by_agent"
"""What a server is asked for that has no list of agents."""


@dataclass(frozen=True, slots=True)
class Part:
    """One sort of call: its operation, its share, and the operations that follow its answer."""

    operation: str
    share: float
    then: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mix:
    """A mix of calls. `latest`: the agents that were made last are asked for most, else some are at random."""

    name: str
    says: str
    parts: tuple[Part, ...]
    skewed: bool = True
    latest: bool = False


def _single(operation: str, says: str) -> Mix:
    return Mix(operation, says, (Part(operation, 1.0),), skewed=False)


MIXES: tuple[Mix, ...] = (
    _single("get", "get by id, evenly"),
    _single("get_by_reference", "get by organization and slug, evenly"),
    _single(INSTEAD_OF_LIST, "the instances of an agent, evenly"),
    _single(LIST, "a page of 20 agents"),
    _single("create", "create, with the default instance"),
    _single("update", "update, evenly"),
    Mix(
        "own",
        "60 % get, 30 % by reference, 5 % list, 3 % update, 2 % create",
        (
            Part("get", 0.60),
            Part("get_by_reference", 0.30),
            Part(LIST, 0.05),
            Part("update", 0.03),
            Part("create", 0.02),
        ),
    ),
    Mix("ycsb-a", "50 % get, 50 % update", (Part("get", 0.5), Part("update", 0.5))),
    Mix("ycsb-b", "95 % get, 5 % update", (Part("get", 0.95), Part("update", 0.05))),
    Mix("ycsb-c", "get", (Part("get", 1.0),)),
    Mix("ycsb-d", "95 % get of the latest, 5 % create", (Part("get", 0.95), Part("create", 0.05)), latest=True),
    Mix("ycsb-e", "95 % list, 5 % create", (Part(LIST, 0.95), Part("create", 0.05))),
    Mix("ycsb-f", "50 % get, 50 % get and then update", (Part("get", 0.5), Part("get", 0.5, ("update",)))),
    Mix("crud", "create, get, update and delete of one agent", (Part("create", 1.0, ("get", "update", "delete")),)),
)
BY_NAME = {mix.name: mix for mix in MIXES}
USUAL = ("get", "create", "own")
"""What is measured unless one asks for something else."""

Item = TypeVar("Item")


def draw(items: Sequence[Item], count: int, mix: Mix, random: Random) -> list[Item]:
    """Return `count` of the items as a mix asks for them; `items` are in the order in which they were made."""
    if not (mix.skewed or mix.latest):
        return random.choices(items, k=count)
    ranked = list(reversed(items)) if mix.latest else random.sample(items, len(items))
    weights = list(accumulate((rank + 1) ** -ZIPF_EXPONENT for rank in range(len(ranked))))
    return [ranked[bisect(weights, random.random() * weights[-1])] for _ in range(count)]
