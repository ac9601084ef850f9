"""One run: reach the target, exercise every selected check, keep the evidence, then judge what was kept."""

from __future__ import annotations

import fnmatch
import platform
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from threading import Event

from conformance.catalogue import CONTRACT_REVISION, catalogue, catalogue_hash
from conformance.check import Check
from conformance.checks import all_checks, check_of
from conformance.credentials import Credentials
from conformance.evidence import (
    LEAVING,
    SETUP,
    Ending,
    Evidence,
    EvidenceWriter,
    Exchange,
    NotAsked,
    Outcome,
    read_evidence,
)
from conformance.features import NOTHING_DECLARED, Declaration, decide, probe
from conformance.founding import found_context, leave_context
from conformance.known_failing import Known, as_rows
from conformance.leftovers import Id, ids_in
from conformance.line import ATTEMPTS_MAX, LINE, given_up, line_evidence
from conformance.rejudge import judge_run
from conformance.run_context import Profile, RunContext
from conformance.session import HarnessFault, Session, SetupRefused
from conformance.target import START_SECONDS, Running, TargetUnreachable, open_target
from conformance.target_client import TargetClient, TargetLost
from conformance.traces import SpanLog, receiving
from conformance.verdict import EVIDENCE_FILE, VERDICTS_FILE, Report, RunInfo, write_verdicts

DEADLINE_SECONDS = 10.0
QUICK_SCALE = 0.25
Progress = Callable[[str, int, int], None]
"""Called with the id of a finished check, how many are done, and how many there are."""


class NothingSelected(Exception):
    """The selection matches no requirement."""


@dataclass(frozen=True)
class Options:
    """How to run. `only` holds requirement ids or patterns; `seed` decides whatever is random in the checks."""

    profile: Profile = "oss"
    only: tuple[str, ...] = ()
    seed: int = 0
    credentials: Credentials = field(default_factory=Credentials)
    declaration: Declaration = NOTHING_DECLARED
    known_failing: tuple[Known, ...] | None = None
    """What is known to fail; None where there is no file, which isn't the same as an empty one."""
    otlp_listen: str = ""
    name: str = ""
    """What the evidence and the report call the target; empty: its own text."""
    jobs: int = 1
    quick: bool = False
    deadline_seconds: float = DEADLINE_SECONDS
    event_seconds: float = 5.0
    start_seconds: float = START_SECONDS
    """How long a `cmd:` target may take until it listens."""
    progress: Progress | None = None
    strict: bool = False
    """Whether another choice, where the contract marks its own as one, is a failure."""

    def with_progress(self, progress: Progress) -> Options:
        """Return the same options with somebody to tell how far the run is."""
        return replace(self, progress=progress)


def run(target: str, options: Options | None = None, *, out: Path | None = None) -> Report:
    """Exercise and judge a target.

    Args:
        target: see `conformance.target`.
        options: how to run.
        out: directory for `evidence.jsonl` and `verdicts.json`; without one they are not kept.

    Returns:
        The report; its `exit_code` says what the command line would end with.

    Raises:
        NothingSelected: `only` matches nothing.
        TargetInvalid: the target's text makes no sense.
    """
    options = options or Options()
    selection = select(options.only)
    with ExitStack() as stack:
        if out is None:
            out = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="conform-")))
        out.mkdir(parents=True, exist_ok=True)
        info = _run_info(target, options, selection)
        with EvidenceWriter(out / EVIDENCE_FILE, info) as writer:
            _exercise_all(target, options, info, writer)
        report = judge_run(read_evidence(out / EVIDENCE_FILE))
        write_verdicts(out / VERDICTS_FILE, report)
    return report


def select(patterns: Sequence[str]) -> tuple[str, ...]:
    """Return the ids of the requirements to judge, in catalogue order. Raises NothingSelected."""
    known = [row.id for row in catalogue().values() if not row.excluded]
    for pattern in patterns:
        if not fnmatch.filter(known, pattern):
            excluded = catalogue().get(pattern)
            reason = f" ({excluded.id} is excluded: {excluded.excluded})" if excluded else ""
            raise NothingSelected(f"no requirement matches {pattern!r}{reason}; `parity requirements` names them")
    return tuple(name for name in known if not patterns or any(fnmatch.fnmatchcase(name, one) for one in patterns))


def _run_info(target: str, options: Options, selection: tuple[str, ...]) -> RunInfo:
    return RunInfo(
        id=_new_run_id(),
        target=options.name or target,
        profile=options.profile,
        seed=options.seed,
        contract_revision=CONTRACT_REVISION,
        catalogue_hash=catalogue_hash(),
        versions=_versions(),
        features={},
        selection=selection,
        started_at=_now(),
        strict=options.strict,
    )


def _new_run_id() -> str:
    """A short id that no other run has, fit for a slug. Not seeded: two runs at once must not meet."""
    return secrets.token_hex(4)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _versions() -> dict[str, str]:
    names = {"suite": "agent-parity", "grpcio": "grpcio", "protobuf": "protobuf", "protovalidate": "protovalidate"}
    found = {"python": platform.python_version()}
    for label, name in names.items():
        try:
            found[label] = version(name)
        except PackageNotFoundError:
            found[label] = "unknown"
    return found


def _exercise_all(target: str, options: Options, info: RunInfo, writer: EvidenceWriter) -> None:
    """Exercise every selected check and finish the evidence file, whatever happens to the target."""
    checks = _checks_of(info.selection)
    with ExitStack() as stack:
        spans = stack.enter_context(receiving(options.otlp_listen)) if options.otlp_listen else None
        try:
            running = open_target(target, start_seconds=options.start_seconds)
        except TargetUnreachable as error:
            writer.finish(replace(info, complete=False, reason=str(error), finished_at=_now()), (), *_held(options))
            return
        stack.callback(running.close)
        writer.finish(*_exercise_on(running, checks, options, info, writer, spans), *_held(options))


def _held(options: Options) -> tuple[tuple[dict[str, str], ...], str]:
    """Return what the run is held against, and on which day, as evidence keeps it."""
    if options.known_failing is None:
        return (), ""
    return as_rows(options.known_failing), datetime.now(UTC).date().isoformat()


def _checks_of(selection: Sequence[str]) -> list[Check]:
    wanted = {check_of()[name].id for name in selection}
    return [check for check in all_checks() if check.id in wanted]


def _exercise_on(
    running: Running,
    checks: list[Check],
    options: Options,
    info: RunInfo,
    writer: EvidenceWriter,
    spans: SpanLog | None,
) -> tuple[RunInfo, tuple[str, ...]]:
    """Return the run as it ended, and what could not be deleted."""
    client = TargetClient(running, running.channel(), options.deadline_seconds, spans)
    features: dict[str, bool] = {}
    leaks: list[str] = []
    ended = info
    try:
        with _kept(writer, SETUP, client, _first_context(options, info.id)) as session:
            context = _context(session, options)
        features = dict(context.features)
        round_ = _Round(client, context, options, writer, info.profile)
        _go(round_, checks)
        with _kept(writer, LEAVING, client, context) as session:
            leaks = leave_context(session, round_.made, round_.refused)
    except TargetLost as error:
        ended = replace(ended, complete=False, reason=str(error))
    return replace(ended, features=features, finished_at=_now()), tuple(leaks)


def _go(round_: _Round, checks: list[Check]) -> None:
    """Exercise the checks; what the line lost is kept however that ends. Raises TargetLost."""
    try:
        round_.go(checks)
    finally:
        if round_.lost_calls:
            round_.writer.add(line_evidence(round_.lost_calls), Outcome(LINE, Ending.EXERCISED))


@contextmanager
def _kept(writer: EvidenceWriter, name: str, client: TargetClient, context: RunContext) -> Iterator[Session]:
    """Keep what a session exchanges in the block, however the block ends."""
    began = time.monotonic()
    session = Session(name, client, context)
    try:
        yield session
    finally:
        duration_ms = round((time.monotonic() - began) * 1000, 3)
        writer.add(session.evidence(), Outcome(name, Ending.EXERCISED, duration_ms=duration_ms))


def _first_context(options: Options, run_id: str) -> RunContext:
    """What is known before the target was asked anything."""
    return RunContext(
        run_id=run_id,
        profile=options.profile,
        org=options.credentials.organization or f"conform-{run_id}-a",
        other_org=options.credentials.other_organization or f"conform-{run_id}-b",
        roles=options.credentials.roles if options.profile == "cloud" else {},
        event_seconds=options.event_seconds,
        scale=QUICK_SCALE if options.quick else 1.0,
        seed=options.seed,
    )


def _context(session: Session, options: Options) -> RunContext:
    """Find out what the target offers and set up the run's memberships. Raises TargetLost."""
    client, context = session.client, session.context
    first = next(iter(context.roles), "")
    first_answer = session.read("probe", "agent", "agt-probe")
    if first_answer.exchange.code == "DEADLINE_EXCEEDED":
        raise TargetLost(f"the target accepts connections and answered nothing within {client.deadline_seconds:g} s")
    served = probe(client, session.metadata(first))
    session.note("served", served)
    context = replace(
        context, features=decide(options.declaration, served), served=served, declared=options.declaration.features
    )
    session.context = context
    return found_context(session, options.credentials)


Left = tuple[list[Id], dict[Id, str]]
"""The ids that a check made, and by id what a refused delete answered."""


@dataclass
class _Round:
    """The exercises of one run; after the target is lost the rest is NOT_RUN."""

    client: TargetClient
    context: RunContext
    options: Options
    writer: EvidenceWriter
    profile: str
    made: dict[Id, str] = field(default_factory=dict)
    """By id, the check that made it."""
    refused: dict[Id, str] = field(default_factory=dict)
    """By id, what a delete after a check answered, where it was refused."""
    lost_calls: list[Exchange] = field(default_factory=list)
    """What the line lost, and the server isn't judged by."""
    _lost: Event = field(default_factory=Event)

    def go(self, checks: list[Check]) -> None:
        """Exercise the checks, those that must be alone after the others. Raises TargetLost."""
        total = len(checks)
        together = [check for check in checks if not check.alone]
        alone = [check for check in checks if check.alone]
        with ThreadPoolExecutor(self.options.jobs, thread_name_prefix="conform") as pool:
            for done, (check, (made, refused)) in enumerate(self._in_order(pool, together, alone), start=1):
                self.made |= dict.fromkeys(made, check.id)
                self.refused |= refused
                if self.options.progress is not None:
                    self.options.progress(check.id, done, total)
        if self._lost.is_set():
            raise TargetLost(self._reason)

    _reason: str = ""

    def _in_order(
        self, pool: ThreadPoolExecutor, together: list[Check], alone: list[Check]
    ) -> Iterator[tuple[Check, Left]]:
        yield from zip(together, pool.map(self._one, together), strict=True)
        for check in alone:
            yield check, self._one(check)

    def _one(self, check: Check) -> Left:
        """Exercise one check, keep its evidence, clean up after it; return what it made."""
        began = time.monotonic()
        left: Left = ([], {})
        session, ending, reason = self._attempts(check, left)
        duration_ms = round((time.monotonic() - began) * 1000, 3)
        evidence = session.evidence() if ending is not Ending.NOT_RUN else Evidence(check.id)
        self.writer.add(evidence, Outcome(check.id, ending, reason, duration_ms))
        return left

    def _attempts(self, check: Check, left: Left) -> tuple[Session, Ending, str]:
        """Exercise a check and clean up after it, again under fresh names where the line lost what it did.

        What each attempt made is added to `left`.
        """
        made, refused = left
        for attempt in range(ATTEMPTS_MAX):
            session = Session(check.id, self.client, self.context, attempt)
            ending, reason = self._exercise(check, session)
            if ending not in {Ending.NOT_APPLICABLE, Ending.NOT_RUN}:
                refused.update(self._cleanup(session))
            made.extend(ids_in(session.evidence()))
            lost = session.lost_calls()
            self.lost_calls.extend((*session.redone, *lost))
            if not lost or self._lost.is_set():
                break
        else:
            ending, reason = Ending.NOT_RUN, given_up(lost[0])
        return session, ending, reason

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
        if not any(self.profile in catalogue()[name].profiles for name in check.judges):
            return Ending.NOT_APPLICABLE, f"not asked of the {self.profile} profile"
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
