"""What a failing run is explained by. Pure values, made by `conformance.diagnosis`, kept in `verdicts.json`."""

from __future__ import annotations

from dataclasses import dataclass

MEND_FIRST = 5
"""Causes that a summary names: who mends sees the rest when these are gone."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One probable cause of failures. All tuples but `also` hold requirement ids in catalogue order.

    `id` is that of a fault of the dictionary, or says what else it was found by: `shape:...`, `schema:...`,
    `requirement:...`. `where` names an operation or step; `also` holds the sentences of other faults that would look
    exactly the same. `telling` is the requirement that shows it best, `exchange` the number of its exchange.
    """

    id: str
    sentence: str
    where: str
    explains: tuple[str, ...]
    """The failures that it explains."""
    alone: tuple[str, ...] = ()
    """Those of them that no other cause explains."""
    blocked: tuple[str, ...] = ()
    """Those of them that could not be asked, because of the others."""
    passed: tuple[str, ...] = ()
    """What it would have broken too, and what passed: each speaks against it."""
    also: tuple[str, ...] = ()
    telling: str = ""
    exchange: int | None = None

    @property
    def sure(self) -> str:
        """How sure it is, in words."""
        alone, shared = len(self.alone), len(self.explains) - len(self.alone)
        by = f"{alone} explained by nothing else" + (f", {shared} by another cause too" if shared else "")
        broken = len(self.explains) - len(self.blocked)
        against = f"; {len(self.passed)} of {broken + len(self.passed)} that it breaks passed" if self.passed else ""
        return by + against


@dataclass(frozen=True, slots=True)
class Drift:
    """A part of the contract's messages that a target speaks otherwise.

    `name` is the part's (`Agent.spec.sub_agents`), `paths` say where in a request it stands, as field names.
    """

    name: str
    sentence: str
    paths: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The causes of a run's failures, those first that take most away, and the failures that none explains."""

    causes: tuple[Cause, ...] = ()
    unexplained: tuple[str, ...] = ()

    @property
    def mend_first(self) -> tuple[Cause, ...]:
        """The causes that a summary names."""
        return self.causes[:MEND_FIRST]

    @property
    def failures(self) -> int:
        """How many failures were to be explained."""
        return len({name for cause in self.causes for name in cause.explains}) + len(self.unexplained)

    @property
    def headline(self) -> str:
        """How much is explained by how little, in one sentence."""
        explained = self.failures - len(self.unexplained)
        if not self.causes:
            return f"{self.failures} failures, and nothing that is known explains them"
        what = "1 probable cause explains" if len(self.causes) == 1 else f"{len(self.causes)} probable causes explain"
        return f"{what} {explained} of {self.failures} failure{'s' * (self.failures != 1)}"


NOTHING_FAILED = Diagnosis()
"""The diagnosis of a run without failures."""
