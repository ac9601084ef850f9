"""What a verification covers: stores x profiles, and what is left out and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from parity.problems import Problem
from parity.reference import PROFILES
from stores.registry import schemes, unavailable

Choice = tuple[str, str]
"""A scheme and a codec; of a scheme without codecs, the codec is empty."""

QUICK_STORES: tuple[Choice, ...] = (
    ("leveldb", "protobuf"),
    ("sqlite", "json-orjson"),
    ("lmdb", "protobuf"),
    ("rocksdb", "protobuf"),
    ("badger", "protobuf"),
)
"""Every embedded engine with its default codec: what a quick verification proves, first what the claims favour."""

STORES: tuple[Choice, ...] = (*QUICK_STORES, ("leveldb", "json-orjson"), ("sqlite", "protobuf"))
"""With the other codec of both engines that the claims are about: what a verification proves."""

FULL_STORES: tuple[Choice, ...] = (*STORES, ("memory", ""))
"""With the oracle: what a long verification proves. Those whose drivers aren't here are left out by name."""


@dataclass(frozen=True, slots=True)
class JudgedStore:
    """One store to prove behind the reference server in one profile."""

    scheme: str
    codec: str
    profile: str

    @property
    def store(self) -> str:
        """Engine and codec in one word, as benchmarks name them."""
        return f"{self.scheme}+{self.codec}" if self.codec else self.scheme

    @property
    def label(self) -> str:
        """Name of the subject's folder."""
        return f"{self.scheme}-{self.codec}-{self.profile}" if self.codec else f"{self.scheme}-{self.profile}"

    def url(self, directory: Path) -> str:
        """The URL of a new store below a directory, in the durable mode."""
        if not self.codec:
            return f"{self.scheme}:"
        return f"{self.scheme}:{directory / self.label}?codec={self.codec}"

    @property
    def reproduce(self) -> str:
        """The command that proves this subject alone."""
        url = f"{self.scheme}:/tmp/parity-store?codec={self.codec}" if self.codec else f"{self.scheme}:"
        return f"parity conform 'store:{url}' --profile {self.profile}"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A store that can't be proven on this machine."""

    store: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The subjects of a verification, and the stores that it must leave out."""

    subjects: tuple[JudgedStore, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def stores(self) -> tuple[str, ...]:
        """The stores that are proven, each once."""
        return tuple(dict.fromkeys(subject.store for subject in self.subjects))


def choose(texts: Iterable[str]) -> tuple[Choice, ...]:
    """Return the stores of `FULL_STORES` that SCHEME (any codec) or SCHEME+CODEC names, each once. Raises Problem."""
    chosen: dict[Choice, None] = {}
    for text in texts:
        scheme, _, codec = text.partition("+")
        found = [each for each in FULL_STORES if each[0] == scheme and (not codec or each[1] == codec)]
        if not found:
            names = ", ".join("+".join(filter(None, each)) for each in FULL_STORES)
            raise Problem(f"--stores {text}: unknown", hint=f"Choose from: {names}; an engine alone means all of its.")
        chosen |= dict.fromkeys(found)
    return tuple(chosen)


def make_plan(stores: tuple[Choice, ...]) -> Plan:
    """Sort stores into those whose driver is here and those whose isn't."""
    known = schemes()
    reasons = {scheme: unavailable(known[scheme]) for scheme, _ in stores}
    here = [(scheme, codec) for scheme, codec in stores if reasons[scheme] is None]
    return Plan(
        tuple(JudgedStore(scheme, codec, profile) for scheme, codec in here for profile in PROFILES),
        tuple(
            LeftOut(f"{scheme}+{codec}" if codec else scheme, reason)
            for scheme, codec in stores
            if (reason := reasons[scheme]) is not None
        ),
    )
