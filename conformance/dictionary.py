"""The fault dictionary: known ways to be wrong, and the exact requirements that each breaks (its *signature*).

The term and the method are those of hardware testing: what fails is looked up among what is known to fail together.
The entries are the suite's own wrong servers; `faults.json` is made from the kill matrix, and a test holds it fresh.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

import orjson
from pydantic import TypeAdapter

DICTIONARY = Path(__file__).with_name("faults.json")


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to be wrong.

    `sentence` says in plain words what is wrong, `where` in which operation or step; `fails` holds the ids of the
    requirements that it alone breaks in a server that is right otherwise, judged in `profile`. `kinds` says of each how
    it fails then (`conformance.known_failing.kind_of_failure`); of one that is not in it that isn't known.
    """

    id: str
    sentence: str
    where: str
    profile: str
    fails: tuple[str, ...]
    kinds: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)

    def symptoms(self, requirement: str) -> frozenset[str]:
        """Return the ways in which a requirement fails, as `conformance.diagnosis` writes them; none: not known."""
        return frozenset(f"{requirement}: {kind}" for kind in self.kinds.get(requirement, ()))


@cache
def dictionary() -> tuple[Fault, ...]:
    """Return all entries, in the order of the kill matrix."""
    return _FAULTS.validate_json(DICTIONARY.read_bytes())


def dictionary_bytes(faults: Iterable[Fault]) -> bytes:
    """Serialize entries, one a line, so that a change of one is a change of one line."""
    return b"[\n" + b",\n".join(orjson.dumps(asdict(fault)) for fault in faults) + b"\n]\n"


_FAULTS = TypeAdapter(tuple[Fault, ...])
