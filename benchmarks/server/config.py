"""What a run of the server benchmarks is asked for."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.config import ConfigError, Speed, check_growing, numbers_with_growth
from benchmarks.server.goals import SCENARIOS, Scenario
from stores.codecs import CODECS
from stores.registry import scheme_of


@dataclass(frozen=True, slots=True)
class ServerSizes:
    """The counts of one speed: times in milliseconds, so that all are whole numbers.

    `builds` are servers started from nothing; each is visited in `rounds`, in which a load and what it is compared with
    get `turns` each, of `turn_ms` after `warmup_ms`. Each of the turns has `growth_calls` single calls at each number
    of agents. `latency_ms` is how long an open loop runs.
    """

    builds: int
    rounds: int
    turns: int
    turn_ms: int
    warmup_ms: int
    growth_calls: int
    latency_ms: int


SIZES: dict[Speed, ServerSizes] = {
    Speed.QUICK: ServerSizes(builds=3, rounds=3, turns=6, turn_ms=120, warmup_ms=20, growth_calls=10, latency_ms=800),
    Speed.DEFAULT: ServerSizes(
        builds=5, rounds=4, turns=10, turn_ms=200, warmup_ms=20, growth_calls=20, latency_ms=2_000
    ),
    Speed.FULL: ServerSizes(builds=6, rounds=5, turns=12, turn_ms=300, warmup_ms=20, growth_calls=40, latency_ms=4_000),
}

GROWTH: dict[Speed, tuple[int, ...]] = {
    Speed.QUICK: (200, 2_000),
    Speed.DEFAULT: (1_000, 10_000),
    Speed.FULL: (1_000, 10_000, 100_000),
}
"""Agents in the store when the cost of single requests is taken."""


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """A run of the server benchmarks. Databases and logs stand below `directory` until the end."""

    directory: Path
    speed: Speed = Speed.DEFAULT
    seed: int = 1
    engine: str = "leveldb"
    codec: str = "protobuf"
    sizes: ServerSizes | None = None
    growth: tuple[int, ...] | None = None
    scenarios: tuple[Scenario, ...] = SCENARIOS

    def __post_init__(self) -> None:
        """Refuse what can't be run. Raises ConfigError, InvalidStoreUrl."""
        scheme_of(self.engine)
        if self.codec not in CODECS:
            raise ConfigError(f"unknown codec {self.codec!r}; there are: {', '.join(CODECS)}")
        check_growing(self.growth_sizes)

    @property
    def counts(self) -> ServerSizes:
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

    @property
    def command(self) -> str:
        """The command that repeats this run."""
        words = ["parity", "bench", "server", *([] if self.speed is Speed.DEFAULT else [f"--{self.speed}"])]
        words += ["--seed", str(self.seed), "--engine", self.engine, "--codec", self.codec]
        return shlex.join(words)
