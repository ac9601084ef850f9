"""One run: reach the target, exercise every selected check, keep the evidence, then judge what was kept."""

from __future__ import annotations

import fnmatch
import platform
import secrets
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from random import Random

from conformance.catalogue import CONTRACT_REVISION, catalogue, catalogue_hash
from conformance.check import Check
from conformance.checks import all_checks, check_of
from conformance.credentials import Credentials
from conformance.drift import look_at_wire
from conformance.evidence import LEAVING, SETUP, WIRE, Ending, Outcome
from conformance.evidence_file import EvidenceWriter, read_evidence
from conformance.exercises import RERUNS_MAX, Exercises, Progress
from conformance.features import NOTHING_DECLARED, Declaration, decide, probe
from conformance.first_contact import jobs_for, meet
from conformance.founding import found_context, leave_context
from conformance.known_failing import Known, as_rows
from conformance.leaving import leave_soon
from conformance.protoset import write_protoset
from conformance.rejudge import judge_run
from conformance.run_context import Profile, RunContext
from conformance.session import Session
from conformance.target import START_SECONDS, Running, TargetUnreachable, check_target, open_target
from conformance.target_client import TargetClient, TargetLost
from conformance.traces import SpanLog, receiving
from conformance.verdict import EVIDENCE_FILE, VERDICTS_FILE, Report, RunInfo
from conformance.verdicts_file import write_verdicts

DEADLINE_SECONDS = 10.0
WHOLE_AGENT = "PERSIST-ALL"
"""A run that asks for this sends whole agents, and is told what parts of one the target speaks otherwise."""
QUICK_SCALE = 0.25


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
    """Checks at a time; 0: as many as the time that a call takes asks for."""
    quick: bool = False
    shuffle: bool = False
    """Run the checks in an order that the seed decides; those that must be alone stay behind the others."""
    deadline_seconds: float = DEADLINE_SECONDS
    event_seconds: float = 5.0
    start_seconds: float = START_SECONDS
    """How long a `cmd:` target may take until it listens."""
    progress: Progress | None = None
    reruns: int = RERUNS_MAX
    """How often a failing check is run again, to tell what fails always from what fails sometimes; 0: never."""
    first_failure_ends: bool = False
    """Whether the checks after the first failure are left out; they are NOT_RUN."""
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
        EvidenceInUse: another run is writing to `out`.
        NothingSelected: `only` matches nothing.
        ReceiverUnavailable: spans can't be received where they were to be.
        TargetInvalid: the target's text makes no sense.
    """
    options = options or Options()
    selection = select(options.only)
    check_target(target)
    with ExitStack() as stack:
        info = _run_info(target, options, selection)
        spans = stack.enter_context(receiving(options.otlp_listen)) if options.otlp_listen else None
        if out is None:
            out = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="conform-")))
        out.mkdir(parents=True, exist_ok=True)
        with EvidenceWriter(out / EVIDENCE_FILE, info) as writer:
            (out / VERDICTS_FILE).unlink(missing_ok=True)  # those of an earlier run aren't this one's
            write_protoset(out)
            _exercise_all(target, options, info, writer, spans)
        report = judge_run(read_evidence(out / EVIDENCE_FILE))
        write_verdicts(out / VERDICTS_FILE, report)
    return report


def select(patterns: Sequence[str]) -> tuple[str, ...]:
    """Return the ids of the requirements to judge, in catalogue order. Raises NothingSelected."""
    known = [row.id for row in catalogue().values() if not row.excluded]
    wanted = set[str]()
    for pattern in patterns:
        matching = [name for name in known if fnmatch.fnmatchcase(name, pattern)]
        wanted.update(matching)
        if not matching:
            excluded = catalogue().get(pattern)
            reason = f" ({excluded.id} is excluded: {excluded.excluded})" if excluded else ""
            raise NothingSelected(f"no requirement matches {pattern!r}{reason}; `parity requirements` names them")
    return tuple(name for name in known if not patterns or name in wanted)


def _run_info(target: str, options: Options, selection: tuple[str, ...]) -> RunInfo:
    return RunInfo(
        id=new_run_id(),
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
        only=options.only,
        quick=options.quick,
    )


def new_run_id() -> str:
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


def _exercise_all(target: str, options: Options, info: RunInfo, writer: EvidenceWriter, spans: SpanLog | None) -> None:
    """Exercise every selected check and finish the evidence file, whatever happens to the target."""
    checks = _checks_of(info.selection)
    if options.shuffle:
        Random(options.seed).shuffle(checks)  # noqa: S311 - an order, not a secret
    with ExitStack() as stack:
        try:
            running = open_target(target, start_seconds=options.start_seconds)
        except TargetUnreachable as error:
            writer.finish(replace(info, complete=False, reason=str(error), finished_at=_now()), (), *_held(options))
            return
        running.seed = options.seed
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
    exercises = None
    try:
        with _kept(writer, SETUP, client, first_context(options, info.id)) as session:
            latency_ms = meet(session)
            jobs = options.jobs or jobs_for(latency_ms)
            session.note("jobs", jobs)
            context = _context(session, options)
        features = dict(context.features)
        exercises = Exercises(client, context, writer, info, jobs=jobs, progress=options.progress)
        exercises.first_failure_ends = options.first_failure_ends
        exercises.run(checks, options.reruns)
        if WHOLE_AGENT in info.selection:
            with _kept(writer, WIRE, client, context) as session:
                look_at_wire(session)
                exercises.clean_up_after(session)
        with _kept(writer, LEAVING, client, context) as session:
            leaks = leave_context(session, exercises.made, exercises.refused)
    except TargetLost as error:
        ended = replace(ended, complete=False, reason=str(error))
    except KeyboardInterrupt:
        running.hurry()
        finished = exercises.finished if exercises else 0
        reason = f"interrupted: {finished} of {len(checks)} checks are finished"
        ended = replace(ended, complete=False, reason=reason)
        leaks = leave_soon(exercises) if exercises else []
    return replace(ended, features=features, finished_at=_now()), tuple(leaks)


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


def first_context(options: Options, run_id: str) -> RunContext:
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
    served = probe(client, session.metadata(first))
    session.note("served", served)
    context = replace(
        context, features=decide(options.declaration, served), served=served, declared=options.declaration.features
    )
    session.context = context
    return found_context(session, options.credentials)
