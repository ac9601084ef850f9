"""The whole result of a benchmark run as frozen values, and its files.

A run's directory holds two JSON files: `results.json` (environment, configuration, every raw sample, the blanks) and
`claims.json` (what was derived from them: summaries, attribution, verdicts). Everything in the second can be computed
again from the first. This is the only module of the room that a report reads.

Words: a *subject* is what was measured (engine, codec, durability, and for servers the profile); a *build* is one
independent database, made from nothing; a *round* is one visit to a build, taken in turns with all other subjects.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

FORMAT = 1
"""Version of both files; a reader refuses another."""
RESULTS_FILE = "results.json"
CLAIMS_FILE = "claims.json"


class ResultsError(Exception):
    """A result file can't be read or written. The message says which file, what is wrong and what to do."""


class Conclusion(StrEnum):
    """What the measurement says of a claim."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    INCONCLUSIVE = "inconclusive"
    NOT_MEASURED = "not measured"


class Placement(StrEnum):
    """Where the interval of a ratio lies, seen from the range that the claim states."""

    BELOW = "below"
    INSIDE = "inside"
    ABOVE = "above"
    ACROSS = "across"


@dataclass(frozen=True, slots=True)
class Subject:
    """What was measured. `profile` is empty for stores; for a server it is `cloud` or `oss`.

    `language` names the program that held the store where it wasn't Python's (empty): `go`.
    """

    engine: str
    codec: str
    durability: str
    profile: str = ""
    language: str = ""

    @property
    def name(self) -> str:
        """Engine and codec without the mode, for tables where the mode has its own column."""
        return "+".join(part for part in (self.language, self.engine, self.codec, self.profile) if part)

    @property
    def label(self) -> str:
        """The whole subject in one word, for example `leveldb+protobuf/durable`."""
        return f"{self.name}/{self.durability}" if self.durability else self.name


@dataclass(frozen=True, slots=True)
class FsyncCost:
    """What one small append with fdatasync costs in the benchmark's directory, microseconds."""

    median_us: float
    p90_us: float
    samples: int


@dataclass(frozen=True, slots=True)
class Environment:
    """The machine as it was. `durable_refusal` says why durable numbers were refused; empty when they were not."""

    captured_at: str
    cpu: str
    cpu_count: int
    memory_bytes: int
    system: str
    python: str
    directory: str
    filesystem: str
    fsync: FsyncCost
    load_average: float
    versions: dict[str, str]
    durable_refusal: str = ""


@dataclass(frozen=True, slots=True)
class PayloadClass:
    """One class of payloads as it was used: how many agents, and the bytes of their wire form."""

    name: str
    agents: int
    bytes_min: int
    bytes_median: int
    bytes_max: int


@dataclass(frozen=True, slots=True)
class PayloadSource:
    """Where the payloads came from. `skipped` names every record that could not become an agent, with its line."""

    kind: str
    name: str
    records: int
    agents: int
    renamed: int
    skipped: tuple[str, ...]
    classes: tuple[PayloadClass, ...]


@dataclass(frozen=True, slots=True)
class Configuration:
    """What was asked for, echoed whole. `numbers` holds every count (builds, rounds, operations, ...)."""

    bench: str
    speed: str
    seed: int
    command: str
    subjects: tuple[Subject, ...]
    workloads: tuple[str, ...]
    payload: PayloadSource
    numbers: dict[str, int]


@dataclass(frozen=True, slots=True)
class Sample:
    """Raw values of one metric from one round of one build: one value per operation, in the metric's unit."""

    workload: str
    metric: str
    unit: str
    subject: Subject
    payload: str
    build: int
    round: int
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Histogram:
    """All latencies, in us, of one metric from one round of one build: an HDR histogram (`benchmarks.server.latency`).

    `rate` is how many calls a second were due; 0: a closed loop, in which a slow server is asked less.
    """

    workload: str
    metric: str
    subject: Subject
    payload: str
    build: int
    round: int
    encoded: str
    rate: float = 0.0


@dataclass(frozen=True, slots=True)
class Noise:
    """What was seen of the machine during one visit of a workload to a subject (`benchmarks.noise`).

    `others_s` is the processor time that others took in these `seconds`; `probe_us` what a fixed piece of work took
    right before and right after, the mean.
    """

    workload: str
    subject: Subject
    payload: str
    others_s: float
    seconds: float
    probe_us: float


@dataclass(frozen=True, slots=True)
class Blank:
    """A number that is missing on purpose, and why."""

    workload: str
    subject: Subject
    payload: str
    reason: str


@dataclass(frozen=True, slots=True)
class DurabilityProof:
    """How a subject's durability was established. `method` is `strace` or `declared`.

    `syncs` counts fsync, fdatasync and msync calls seen during `commits` acknowledged commits, one caller.
    """

    subject: Subject
    method: str
    commits: int
    syncs: int
    holds: bool
    note: str


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval for a statistic at a confidence `level` (0.95 = 95 %)."""

    low: float
    high: float
    level: float


@dataclass(frozen=True, slots=True)
class Ratio:
    """Baseline over candidate (times; above 1: the candidate is better), with its interval."""

    value: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Summary:
    """One metric of one subject and payload class over all builds and rounds."""

    workload: str
    metric: str
    unit: str
    subject: Subject
    payload: str
    builds: int
    count: int
    median: float
    interval: Interval
    p90: float
    p99: float
    largest: float
    p99_9: float | None = None
    p99_99: float | None = None
    """Of latencies that were kept whole, as a histogram."""


@dataclass(frozen=True, slots=True)
class Factor:
    """One part of a whole ratio: so much by this change (`codec`, `engine`, `durability`, `language`), all else equal.

    `whole` names that ratio by its two subjects. The part `python` is the same ratio in Python.
    """

    name: str
    metric: str
    payload: str
    durability: str
    change: str
    ratio: Ratio
    whole: str = ""


@dataclass(frozen=True, slots=True)
class ClaimVerdict:
    """A claim, judged for one durability mode and one payload class.

    `headline` says that this is the system that the claim is about: its language, designs, mode and sizes. The other
    judgements of the claim say what comes out elsewhere.

    `at_least` and `at_most` (None: no upper end) are the stated range as ratios of baseline over candidate. `form` says
    how people state it: `times` (10x), `saving` (30 % smaller; ratio r is a saving of 1 - 1/r), `share` (95 % of the
    baseline's rate) or `growth` (1.3x more time; ratio 1/1.3).
    """

    claim: str
    title: str
    sentence: str
    metric: str
    baseline: Subject
    candidate: Subject
    durability: str
    payload: str
    form: str
    at_least: float
    at_most: float | None
    ratio: Ratio | None
    placement: Placement | None
    verdict: Conclusion
    reason: str
    reproduce: str
    headline: bool = True
    cold: bool = False

    @property
    def id(self) -> str:
        """Stable id of this judgement: claim, mode, payload class, and the baseline where it isn't the headline's."""
        elsewhere = "" if self.headline else f"/{self.baseline.name}"
        return f"{self.claim}/{self.durability}/{self.payload}{elsewhere}" + "/cold" * self.cold


@dataclass(frozen=True, slots=True)
class ClaimSentence:
    """The verdict on a claim where it was made, in one sentence, and over which single choices it stays or changes."""

    claim: str
    verdict: Conclusion
    sentence: str
    dependence: str


@dataclass(frozen=True, slots=True)
class Rival:
    """A store that isn't the best for a use. `behind` is its cost over the best's; from 1x down it is no worse."""

    subject: Subject
    behind: Ratio


@dataclass(frozen=True, slots=True)
class Advice:
    """The store that costs least for a use: `read_share` (0 to 1) of the calls read. Rivals are ordered by cost."""

    durability: str
    payload: str
    read_share: float
    best: Subject
    rivals: tuple[Rival, ...]


@dataclass(frozen=True, slots=True)
class Raw:
    """Contents of `results.json`: what was measured, and on what."""

    environment: Environment
    configuration: Configuration
    samples: tuple[Sample, ...]
    blanks: tuple[Blank, ...] = ()
    durability: tuple[DurabilityProof, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    histograms: tuple[Histogram, ...] = ()
    noises: tuple[Noise, ...] = ()
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class Judgement:
    """Contents of `claims.json`: what follows from the samples."""

    summaries: tuple[Summary, ...] = ()
    factors: tuple[Factor, ...] = ()
    verdicts: tuple[ClaimVerdict, ...] = ()
    sentences: tuple[ClaimSentence, ...] = ()
    advice: tuple[Advice, ...] = ()
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class Results:
    """A whole run."""

    raw: Raw
    judgement: Judgement = field(default_factory=Judgement)


Part = TypeVar("Part", Raw, Judgement)


def write_results(results: Results, directory: Path) -> None:
    """Write both files of a run. Raises ResultsError when the directory can't be written."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / RESULTS_FILE).write_bytes(TypeAdapter(Raw).dump_json(results.raw) + b"\n")
        (directory / CLAIMS_FILE).write_bytes(TypeAdapter(Judgement).dump_json(results.judgement, indent=1) + b"\n")
    except OSError as error:
        raise ResultsError(f"{directory}: can't write results: {error.strerror}; choose another --out") from error


def read_results(directory: Path) -> Results:
    """Read both files of a run. Raises ResultsError when one is missing, truncated, or of another format."""
    return Results(_read(directory / RESULTS_FILE, Raw), _read(directory / CLAIMS_FILE, Judgement))


def _read(path: Path, part: type[Part]) -> Part:
    try:
        value = TypeAdapter(part).validate_json(path.read_bytes())
    except OSError as error:
        raise ResultsError(
            f"{path}: can't read: {error.strerror}; name the directory that --out of bench made"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"]) or "the file"
        raise ResultsError(f"{path}: not a result file: {where}: {first['msg']}; run the benchmark again") from error
    if value.format != FORMAT:
        raise ResultsError(f"{path}: format {value.format}, this version reads {FORMAT}; run the benchmark again")
    return value
