"""The smallest set of causes that explains what failed: a weighted set cover in which failures may stay unexplained.

Every cause that is named costs something, so does every failure that none explains, and so does every requirement that
a named cause would have broken and that passed: it speaks for that cause. The cheapest set is the explanation:
that of parsimony, and under independent faults the most probable one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

UNEXPLAINED = 3.0
"""What a failure costs that nothing explains. The prices are relative; that of one fault of the dictionary is 1."""
EXACT_MAX = 12
"""Candidates that are tried in all combinations (4096); more are chosen greedily and then improved."""


@dataclass(frozen=True)
class Candidate:
    """A possible cause: what it explains of the failures, and what it costs to name it."""

    name: str
    explains: frozenset[str]
    price: float


def smallest_cover(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """Return the cheapest explanation of all that the candidates explain, in their order.

    Exact where few candidates share failures with one another, else greedy with exchanges of one and of two.
    """
    rows = list(candidates)
    chosen: set[Candidate] = set()
    for part in _parts(_undominated(rows)):
        chosen |= set(_exact(part) if len(part) <= EXACT_MAX else _improved(_greedy(part), part))
    return tuple(one for one in rows if one in chosen)


def _undominated(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Leave out what isn't worth its price, and what explains no more than another that is no dearer."""
    worth = [one for one in candidates if one.price < UNEXPLAINED * len(one.explains)]
    kept: list[Candidate] = []
    for one in sorted(worth, key=lambda row: (-len(row.explains), row.price)):
        if not any(one.explains <= other.explains and other.price <= one.price for other in kept):
            kept.append(one)
    return kept


def _parts(candidates: Sequence[Candidate]) -> list[list[Candidate]]:
    """Split into parts that share no failure: each can be solved for itself."""
    parts: list[tuple[frozenset[str], list[Candidate]]] = []
    for one in candidates:
        touching = [part for part in parts if part[0] & one.explains]
        apart = [part for part in parts if not part[0] & one.explains]
        explains = one.explains.union(*(names for names, _ in touching))
        parts = [*apart, (explains, [one, *(row for _, rows in touching for row in rows)])]
    return [rows for _, rows in parts]


def _cost(chosen: Iterable[Candidate]) -> float:
    """What a set costs, less what its failures would have cost unexplained."""
    rows = list(chosen)
    explained = frozenset[str]().union(*(one.explains for one in rows))
    return sum(one.price for one in rows) - UNEXPLAINED * len(explained)


def _exact(part: Sequence[Candidate]) -> list[Candidate]:
    sets = (rows for size in range(len(part) + 1) for rows in combinations(part, size))
    return list(min(sets, key=_cost))


def _greedy(part: Sequence[Candidate]) -> list[Candidate]:
    """Take again and again what explains most for its price."""
    chosen: list[Candidate] = []
    left = frozenset[str]().union(*(one.explains for one in part))
    while worth := [one for one in part if one.price < UNEXPLAINED * len(one.explains & left)]:
        best = min(worth, key=lambda one: (one.price / len(one.explains & left), -len(one.explains & left)))
        chosen.append(best)
        left -= best.explains
    return chosen


def _improved(chosen: list[Candidate], part: Sequence[Candidate]) -> list[Candidate]:
    """Leave out one, or put one in the place of one or two, as long as that is cheaper."""
    while True:
        cheaper = min(_neighbours(chosen, part), key=_cost, default=chosen)
        if _cost(cheaper) >= _cost(chosen):
            return chosen
        chosen = cheaper


def _neighbours(chosen: list[Candidate], part: Sequence[Candidate]) -> Iterable[list[Candidate]]:
    others = [one for one in part if one not in chosen]
    for size in (1, 2):
        for gone in combinations(chosen, size):
            kept = [one for one in chosen if one not in gone]
            lost = frozenset[str]().union(*(one.explains for one in gone))
            yield kept
            yield from ([*kept, one] for one in others if one.explains & lost)
