"""What a run of the server benchmarks is asked for."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.config import ConfigError, Speed
from benchmarks.server.goals import SCENARIOS, Scenario


@dataclass(frozen=True, slots=True)
class ServerSizes:
    """The counts of one speed: times in milliseconds, so that all are whole numbers.

    `builds` are servers started from nothing; each is visited in `rounds` of loads of `load_ms` after `warmup_ms`.
    `growth_calls` single calls are timed per round at each number of agents.
    """

    builds: int
    rounds: int
    load_ms: int
    warmup_ms: int
    growth_calls: int


SIZES: dict[Speed, ServerSizes] = {
    Speed.QUICK: ServerSizes(builds=2, rounds=4, load_ms=800, warmup_ms=200, growth_calls=60),
    Speed.DEFAULT: ServerSizes(builds=4, rounds=5, load_ms=2_000, warmup_ms=300, growth_calls=200),
    Speed.FULL: ServerSizes(builds=5, rounds=5, load_ms=4_000, warmup_ms=500, growth_calls=500),
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
        """Refuse what can't be run. Raises ConfigError."""
        if list(self.growth_sizes) != sorted(set(self.growth_sizes)) or any(size < 1 for size in self.growth_sizes):
            raise ConfigError("the numbers of agents must grow, each above the one before and above zero")

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
        return {**asdict(self.counts), **{f"growth_{place}": size for place, size in enumerate(self.growth_sizes)}}

    @property
    def command(self) -> str:
        """The command that repeats this run."""
        words = ["parity", "bench", "server", *([] if self.speed is Speed.DEFAULT else [f"--{self.speed}"])]
        words += ["--seed", str(self.seed), "--engine", self.engine, "--codec", self.codec]
        return shlex.join(words)
