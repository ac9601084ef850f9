"""What the reference server is to reach, as ratios to a bare echo of the same message under the same load."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from benchmarks.claims import conclude
from benchmarks.results import Blank, ClaimVerdict, Conclusion, Configuration, Raw, Subject
from benchmarks.samples import Samples
from benchmarks.statistics import Term, TooFewBuilds, contrast, paired_ratio

ECHO = "echo"
"""A bare handler that is sent a message and answers with it."""
FIXED = "fixed"
"""A bare handler that is sent the same small get and answers with the bytes of a message: the harder comparison."""
GROWTH_AT_MOST = 1.3
MEMORY_AGENTS = 100_000
MEMORY_KIB_MAX = 300 * 1024
GROWING = ("get", "get_by_reference", "create", "get_by_agent")
"""Operations whose cost may not grow with the number of agents."""


RELAXED = "relaxed"
"""The same server in relaxed mode."""
PLAIN = "plain"
"""The same server without its fast paths."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """Loads that take turns: an operation on a server, `concurrency` calls in flight, and the same on each baseline."""

    metric: str
    profile: str
    durability: str
    concurrency: int
    baselines: tuple[str, ...] = (ECHO,)


SCENARIOS: tuple[Scenario, ...] = (
    Scenario("get", "oss", "relaxed", 32, (ECHO, FIXED, PLAIN)),
    Scenario("get", "cloud", "relaxed", 32, (ECHO, FIXED, PLAIN)),
    Scenario("create", "oss", "relaxed", 32, (ECHO, PLAIN)),
    Scenario("create", "oss", "durable", 32, (ECHO, PLAIN)),
    Scenario("create", "cloud", "relaxed", 32, (ECHO, PLAIN)),
    Scenario("create", "cloud", "durable", 32, (ECHO, PLAIN)),
    Scenario("create_64", "oss", "durable", 64, (RELAXED,)),
)


@dataclass(frozen=True, slots=True)
class Goal:
    """The share of a baseline's rate that a scenario is to reach. `baseline` is bare, plain, or the relaxed mode."""

    id: str
    title: str
    sentence: str
    metric: str
    profile: str
    durability: str
    at_least: float
    baseline: str = ECHO


_ECHO_OF_BYTES = "Get reaches 95 % of an echo of the bytes that it answers."
_FIXED_ANSWER = "Get reaches 95 % of a bare handler that answers the same requests with bytes it has at hand."

GOALS: tuple[Goal, ...] = (
    *(
        Goal(f"get-{profile}", f"Get, {profile}", _ECHO_OF_BYTES, "get", profile, "relaxed", 0.95)
        for profile in ("oss", "cloud")
    ),
    *(
        Goal(
            f"get-{profile}-fixed",
            f"Get, {profile}, over a fixed answer",
            _FIXED_ANSWER,
            "get",
            profile,
            "relaxed",
            0.95,
            baseline=FIXED,
        )
        for profile in ("oss", "cloud")
    ),
    Goal("create-oss", "Create, oss", "Create reaches 45 % of an echo.", "create", "oss", "relaxed", 0.45),
    Goal("create-oss", "Create, oss", "Durable create reaches 35 % of an echo.", "create", "oss", "durable", 0.35),
    Goal("create-cloud", "Create, cloud", "Create reaches 35 % of an echo.", "create", "cloud", "relaxed", 0.35),
    Goal(
        "create-cloud", "Create, cloud", "Durable create reaches 28 % of an echo.", "create", "cloud", "durable", 0.28
    ),
    Goal(
        "group-commit",
        "Durable over relaxed, 64 callers",
        "Durable create with 64 callers reaches 70 % of relaxed.",
        "create_64",
        "oss",
        "durable",
        0.70,
        baseline=RELAXED,
    ),
    *(
        Goal(
            f"fast-{one.metric}-{one.profile}",
            f"{one.metric.capitalize()}, {one.profile}, over the plain server",
            "With fast paths a request is not slower than without.",
            one.metric,
            one.profile,
            one.durability,
            1.0,
            baseline=PLAIN,
        )
        for one in SCENARIOS
        if PLAIN in one.baselines
    ),
)


def judge_goals(raw: Raw, engine: str, codec: str, sizes: tuple[int, ...]) -> tuple[ClaimVerdict, ...]:
    """Return a verdict for each goal, and for the growth of each operation from the fewest to the most agents."""
    samples = Samples(raw.samples)
    verdicts = [_judge(goal, samples, raw, engine, codec) for goal in GOALS]
    return (*verdicts, *_judge_growth(samples, raw, engine, codec, sizes), *_judge_memory(samples, raw, engine, codec))


def _judge(goal: Goal, samples: Samples, raw: Raw, engine: str, codec: str) -> ClaimVerdict:
    candidate = Subject(engine, codec, goal.durability, goal.profile)
    baseline = (
        Subject(goal.baseline, "", goal.durability, goal.profile)
        if goal.baseline in {ECHO, FIXED, PLAIN}
        # What durability costs is the question here: the one comparison across modes, and it is named as such.
        else Subject(engine, codec, goal.baseline, goal.profile)
    )
    payload = raw.configuration.payload.classes[0].name
    unjudged = _unjudged(
        goal.id, goal.title, goal.sentence, goal.metric, baseline, candidate, payload, "share", goal.at_least,
        raw.configuration,
    )  # fmt: skip
    return _concluded(unjudged, samples, raw.blanks, (payload, payload))


def _judge_growth(
    samples: Samples, raw: Raw, engine: str, codec: str, sizes: tuple[int, ...]
) -> Iterator[ClaimVerdict]:
    if len(sizes) < 2:  # noqa: PLR2004 - growth is between two
        return
    subject = Subject(engine, codec, "relaxed", "oss")
    first, last = (agents_label(size) for size in (sizes[0], sizes[-1]))
    for operation in GROWING:
        unjudged = _unjudged(
            f"growth-{operation.replace('_', '-')}",
            f"Growth of {operation}",
            f"Time per request grows by at most {GROWTH_AT_MOST}x from {first} to {last}.",
            f"growth_{operation}",
            subject,
            subject,
            f"{first} to {last}",
            "growth",
            1 / GROWTH_AT_MOST,
            raw.configuration,
        )
        yield _concluded(unjudged, samples, raw.blanks, (first, last))


def _judge_memory(samples: Samples, raw: Raw, engine: str, codec: str) -> Iterator[ClaimVerdict]:
    """Judge the server's peak against the limit, where so many agents were stored."""
    server, label = Subject(engine, codec, "relaxed", "oss"), agents_label(MEMORY_AGENTS)
    try:
        peaks = samples.nested("server_memory_peak", server, label)
    except LookupError:
        return
    unjudged = _unjudged(
        "memory",
        "Peak memory",
        f"The server's memory stays under {MEMORY_KIB_MAX // 1024} MiB with {label}.",
        "server_memory_peak",
        Subject(f"{MEMORY_KIB_MAX // 1024} MiB", "", "relaxed", "oss"),
        server,
        label,
        "growth",
        1.0,
        raw.configuration,
    )
    limits = tuple(tuple(float(MEMORY_KIB_MAX) for _ in rounds) for rounds in peaks)
    try:
        found = contrast((Term(limits, 1.0), Term(peaks, -1.0)))
    except TooFewBuilds as error:
        yield _missing(unjudged, str(error.args[0]))
        return
    yield conclude(unjudged, found)


def agents_label(count: int) -> str:
    """Return how a number of agents is written where payload classes stand elsewhere."""
    return f"{count:,} agents"


def _unjudged(
    claim: str,
    title: str,
    sentence: str,
    metric: str,
    baseline: Subject,
    candidate: Subject,
    payload: str,
    form: str,
    at_least: float,
    configuration: Configuration,
) -> ClaimVerdict:
    return ClaimVerdict(
        claim=claim,
        title=title,
        sentence=sentence,
        metric=metric,
        baseline=baseline,
        candidate=candidate,
        durability=candidate.durability,
        payload=payload,
        form=form,
        at_least=at_least,
        at_most=None,
        ratio=None,
        placement=None,
        verdict=Conclusion.NOT_MEASURED,
        reason="",
        reproduce=configuration.command,
    )


def _concluded(
    unjudged: ClaimVerdict, samples: Samples, blanks: tuple[Blank, ...], payloads: tuple[str, str]
) -> ClaimVerdict:
    for blank in blanks:
        if blank.workload == unjudged.metric and blank.subject in {unjudged.baseline, unjudged.candidate}:
            return _missing(unjudged, blank.reason)
    try:
        found = paired_ratio(
            samples.nested(unjudged.metric, unjudged.baseline, payloads[0]),
            samples.nested(unjudged.metric, unjudged.candidate, payloads[1]),
        )
    except (LookupError, TooFewBuilds) as error:
        return _missing(unjudged, str(error.args[0]))
    return conclude(unjudged, found)


def _missing(unjudged: ClaimVerdict, reason: str) -> ClaimVerdict:
    return replace(unjudged, reason=reason)
