"""Builds of a run that was interrupted: kept in a file, line by line, so that the next run goes on where it ended."""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from benchmarks.build import BuildOutcome, BuildPlan

FILE = "unfinished.jsonl"
_AGE_MAX_S = 24 * 3600.0
"""Builds that are older are of another machine, or as good as."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A build that ended well: which, when (seconds since 1970), and what it gave."""

    plan: str
    at: float
    outcome: BuildOutcome


_KEPT = TypeAdapter(Kept)


class Unfinished:
    """The builds of one run in a folder. `keep` after each; `forget` when all are there."""

    def __init__(self, folder: Path) -> None:
        """Read what is there; a last line that isn't whole is left out. Raises OSError if the file can't be read."""
        self._path = folder / FILE
        self._found: dict[str, BuildOutcome] = {}
        for line in self._path.read_bytes().splitlines() if self._path.is_file() else ():
            with suppress(ValidationError):
                kept = _KEPT.validate_json(line)
                if time.time() - kept.at < _AGE_MAX_S:
                    self._found[kept.plan] = kept.outcome

    @property
    def count(self) -> int:
        """How many builds are there."""
        return len(self._found)

    def outcome_of(self, plan: BuildPlan) -> BuildOutcome | None:
        """Return what a build of the same plan gave, if it is there."""
        return self._found.get(_name(plan))

    def keep(self, plan: BuildPlan, outcome: BuildOutcome) -> None:
        """Write a build down. Raises OSError."""
        with self._path.open("ab") as file:
            file.write(_KEPT.dump_json(Kept(_name(plan), time.time(), outcome)) + b"\n")

    def forget(self) -> None:
        """Remove the file: the run has ended."""
        self._path.unlink(missing_ok=True)


def _name(plan: BuildPlan) -> str:
    """Return the same name for plans that differ in nothing but where their databases are."""
    return hashlib.sha256(TypeAdapter(BuildPlan).dump_json(replace(plan, directory=Path()))).hexdigest()
