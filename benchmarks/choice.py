"""Which store for this use: one cost per store, from measured reads and writes, and what would change the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.advice import mean_costs
from benchmarks.config import SIZES, ConfigError, Speed, StoresConfig
from benchmarks.payloads.payload import SIZE_CLASSES
from benchmarks.results import Blank, Interval, Ratio, Raw, Subject
from benchmarks.samples import Samples
from benchmarks.statistics import Nested, estimate, paired_ratio
from benchmarks.workloads.workload import Sizes
from stores.registry import schemes, unavailable

CODEC = "protobuf"
WORKLOADS = ("write", "read", "size")
AGENTS_MAX = 400
"""Agents in each database that is measured, so that an answer takes a minute."""
UNITS = {"b": 1, "kb": 1_000, "kib": 1_024, "mb": 1_000_000, "mib": 1_048_576}


@dataclass(frozen=True, slots=True)
class Use:
    """What a store is for: bytes of a record, the share of reads among the calls, agents, durability."""

    record_bytes: int
    read_share: float
    agents: int
    durable: bool = field(kw_only=True)

    def __post_init__(self) -> None:
        """Refuse what makes no sense. Raises ConfigError."""
        if not 0 <= self.read_share <= 1:
            raise ConfigError(f"--reads {self.read_share:g}: a share from 0 (only writes) to 1 (only reads)")
        if self.record_bytes < 1 or self.agents < 1:
            raise ConfigError("records and agents are above zero")

    @property
    def durability(self) -> str:
        """The mode's name."""
        return "durable" if self.durable else "relaxed"

    @property
    def payload(self) -> str:
        """The payload class that the records are of."""
        return next(name for name, end in SIZE_CLASSES if self.record_bytes < end)


def parse_bytes(text: str) -> int:
    """Understand `7KB`, `800` or `1.5MiB`. Raises ConfigError."""
    number = text.rstrip("BbKkMmIi ")
    try:
        return round(float(number) * UNITS[text[len(number) :].strip().lower() or "b"])
    except (ValueError, KeyError):
        raise ConfigError(f"{text!r} is no size; write for example 800B, 7KB or 1MiB") from None


def measurement(use: Use, directory: Path, seed: int) -> StoresConfig:
    """Return the run that the choice needs, and no more: all stores whose drivers are here, one mode, one size."""
    agents = min(use.agents, AGENTS_MAX)
    quick = SIZES[Speed.QUICK]
    sizes = Sizes(quick.builds, agents, min(60, agents), min(48, agents), min(20, agents), 3, 1)
    pairs = tuple(f"{name}+{CODEC}" for name in candidates())
    return StoresConfig(
        directory, Speed.QUICK, seed, durabilities=(use.durability,), payloads=(use.payload,), workloads=WORKLOADS,
        pairs=pairs, sizes=sizes, proven=use.durable,
    )  # fmt: skip


def candidates() -> tuple[str, ...]:
    """Return the stores that outlive their process and whose driver is installed."""
    return tuple(name for name, scheme in schemes().items() if scheme.needs_path and unavailable(scheme) is None)


def for_several_machines(machines: int, use: Use) -> str:
    """Return which store to take where servers on so many machines share one: a database server, so unmeasured."""
    urls = {
        scheme.name: url_of(Subject(scheme.name, CODEC, use.durability), scheme.place)
        for scheme in schemes().values()
        if scheme.is_remote
    }
    told = "\n".join(
        f"Take {name}: {url}\n  `parity bench server 'store:{url}' --against store:leveldb:` measures what it costs."
        for name, url in urls.items()
    )
    return (
        f"{told}\nOnly a database server serves {machines} machines; every other store belongs to one process."
        "\nNothing was measured: it depends on where your database is. `--machines 1` ranks the embedded stores here."
    )


@dataclass(frozen=True, slots=True)
class Place:
    """A store in the ranking. `cost_us` is the mean of a call in this use; `behind` is its cost over the best's.

    `bytes_per_agent` is what it takes on disk after loading. `overtakes_at` is the share of reads at which it would be
    as good as the best, None if at no share.
    """

    subject: Subject
    cost_us: float
    interval: Interval
    read_us: float
    write_us: float
    bytes_per_agent: float
    behind: Ratio | None
    overtakes_at: float | None

    @property
    def ties(self) -> bool:
        """Whether the measurement doesn't tell it from the best."""
        return self.behind is not None and self.behind.interval.low <= 1


@dataclass(frozen=True, slots=True)
class Ranking:
    """All stores that were measured, the best first, and those that were not, with the reason."""

    use: Use
    places: tuple[Place, ...]
    blanks: tuple[Blank, ...]


def rank(raw: Raw, use: Use) -> Ranking:
    """Rank the stores of a run for a use. Raises TooFewBuilds."""
    samples = Samples(raw.samples)
    costs = {
        subject: mean_costs(samples, subject, use.payload, use.read_share)
        for subject in raw.configuration.subjects
        if all((metric, subject, use.payload) in samples.cells for metric in ("read", "write", "size_loaded"))
    }
    order = sorted(costs, key=lambda subject: estimate(costs[subject])[0])
    places = tuple(_place(samples, subject, order[0], costs, use) for subject in order)
    return Ranking(use, places, raw.blanks)


def _place(samples: Samples, subject: Subject, best: Subject, costs: Mapping[Subject, Nested], use: Use) -> Place:
    def middle(metric: str, of: Subject) -> float:
        return estimate(samples.nested(metric, of, use.payload))[0]

    cost, interval = estimate(costs[subject])
    reads, writes = middle("read", subject), middle("write", subject)
    is_best = subject == best
    return Place(
        subject=subject,
        cost_us=cost,
        interval=interval,
        read_us=reads,
        write_us=writes,
        bytes_per_agent=middle("size_loaded", subject),
        behind=None if is_best else paired_ratio(costs[subject], costs[best]),
        overtakes_at=None if is_best else crossing((reads, writes), (middle("read", best), middle("write", best))),
    )


def crossing(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Return the share of reads at which two stores (read, write) cost the same; None if one is always better."""
    reads, writes = one[0] - other[0], one[1] - other[1]
    if reads == writes or reads * writes >= 0:
        return None
    return writes / (writes - reads)


def url_of(subject: Subject, place: str = "PATH") -> str:
    """Return the store URL to use; `place` stands for where the database is to be."""
    options = [] if subject.engine != "sqlite" else [f"codec={subject.codec}"]
    options += ["durability=relaxed"] if subject.durability == "relaxed" else []
    return f"{subject.engine}:{place}" + ("?" + "&".join(options) if options else "")
