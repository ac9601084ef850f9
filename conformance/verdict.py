"""What a run says about each requirement, and what that means for the whole.

Pure values: verdicts are made by the runner (or by a recheck of stored evidence), kept by `conformance.verdicts_file`,
read by reports. The words are used one way only:

- PASS, FAIL: the requirement was exercised and judged.
- UNTESTABLE: it applies, but could not be exercised (a role's credentials are missing, a precondition was refused).
- NOT_APPLICABLE: the profile or the target's declared features leave it out.
- NOT_RUN: it was selected and the run ended before it.
- HARNESS_ERROR: the suite itself is at fault.
- KNOWN_FAILING: it fails as the known-failing file says it does.
- FLAKY: of several rounds some failed. It is as red as FAIL.
- DEVIATION: where the contract marks a choice of its own, the target made another. It is told and explained, not red;
  a strict run says FAIL instead.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from conformance.cause import NOTHING_FAILED, Diagnosis

EVIDENCE_FILE = "evidence.jsonl"
VERDICTS_FILE = "verdicts.json"

EXIT_CONFORMANT = 0
EXIT_NOT_CONFORMANT = 1
EXIT_USAGE = 2
EXIT_INCOMPLETE = 3
EXIT_HARNESS = 4

CREATE_STEPS: tuple[str, ...] = (
    "ValidateFieldConstraints",
    "Authorize",
    "ResolveSlug",
    "CheckDuplicate",
    "SetDefaults",
    "Persist",
    "CreateIamPolicies",
    "CreateDefaultInstance",
    "UpdateAgentStatusWithDefaultInstance",
    "Publish",
    "TransformResponse",
    "SendResponse",
)
"""The steps of the create pipeline, in the order and with the names of the behaviour contract."""

CLOUD_ONLY_STEPS = frozenset({"Authorize", "CreateIamPolicies", "Publish", "TransformResponse"})


class Verdict(StrEnum):
    """What is known about one requirement after a run."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    FAIL = "FAIL"
    UNTESTABLE = "UNTESTABLE"
    NOT_APPLICABLE = "NOT_APPLICABLE"
    NOT_RUN = "NOT_RUN"
    HARNESS_ERROR = "HARNESS_ERROR"
    KNOWN_FAILING = "KNOWN_FAILING"
    DEVIATION = "DEVIATION"
    FLAKY = "FLAKY"


class Level(StrEnum):
    """How strongly the contract asks: a failed SHOULD is shown, and doesn't make a server nonconformant."""

    MUST = "MUST"
    SHOULD = "SHOULD"


RED = frozenset({Verdict.FAIL, Verdict.FLAKY, Verdict.UNTESTABLE, Verdict.NOT_RUN, Verdict.HARNESS_ERROR})
"""Verdicts that keep a MUST, and so the run, from being green."""


FAILED = frozenset({Verdict.FAIL, Verdict.FLAKY})
"""Verdicts of a target that doesn't do, or doesn't always do, what it is asked for."""

HELD = frozenset({Verdict.PASS, Verdict.DEVIATION})
"""Verdicts of a target that does what it may be asked for."""

MEASURED = frozenset({Verdict.PASS, Verdict.FAIL, Verdict.FLAKY, Verdict.KNOWN_FAILING, Verdict.DEVIATION})
"""Verdicts that say what the target does."""

WORST_FIRST = (
    Verdict.HARNESS_ERROR,
    Verdict.FAIL,
    Verdict.FLAKY,
    Verdict.UNTESTABLE,
    Verdict.NOT_RUN,
    Verdict.KNOWN_FAILING,
    Verdict.DEVIATION,
    Verdict.PASS,
    Verdict.NOT_APPLICABLE,
)
"""The order in which one verdict stands for many."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One way in which the evidence departs from the requirement.

    `exchange` is the number (`seq`) of the exchange in the evidence file that shows it, None where none does.
    `choice` says that it is no fault but another choice, where the contract marks its own as one.
    """

    text: str
    expected: str = ""
    actual: str = ""
    exchange: int | None = None
    choice: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """The verdict on one requirement.

    `step` is a step of the create pipeline or empty; `operation` names what is asked of (create, get, rpc, ...).
    `evidence` holds the `seq` numbers of the check's exchanges. `reason` says why there is no PASS or FAIL. Where it is
    FLAKY, they are of a round that failed, and `beside` holds the same calls as the problems' in one that passed.
    `blocked_by` names failures that kept it from being asked: it failed only where, and as, they did.
    `contract_defect` says what is wrong with the contract itself where it asks for this; empty where nothing is.
    """

    id: str
    level: Level
    profiles: tuple[str, ...]
    operation: str
    step: str
    sentence: str
    source: str
    check: str
    verdict: Verdict
    problems: tuple[Problem, ...] = ()
    reason: str = ""
    evidence: tuple[int, ...] = ()
    reproduce: str = ""
    duration_ms: float = 0.0
    blocked_by: tuple[str, ...] = ()
    contract_defect: str = ""
    beside: tuple[int, ...] = ()

    @property
    def place(self) -> str:
        """Where it is asked: a step of create, else an operation."""
        return self.step or self.operation


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What was judged, with what, and whether the run came to its end. Times are RFC 3339 in UTC.

    `strict` says that deviations are failures, `only` which requirements were asked for if not all, `quick` that sizes
    were small.
    """

    id: str
    target: str
    profile: str
    seed: int
    contract_revision: str
    catalogue_hash: str
    versions: Mapping[str, str]
    features: Mapping[str, bool]
    selection: tuple[str, ...]
    started_at: str
    finished_at: str = ""
    complete: bool = True
    reason: str = ""
    strict: bool = False
    only: tuple[str, ...] = ()
    quick: bool = False


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts over all results. `measured` counts requirements that the target was really judged on.

    `must_red` and `should_failed` count those that make a MUST, and those that keep a SHOULD, from being green.
    """

    total: int
    counts: Mapping[Verdict, int]
    measured: int
    must_red: int
    should_failed: int

    @property
    def conformant(self) -> bool:
        """Whether something was measured and no MUST is red."""
        return self.measured > 0 and self.must_red == 0


@dataclass(frozen=True, slots=True)
class StepRow:
    """One row of the table of create steps: the worst verdict of its requirements, and their counts.

    What is blocked by a failure elsewhere is no fault of the step: it stands in `blocked`, not in `failing`.
    """

    step: str
    verdict: Verdict
    passed: int
    total: int
    failing: tuple[str, ...]
    blocked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run: what it was, and a result for each selected requirement, in catalogue order.

    `known_failing_errors` are faults of the known-failing file itself (stale, unmatched or expired entries).
    `leaks` names resources of the run that could not be deleted afterwards. `lost_calls` counts the calls that the line
    to the target lost: nothing is judged by them. `diagnosis` explains what failed. `drift` says how the
    target's messages differ from the contract's.
    """

    run: RunInfo
    results: tuple[Result, ...]
    known_failing_errors: tuple[str, ...] = ()
    leaks: tuple[str, ...] = ()
    lost_calls: int = 0
    diagnosis: Diagnosis = NOTHING_FAILED
    drift: tuple[str, ...] = ()

    @property
    def summary(self) -> Summary:
        """Counts over the results."""
        return summarize(self.results)

    @property
    def steps(self) -> tuple[StepRow, ...]:
        """The twelve steps of create, each with its verdict."""
        return step_table(self.results)

    @property
    def exit_code(self) -> int:
        """The exit code of the command line for this report."""
        return exit_code(self)

    @property
    def conclusion(self) -> str:
        """What came out, in a few words: never `conformant` where failures are known."""
        return conclusion(self)

    @property
    def contract_defects(self) -> dict[str, tuple[str, ...]]:
        """What is wrong with the contract itself, and the ids of the judged requirements that ask for it."""
        rows = [row for row in self.results if row.contract_defect and row.verdict in MEASURED]
        return {
            text: tuple(row.id for row in rows if row.contract_defect == text)
            for text in dict.fromkeys(row.contract_defect for row in rows)
        }

    @property
    def unexplained_by_place(self) -> dict[str, tuple[str, ...]]:
        """The failures that no cause explains, by where they are, most first: a step of create, or an operation.

        Of places with as many failures a step is first and an apply last: others do much of what create does, in the
        same way, and an apply does nothing else.
        """
        places: dict[str, tuple[str, ...]] = {}
        unexplained = frozenset(self.diagnosis.unexplained)
        for row in (row for row in self.results if row.id in unexplained):
            places[row.place] = (*places.get(row.place, ()), row.id)
        return dict(
            sorted(
                places.items(),
                key=lambda place: (-len(place[1]), place[0] not in CREATE_STEPS, place[0].endswith(".apply")),
            )
        )

    def of(self, requirement: str) -> Result:
        """Return the result of one requirement. Raises KeyError."""
        for result in self.results:
            if result.id == requirement:
                return result
        raise KeyError(requirement)

    def failing(self) -> tuple[str, ...]:
        """The ids of all requirements that aren't met, or not always, in catalogue order."""
        return tuple(result.id for result in self.results if result.verdict in FAILED)


def lost_text(count: int) -> str:
    """Say how many calls the line lost."""
    calls, checks = ("call", "its check") if count == 1 else ("calls", "their checks")
    return f"{count} {calls} lost by the connection, not by the server; {checks} ran again"


def summarize(results: Iterable[Result]) -> Summary:
    """Count results by verdict. UNTESTABLE, NOT_APPLICABLE and NOT_RUN are not measured."""
    rows = tuple(results)
    counts = {verdict: sum(row.verdict is verdict for row in rows) for verdict in Verdict}
    return Summary(
        total=len(rows),
        counts=counts,
        measured=sum(counts[verdict] for verdict in MEASURED),
        must_red=sum(row.level is Level.MUST and row.verdict in RED for row in rows),
        should_failed=sum(row.level is Level.SHOULD and row.verdict in FAILED for row in rows),
    )


def step_table(results: Iterable[Result]) -> tuple[StepRow, ...]:
    """Fold the results into the twelve create steps.

    A step takes the worst verdict of its MUST requirements that aren't blocked by a failure of another step; where all
    are, it is UNTESTABLE. A step that nothing in the results speaks of is NOT_RUN: an empty row never looks green.
    """
    rows = tuple(results)
    step_of = {row.id: row.step for row in rows}
    return tuple(_step_row(step, [row for row in rows if row.step == step], step_of) for step in CREATE_STEPS)


def _step_row(step: str, rows: Sequence[Result], step_of: Mapping[str, str]) -> StepRow:
    musts = [row for row in rows if row.level is Level.MUST]
    applicable = [row for row in musts if row.verdict is not Verdict.NOT_APPLICABLE]
    blocked = blocked_elsewhere(applicable, step, step_of)
    return StepRow(
        step=step,
        verdict=worst_verdict(musts, blocked),
        passed=sum(row.verdict in HELD for row in applicable),
        total=len(applicable),
        failing=tuple(row.id for row in applicable if row.verdict not in HELD and row.id not in blocked),
        blocked=blocked,
    )


def blocked_elsewhere(rows: Iterable[Result], place: str, place_of: Mapping[str, str]) -> tuple[str, ...]:
    """Return the requirements of a place (a step, an operation) that are blocked by failures of other places only."""
    return tuple(row.id for row in rows if row.blocked_by and place not in map(place_of.get, row.blocked_by))


def worst_verdict(rows: Iterable[Result], blocked: Collection[str]) -> Verdict:
    """Return the worst verdict of what isn't blocked; UNTESTABLE where all is, NOT_RUN where there is nothing."""
    verdicts = {row.verdict for row in rows if row.id not in blocked}
    if blocked and not verdicts - {Verdict.NOT_APPLICABLE}:
        return Verdict.UNTESTABLE
    return next((verdict for verdict in WORST_FIRST if verdict in verdicts), Verdict.NOT_RUN)


def exit_code(report: Report) -> int:
    """0 conformant, 1 not conformant, 2 nothing selected, 3 unreachable or incomplete, 4 fault of the harness."""
    summary = report.summary
    if summary.total == 0:
        return EXIT_USAGE
    if summary.counts[Verdict.HARNESS_ERROR]:
        return EXIT_HARNESS
    if not report.run.complete or summary.counts[Verdict.NOT_RUN]:
        return EXIT_INCOMPLETE
    if summary.must_red or report.known_failing_errors or report.leaks:
        return EXIT_NOT_CONFORMANT
    # Everything not applicable is a selection that the profile or the declaration leaves empty.
    return EXIT_CONFORMANT if summary.measured else EXIT_USAGE


def conclusion(report: Report) -> str:
    """Return a run's outcome in a few words."""
    summary = report.summary
    known, deviations = summary.counts[Verdict.KNOWN_FAILING], summary.counts[Verdict.DEVIATION]
    if known:
        said = f"{known} known failure{'s' * (known != 1)}, {summary.must_red} new"
    else:
        said = "conformant" if report.exit_code == EXIT_CONFORMANT else "not shown to be conformant"
    if untrue := len(report.known_failing_errors):
        said += f", {untrue} of what was said to fail isn't true"
    if report.leaks:
        said += f", {len(report.leaks)} left behind"
    if deviations:
        said += f", with {deviations} deviation{'s' * (deviations != 1)}"
    if summary.should_failed:
        said += f" ({summary.should_failed} SHOULD not met)"
    return said
