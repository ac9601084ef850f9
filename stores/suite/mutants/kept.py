"""The memory store that the operators spoil: what it holds outlives it, so that it can be opened again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from stores.contract import Store
from stores.memory import MemoryStore

Loosen = Callable[[str], str]
RARE = 50
"""What is rare is wrong once in so many times."""


class Kept(MemoryStore):
    """A memory store whose contents outlive it: `taken_over` hands them to the next."""

    capabilities = replace(MemoryStore.capabilities, persistent=True)

    def take_over(self, earlier: MemoryStore) -> None:
        """Go on with what another one holds."""
        for name in ("_position", "_revision", "_kept", "_order", "_entries"):
            setattr(self, name, getattr(earlier, name))


Made = Kept


def persisting(make: Callable[[], Kept]) -> Callable[[Path], Store]:
    """Return an opener: the same path is the same database."""
    opened: dict[Path, Kept] = {}

    def opener(path: Path) -> Store:
        made = make()
        if path in opened:
            made.take_over(opened[path])
        opened[path] = made
        return made

    return opener


def place_of(where: str) -> tuple[str, str]:
    """Return the kind and the index of a place; for a kind (`agent`, not `agent.slug`) the index is empty."""
    kind, _, index = where.partition(".")
    return kind, index
