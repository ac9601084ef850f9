"""The exercises of a run: each check once, those that failed again; all is kept as evidence and cleaned up after."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import KW_ONLY, dataclass, field
from itertools import chain
from math import inf
from threading import Event

from conformance.catalogue import catalogue
from conformance.check import Check
from conformance.evidence import Ending, Evidence, Exchange, NotAsked, Outcome
from conformance.evidence_file import EvidenceWriter
from conformance.leftovers import Id, ids_in
from conformance.line import ATTEMPTS_MAX, LINE, given_up, line_evidence
from conformance.rejudge import fails
from conformance.rounds import of_round
from conformance.run_context import RunContext
from conformance.session import HarnessFault, Session, SetupRefused
from conformance.target_client import TargetClient, TargetLost
from conformance.verdict import RunInfo

RERUNS_MAX = 5
RERUN_SECONDS_MIN = 10.0
"""So long failing checks are run again even where the first time took less."""
STOP_SECONDS = 0.3
"""So long a run that is interrupted waits for checks under way, whose calls it has ended."""
Progress = Callable[[str, int, int], None]
"""Called with the id of a finished check, how many are done, and how many there are."""


@dataclass
class Exercises:
    """The exercises of one run; after the target is lost the rest is NOT_RUN."""

    client: TargetClient
    context: RunContext
    writer: EvidenceWriter
    info: RunInfo
    _: KW_ONLY
    jobs: int = 1
    progress: Progress | None = None
    first_failure_ends: bool = False
    """Whether nothing is asked any more once a check has found a failure."""
    made: dict[Id, str] = field(default_factory=dict)
    """By id, the check that made it."""
    refused: dict[Id, str] = field(default_factory=dict)
    """By id, what a delete after a check answered, where it was refused."""
    lost_calls: list[Exchange] = field(default_factory=list)
    """What the line lost, and the server isn't judged by."""
    _failing: dict[str, float] = field(default_factory=dict)
    """The checks that found a failure, and how long each took."""
    finished: int = 0
    """Checks that were exercised once."""
    _busy: set[str] = field(default_factory=set)
    _stopped: Event = field(default_factory=Event)
    """Somebody ended the run."""
    _lost: Event = field(default_factory=Event)
    _reason: str = ""

    def run(self, checks: list[Check], reruns: int) -> None:
        """Exercise the checks, those that failed again; what the line lost is kept however that ends.

        Raises:
            TargetLost: nothing answers any more.
            KeyboardInterrupt: somebody ended it; what was exercised until then is kept.
        """
        pool = ThreadPoolExecutor(self.jobs, thread_name_prefix="conform")
        try:
            self._all(pool, checks, reruns)
        except KeyboardInterrupt:
            self._stop(pool)
            raise
        finally:
            pool.shutdown(wait=not self._stopped.is_set())
            if self.lost_calls:
                self.writer.add(line_evidence(self.lost_calls), Outcome(LINE, Ending.EXERCISED))
        if self._lost.is_set():
            raise TargetLost(self._reason)

    def _all(self, pool: ThreadPoolExecutor, checks: list[Check], reruns: int) -> None:
        began = time.monotonic()
        for done, check in enumerate(self._in_order(pool, checks, 1), start=1):
            self.finished = done
            if self.progress is not None:
                self.progress(check.id, done, len(checks))
        self._again(pool, checks, reruns, max(RERUN_SECONDS_MIN, time.monotonic() - began))

    def _stop(self, pool: ThreadPoolExecutor) -> None:
        """End what is under way by ending its calls; of that nothing is kept but what it has made."""
        self._stopped.set()
        self._lost.set()
        pool.shutdown(wait=False, cancel_futures=True)
        self.client.running.hang_up()
        until = time.monotonic() + STOP_SECONDS
        while self._busy and time.monotonic() < until:
            time.sleep(0.01)

    def _again(self, pool: ThreadPoolExecutor, checks: list[Check], reruns: int, seconds: float) -> None:
        """Run what failed again, short ones first, as long as there is time: no longer than the first time took."""
        until = time.monotonic() + seconds
        failing = sorted((row for row in checks if row.id in self._failing), key=lambda row: self._failing[row.id])
        again = chain.from_iterable(self._in_order(pool, failing, number, until) for number in range(2, reruns + 2))
        for done, check in enumerate(again, start=len(checks) + 1):
            if self._lost.is_set():
                return
            if self.progress is not None:
                self.progress(f"{check.id} again", done, len(checks) + reruns * len(failing))

    def _in_order(
        self, pool: ThreadPoolExecutor, checks: list[Check], number: int, until: float = inf
    ) -> Iterator[Check]:
        """Exercise the checks, those that must be alone after the others; yield each that is done."""
        together = [check for check in checks if not check.alone]
        for check, _ in zip(together, pool.map(lambda row: self._one(row, number, until), together), strict=True):
            yield check
        for check in checks:
            if check.alone:
                self._one(check, number, until)
                yield check

    def _one(self, check: Check, number: int, until: float) -> None:
        """Exercise one check, keep its evidence, clean up after it. `number` is 1 for the first time."""
        began = time.monotonic()
        if began > until or (number > 1 and self._lost.is_set()):
            return
        self._busy.add(check.id)
        try:
            session, ending, reason = self._attempts(check, number)
        finally:
            self._busy.discard(check.id)
        if self._stopped.is_set():
            return
        took = time.monotonic() - began
        evidence = session.evidence() if ending is not Ending.NOT_RUN else Evidence(check.id)
        outcome = Outcome(check.id, ending, reason, round(took * 1000, 3))
        if number == 1 and fails(check, outcome, evidence, self.info):
            self._failing[check.id] = took
        self.writer.add(*of_round(evidence, outcome, number))

    def _attempts(self, check: Check, number: int) -> tuple[Session, Ending, str]:
        """Exercise a check and clean up after it, again under fresh names where the line lost what it did."""
        for attempt in range(ATTEMPTS_MAX):
            session = Session(check.id, self.client, self.context, (number - 1) * ATTEMPTS_MAX + attempt)
            ending, reason = self._exercise(check, session)
            if ending not in {Ending.NOT_APPLICABLE, Ending.NOT_RUN}:
                self.refused.update(self._cleanup(session))
            self.note_made(session)
            lost = session.lost_calls()
            self.lost_calls.extend((*session.redone, *lost))
            if not lost or self._lost.is_set():
                break
        else:
            ending, reason = Ending.NOT_RUN, given_up(lost[0])
        return session, ending, reason

    def note_made(self, session: Session) -> None:
        """Remember what a session made, so that it is looked for at the end."""
        self.made.update(dict.fromkeys(ids_in(session.evidence()), session.check))

    def clean_up_after(self, session: Session) -> None:
        """Delete what a session made that is no check's, and remember what it was. Raises TargetLost."""
        self.refused.update(session.cleanup())
        self.note_made(session)

    def _exercise(self, check: Check, session: Session) -> tuple[Ending, str]:
        hindrance = self._hindrance(check)
        if hindrance is not None:
            return hindrance
        try:
            check.exercise(session)
        except TargetLost as error:
            self._reason = str(error)
            self._lost.set()
            return Ending.NOT_RUN, str(error)
        # A fault of one check is the suite's, and must neither end the run nor look like the server's.
        except Exception as error:  # noqa: BLE001
            return _ending_of(error)
        return Ending.EXERCISED, ""

    def _hindrance(self, check: Check) -> tuple[Ending, str] | None:
        """Why a check can't be exercised here; None if it can."""
        if self._lost.is_set():
            return Ending.NOT_RUN, self._reason
        if self.first_failure_ends and self._failing:
            return Ending.NOT_RUN, "the first failure ended the run"
        if not any(self.info.profile in catalogue()[name].profiles for name in check.judges):
            return Ending.NOT_APPLICABLE, f"not asked of the {self.info.profile} profile"
        for feature in check.features:
            if not self.context.features.get(feature, False):
                return Ending.NOT_APPLICABLE, f"the target doesn't offer {feature}"
        for role in check.roles:
            if lacking := self.context.lacking(role):
                return Ending.UNTESTABLE, lacking
        return None

    def _cleanup(self, session: Session) -> dict[Id, str]:
        if self._lost.is_set():
            return {}
        try:
            return session.cleanup()
        except TargetLost as error:
            self._reason = str(error)
            self._lost.set()
            return {}


_ENDINGS: dict[type[Exception], Ending] = {
    SetupRefused: Ending.UNTESTABLE,
    NotAsked: Ending.NOT_APPLICABLE,
    HarnessFault: Ending.HARNESS_ERROR,
}


def _ending_of(error: Exception) -> tuple[Ending, str]:
    """What an exercise's exception means for its check; one that it wasn't meant to raise is told with its name."""
    ending = _ENDINGS.get(type(error))
    return (Ending.HARNESS_ERROR, f"{type(error).__name__}: {error}") if ending is None else (ending, str(error))
