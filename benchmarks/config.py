"""What a run of the store benchmarks is asked for: three speeds, and everything that can be chosen."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import product
from pathlib import Path

from benchmarks.payloads.payload import SIZE_CLASSES
from benchmarks.results import Subject
from benchmarks.workloads import WORKLOADS
from benchmarks.workloads.workload import Sizes
from stores.codecs import CODECS as STORE_CODECS
from stores.registry import schemes, unavailable


class ConfigError(Exception):
    """The run that was asked for makes no sense. The message says what to choose instead."""


class Speed(StrEnum):
    """How long a run may take: some two minutes, about twenty, an hour or more."""

    QUICK = "quick"
    DEFAULT = "default"
    FULL = "full"


SIZES: dict[Speed, Sizes] = {
    # Five builds are the fewest with which the interval of a median covers about 95 %.
    # Many short visits: a machine that is slow for some milliseconds is slow for both sides of a few of them.
    Speed.QUICK: Sizes(builds=5, agents=240, writes=120, reads=24, listed=20, visits=8, starts=1),
    Speed.DEFAULT: Sizes(builds=6, agents=600, writes=300, reads=100, listed=200, visits=3, starts=1),
    Speed.FULL: Sizes(builds=10, agents=3_000, writes=1_500, reads=300, listed=1_000, visits=5, starts=2),
}

FRESH_BUILDS: dict[Speed, int] = {Speed.QUICK: 3, Speed.DEFAULT: 6, Speed.FULL: 10}
"""Builds whose databases are also started, sized and weighed: a fresh process costs what hundreds of reads cost."""

ENGINES = ("sqlite", "leveldb")
CODECS = ("json", "protobuf")
"""Of the JSON codecs, the fastest in both directions: a baseline that is slow by choice proves nothing."""
EXTRA_ENGINES = ("lmdb", "rocksdb", "badger")
"""Engines that join the table where their driver is installed, with protobuf."""
EXTRA_CODECS = ("json-orjson", "json-format")
"""Other ways to make JSON, compared on SQLite; the first through Python's dictionaries, as most programs make it."""
LANGUAGES = ("python", "go")
NATIVE_ENGINES = ("sqlite", "badger")
NATIVE_SIDES = (("sqlite", "json"), ("badger", "protobuf"))
NATIVE_DRIVERS = (("sqlite-modernc", "json"),)
"""The same stores through other drivers: measured where the claims were made, to show what a driver decides."""
DURABILITIES = ("durable", "relaxed")
PAYLOADS = tuple(name for name, _ in SIZE_CLASSES)
WORKLOAD_NAMES = tuple(workload.name for workload in WORKLOADS)

NOT_QUICK = ("raw", "cold")
NOT_CLAIMED = ("changes", "mixed")
"""Workloads that no claim is about: of a full run, or when they are asked for."""

SIDES = (("sqlite", "json"), ("leveldb", "protobuf"))
"""Engine and codec that the claims compare: what was, and what came. A quick run has no others."""
HEADLINE_MODE, HEADLINE_PAYLOAD = "relaxed", "medium"
"""Where the ledger's claims were made. A quick run leaves out what differs from it in both."""


@dataclass(frozen=True, slots=True)
class StoresConfig:
    """A run of the store benchmarks. Databases are made below `directory` and removed at the end."""

    directory: Path
    speed: Speed = Speed.DEFAULT
    seed: int = 1
    corpus: Path | None = None
    engines: tuple[str, ...] = ENGINES
    codecs: tuple[str, ...] = CODECS
    durabilities: tuple[str, ...] = DURABILITIES
    payloads: tuple[str, ...] = PAYLOADS
    workloads: tuple[str, ...] = WORKLOAD_NAMES
    pairs: tuple[str, ...] = ()
    """ENGINE+CODEC; where any are given, these are measured in place of all combinations."""
    languages: tuple[str, ...] = LANGUAGES
    """Whose programs hold the stores; Go's are measured unless engines, codecs or pairs were chosen."""
    sizes: Sizes | None = None
    """Other counts than the speed's."""
    proven: bool = True
    """Count the syncs of every durable subject first."""

    def __post_init__(self) -> None:
        """Refuse what can't be run. Raises ConfigError."""
        _known("payload class", self.payloads, PAYLOADS)
        _known("workload", self.workloads, WORKLOAD_NAMES)
        _known("durability", self.durabilities, DURABILITIES)
        for pair in self.pairs:
            _known_pair(pair)
        _known("language", self.languages, LANGUAGES)
        for what, chosen in (("engine", self.engines), ("codec", self.codecs)):
            if not chosen:
                raise ConfigError(f"no {what} chosen: nothing to measure")

    @property
    def counts(self) -> Sizes:
        """The counts in force."""
        return self.sizes or SIZES[self.speed]

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """Every combination, engine x codec x durability, and the extras; of a quick run the claims' sides alone."""
        if self.pairs:
            chosen = [tuple(pair.split("+")) for pair in self.pairs]
            return tuple(Subject(engine, codec, mode) for mode in self.durabilities for engine, codec in chosen)
        usual = (self.engines, self.codecs) == (ENGINES, CODECS)
        combinations = self._usual if usual else list(product(self.engines, self.codecs))
        combinations = combinations if "python" in self.languages else []
        native = self._native if usual and "go" in self.languages else []
        return tuple(
            Subject(engine, codec, mode, language=language)
            for mode in self.durabilities
            for language, pairs in (("", combinations), ("go", native))
            for engine, codec in pairs
            if mode == HEADLINE_MODE or (engine, codec) not in NATIVE_DRIVERS
        )

    def subjects_with(self, payload: str) -> tuple[Subject, ...]:
        """Return the subjects that are measured with agents of a class.

        All with the headline's class; with others not those that differ from the headline in something else: other
        drivers, and in a quick run other modes.
        """
        if payload == HEADLINE_PAYLOAD:
            return self.subjects
        everywhere = (self.durabilities, self.payloads) == (DURABILITIES, PAYLOADS)
        modes = (HEADLINE_MODE,) if self.speed is Speed.QUICK and everywhere else self.durabilities
        return tuple(
            subject
            for subject in self.subjects
            if subject.durability in modes and (subject.engine, subject.codec) not in NATIVE_DRIVERS
        )

    @property
    def _usual(self) -> list[tuple[str, str]]:
        if self.speed is Speed.QUICK:
            return list(SIDES)
        engines = [(engine, "protobuf") for engine in EXTRA_ENGINES if _is_there(engine)]
        return [*product(ENGINES, CODECS), *engines, *(("sqlite", codec) for codec in EXTRA_CODECS)]

    @property
    def _native(self) -> list[tuple[str, str]]:
        """What the native program is asked to hold: all combinations, so that its gain can be taken apart too."""
        if self.speed is Speed.QUICK:
            return list(NATIVE_SIDES)
        return [*product(NATIVE_ENGINES, CODECS), *NATIVE_DRIVERS]

    @property
    def visited(self) -> tuple[str, ...]:
        """The workloads of the run: a quick one judges the claims only, not the stores' overhead over bare drivers."""
        left_out = {Speed.QUICK: (*NOT_QUICK, *NOT_CLAIMED), Speed.DEFAULT: NOT_CLAIMED, Speed.FULL: ()}[self.speed]
        if self.workloads == WORKLOAD_NAMES:
            return tuple(name for name in self.workloads if name not in left_out)
        return self.workloads

    @property
    def numbers(self) -> dict[str, int]:
        """All counts by name, for the result."""
        return {**asdict(self.counts), "fresh_builds": self.fresh_builds}

    @property
    def fresh_builds(self) -> int:
        """How many of the builds are also visited by the workloads that start processes."""
        return min(FRESH_BUILDS[self.speed], self.counts.builds)

    @property
    def command(self) -> str:
        """The command that repeats this run with all workloads; a claim's own adds those that it needs."""
        words = ["parity", "bench", "stores"]
        words += [] if self.speed is Speed.DEFAULT else [f"--{self.speed}"]
        words += ["--seed", str(self.seed)]
        words += ["--corpus", str(self.corpus)] if self.corpus else []
        for option, chosen, usual in (
            ("--engine", self.engines, ENGINES),
            ("--codec", self.codecs, CODECS),
            ("--pair", self.pairs, ()),
            ("--durability", self.durabilities, DURABILITIES),
            ("--payload", self.payloads, PAYLOADS),
            ("--language", self.languages, LANGUAGES),
        ):
            words += [] if chosen == usual else [word for name in chosen for word in (option, name)]
        return shlex.join(words)


def check_growing(sizes: Sequence[int]) -> None:
    """Raise ConfigError unless numbers of agents grow from above zero."""
    if list(sizes) != sorted(set(sizes)) or any(size < 1 for size in sizes):
        raise ConfigError("the numbers of agents must grow, each above the one before and above zero")


def numbers_with_growth(counts: Mapping[str, int], sizes: Sequence[int]) -> dict[str, int]:
    """Return all counts of a run by name, for its result."""
    return {**counts, **{f"growth_{place}": size for place, size in enumerate(sizes)}}


def _known_pair(pair: str) -> None:
    engine, _, codec = pair.partition("+")
    if not engine or codec not in STORE_CODECS:
        known = ", ".join(STORE_CODECS)
        raise ConfigError(f"{pair!r} is no pair; write ENGINE+CODEC, for example sqlite+json-orjson; codecs: {known}")


def _is_there(engine: str) -> bool:
    scheme = schemes().get(engine)
    return scheme is not None and unavailable(scheme) is None


def _known(what: str, chosen: tuple[str, ...], known: tuple[str, ...]) -> None:
    wrong = [name for name in chosen if name not in known]
    if wrong or not chosen:
        said = f"unknown {what} {wrong[0]!r}" if wrong else f"no {what} chosen"
        raise ConfigError(f"{said}; choose from: {', '.join(known)}")
