"""The score: how many of the mutants that could be killed were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

from tests.mutation.generate import SourceMutant
from tests.mutation.reasons import Reason, Reasons, Why
from tests.mutation.trial import Ending, Judgement

Z_95 = 1.959963984540054
"""The quantile of the normal distribution for an interval of 95 %."""


@dataclass(frozen=True, slots=True)
class Score:
    """What became of the judged mutants."""

    endings: Mapping[Ending, int]
    excused: tuple[tuple[SourceMutant, Reason], ...]
    """Survivors with a reason."""
    unexplained: tuple[SourceMutant, ...]
    """Survivors without one."""

    @property
    def judged(self) -> int:
        """How many were judged."""
        return sum(self.endings.values())

    @property
    def killed(self) -> int:
        """How many did not survive, however they ended."""
        return self.judged - self.endings[Ending.SURVIVED]

    @property
    def killable(self) -> int:
        """How many are left when those are taken off that are no other server than the original."""
        return self.judged - self.excused_as(Why.EQUIVALENT)

    @property
    def asked(self) -> int:
        """How many of the killable show in what the contract asks for, and so are the suite's business."""
        return self.killable - self.excused_as(Why.OPEN)

    @property
    def share(self) -> float:
        """The share of the killable that were killed, 0 to 1."""
        return self.killed / self.killable if self.killable else 0.0

    def excused_as(self, why: Why) -> int:
        """Return how many survivors have a reason of a kind."""
        return sum(reason.why is why for _, reason in self.excused)


def score_of(mutants: Sequence[SourceMutant], judged: Mapping[str, Judgement], reasons: Reasons) -> Score:
    """Count what was judged of these mutants."""
    known = [mutant for mutant in mutants if mutant.key in judged]
    survivors = [mutant for mutant in known if judged[mutant.key].ending is Ending.SURVIVED]
    with_reason = [(mutant, reasons.of(mutant)) for mutant in survivors]
    return Score(
        endings={ending: sum(judged[one.key].ending is ending for one in known) for ending in Ending},
        excused=tuple((mutant, reason) for mutant, reason in with_reason if reason is not None),
        unexplained=tuple(mutant for mutant, reason in with_reason if reason is None),
    )


def wilson(hits: int, tries: int) -> tuple[float, float]:
    """Return the 95 % interval of a share by Wilson's score (E. B. Wilson, JASA 22, 1927); 0 to 1 for no tries."""
    if not tries:
        return 0.0, 1.0
    share, squared = hits / tries, Z_95**2
    middle = share + squared / (2 * tries)
    half = Z_95 * sqrt(share * (1 - share) / tries + squared / (4 * tries**2))
    return max(0.0, (middle - half) / (1 + squared / tries)), min(1.0, (middle + half) / (1 + squared / tries))
