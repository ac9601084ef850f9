"""What a mutant is asked first: few requirements, which between them most wrong servers of the kill matrix break."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from pathlib import Path

MATRIX = tuple(Path(__file__).parents[1] / "mutants" / name for name in ("expected.json", "generated.json"))
FIRST_MAX = 40
SLOW = ("RACE", "LOAD", "DUR", "EVT", "WATCH", "RPC-SIZE", "RPC-DEADLINE", "TRACE", "PAGE", "LST")
"""What waits, or sends much, comes with the rest."""


@cache
def first_requirements() -> tuple[str, ...]:
    """Return requirements, each of which breaks in the most wrong servers that those before it leave."""
    sets = [set(failing) for path in MATRIX for failing in json.loads(path.read_text(encoding="utf-8")).values()]
    chosen: list[str] = []
    while len(chosen) < FIRST_MAX:
        counts = Counter(name for failing in sets for name in failing if not any(part in name for part in SLOW))
        if not counts:
            break
        name = min(counts, key=lambda one: (-counts[one], one))
        chosen.append(name)
        sets = [failing for failing in sets if name not in failing]
    return tuple(chosen)
