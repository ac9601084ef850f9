"""What a verification covers: stores x profiles, and what is left out and why."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from parity.reference import PROFILES
from stores.registry import schemes, unavailable

STORES: tuple[tuple[str, str], ...] = (
    ("leveldb", "protobuf"),
    ("leveldb", "json-orjson"),
    ("sqlite", "json-orjson"),
    ("sqlite", "protobuf"),
)
"""(scheme, codec) of the embedded stores that are proven, first the one that the claims favour."""

FULL_STORES: tuple[tuple[str, str], ...] = (
    *STORES,
    ("lmdb", "protobuf"),
    ("rocksdb", "protobuf"),
    ("badger", "protobuf"),
    ("memory", ""),
)
"""With the further engines and the oracle: what a long verification proves, as far as their drivers are here."""


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


def make_plan(stores: tuple[tuple[str, str], ...]) -> Plan:
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
