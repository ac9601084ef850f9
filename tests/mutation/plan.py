"""What a mutant is asked, and in which order: what is most likely to notice it first, then all that could."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from conformance.checks import check_of
from tests.mutation.first import first_requirements
from tests.mutation.generate import SourceMutant
from tests.mutation.reach import START, Reach
from tests.mutation.settings import SETTINGS, Setting
from tests.mutation.trial import Ending, Judgement, Plan

SOME, MORE = 10, 30
"""So many requirements are asked together at first: most mutants fall at the first few. So many checks are few."""
KILLERS_MAX = 4
"""Of the requirements that noticed other mutants of the same function."""


class Planner:
    """Knows which checks reach what, and learns which requirements notice a function's mutants."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._killers: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self._checks = check_of()

    def learn(self, mutant: SourceMutant, judgement: Judgement) -> None:
        """Note which requirement killed a mutant, if one did."""
        requirement = judgement.by.partition(" ")[0]
        if judgement.ending is Ending.KILLED and requirement in self._checks:
            self._killers[mutant.file, mutant.place.function][requirement] += 1

    def likely(self, mutant: SourceMutant) -> Plan:
        """Return the few requirements of each setting that are most likely to notice a mutant."""
        found: dict[str, Sequence[Sequence[str]]] = {}
        for setting, reaching, whole in self._reached(mutant):
            names = self._likely(mutant, setting, reaching, whole=whole)
            found[setting.name] = [group for group in (names[:SOME], names[SOME:]) if group]
        return found

    def everything(self, mutant: SourceMutant) -> Plan:
        """Return all requirements of each setting that could notice a mutant.

        What the function's code can't touch is left out: the checks whose exchanges never run it, unless it runs while
        the server starts, or is no function's. Those are asked everything.
        """
        return {
            setting.name: ((),) if whole else (tuple(self._judges(reaching)),)
            for setting, reaching, whole in self._reached(mutant)
        }

    def _reached(self, mutant: SourceMutant) -> Iterator[tuple[Setting, frozenset[str], bool]]:
        """Yield the settings that run what is changed, with the checks that do, and whether it concerns all checks."""
        for setting in SETTINGS:
            reaching = self._reach.of(mutant, setting)
            whole = not mutant.place.function or START in reaching
            if whole or reaching:
                yield setting, reaching, whole

    def _likely(self, mutant: SourceMutant, setting: Setting, reaching: frozenset[str], *, whole: bool) -> list[str]:
        """Return the requirements that are most likely to notice, those first that noticed mutants of the function."""
        killers = [name for name, _ in self._killers[mutant.file, mutant.place.function].most_common(KILLERS_MAX)]
        at = self._reach.at(mutant, setting) - {START} or reaching - {START}
        if 0 < len(at) <= MORE:
            chosen = list(self._judges(at))
        else:
            chosen = [
                name
                for name in first_requirements()
                if name in self._checks and (whole or self._checks[name].id in reaching)
            ]
        return list(dict.fromkeys([*killers, *chosen]))

    def _judges(self, checks: Iterable[str]) -> Iterable[str]:
        """Yield the requirements that some checks serve."""
        wanted = set(checks)
        return (name for name, check in self._checks.items() if check.id in wanted)
