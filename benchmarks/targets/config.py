"""What a comparison of servers is asked for."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.config import ConfigError, Speed, check_growing, numbers_with_growth
from benchmarks.server.load import Tls
from benchmarks.targets.mixes import BY_NAME, USUAL
from benchmarks.targets.objective import Objective

CONCURRENCY = 32
WATCHERS_MAX = 5_000
WATCHED_CREATES = 20
"""Events that each number of watchers waits for, in each visit."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens (`host:port` or `unix:/path`), how it is called, and the process that rests between turns.

    `process` is None for a server that somebody else has started.
    """

    name: str
    tls: Tls | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    organization: str = "bench"
    process: int | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A server to be measured: its name in tables, and what opens it.

    `open` starts a server of its own, with nothing stored where that can be, or connects to one that runs.
    """

    name: str
    text: str
    open: Callable[[], AbstractContextManager[Address]]


@dataclass(frozen=True, slots=True)
class TargetSizes:
    """The counts of one speed; times in milliseconds, so that all are whole numbers.

    `loaded` agents are made before the loads, which are visited in `visits`; in each, all targets get `turns` turns of
    `turn_ms`. `open_ms` is how long an open loop lasts, `probe_ms` how long the search for a rate stays at one. Cost
    per number of agents is taken by `growth_calls` single calls a turn; no target grows for more than `growth_s`.
    """

    visits: int
    turns: int
    turn_ms: int
    warmup_ms: int
    loaded: int
    open_ms: int
    probe_ms: int
    growth_calls: int
    growth_s: int


# Intervals are Student's over visits: few visits make them wide, however long each lasts.
SIZES: dict[Speed, TargetSizes] = {
    Speed.QUICK: TargetSizes(6, 2, 200, 30, 200, 800, 600, 10, 15),
    Speed.DEFAULT: TargetSizes(8, 4, 250, 30, 1_000, 2_500, 1_500, 20, 60),
    Speed.FULL: TargetSizes(10, 8, 300, 30, 1_000, 8_000, 3_000, 40, 900),
}
GROWTH: dict[Speed, tuple[int, ...]] = {
    Speed.QUICK: (100, 1_000),
    Speed.DEFAULT: (100, 1_000, 10_000),
    Speed.FULL: (100, 1_000, 10_000, 100_000),
}


@dataclass(frozen=True, slots=True)
class TargetsConfig:
    """A comparison. Nothing is left below `directory` but the result."""

    directory: Path
    targets: tuple[Target, ...]
    speed: Speed = Speed.DEFAULT
    seed: int = 1
    mixes: tuple[str, ...] = USUAL
    rates: tuple[float, ...] = ()
    watchers: tuple[int, ...] = ()
    objective: Objective | None = None
    growth: tuple[int, ...] | None = None
    sizes: TargetSizes | None = None
    command: str = "parity bench server"

    def __post_init__(self) -> None:
        """Refuse what can't be run. Raises ConfigError."""
        unknown = [name for name in self.mixes if name not in BY_NAME]
        if unknown:
            raise ConfigError(f"no such mix: {', '.join(unknown)}; there are {', '.join(BY_NAME)}")
        names = [target.name for target in self.targets]
        if len(set(names)) < len(names):
            raise ConfigError(f"two targets have one name: {', '.join(names)}; write NAME=TARGET")
        if any(rate <= 0 for rate in self.rates):
            raise ConfigError("a rate is a number of calls a second, above zero")
        if any(not 0 < count <= WATCHERS_MAX for count in self.watchers):
            raise ConfigError(f"watchers are counted from 1 to {WATCHERS_MAX:,}")
        check_growing(self.growth_sizes)

    @property
    def counts(self) -> TargetSizes:
        """The counts in force."""
        return self.sizes or SIZES[self.speed]

    @property
    def growth_sizes(self) -> tuple[int, ...]:
        """The numbers of agents in force."""
        return GROWTH[self.speed] if self.growth is None else self.growth

    @property
    def numbers(self) -> dict[str, int]:
        """All counts by name, for the result."""
        return numbers_with_growth(asdict(self.counts), self.growth_sizes)


def command_of(words: list[str]) -> str:
    """Return the command that repeats a run."""
    return shlex.join(["parity", "bench", "server", *words])
