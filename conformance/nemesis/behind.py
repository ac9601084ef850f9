"""The suite's place between targets and what is behind all of them, such as a database: each goes there its own way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from conformance.address import parse_address
from conformance.nemesis.chance import chance
from conformance.nemesis.faults import NemesisInvalid
from conformance.nemesis.proxy import Proxy, proxies

MARK = "{behind}"
"""Stands in a command where the address goes."""


def check_behind(texts: Sequence[str], behind: str, faults: Sequence[str]) -> None:
    """Raise NemesisInvalid where targets can't be told a way, or faults need one that isn't given.

    Args:
        texts: the targets.
        behind: what they share, as host:port; empty where that isn't known.
        faults: those that strike between the targets and what is behind.
    """
    if faults and not behind:
        raise NemesisInvalid(f"--nemesis {','.join(faults)} needs --nemesis-behind HOST:PORT: what the targets share")
    if behind and not all(MARK in text and text.startswith("cmd:") for text in texts):
        raise NemesisInvalid(
            f"--nemesis-behind needs targets that the suite starts, with {MARK} where its address goes: "
            f"cmd:./server --port {{port}} --database {MARK}"
        )


@contextmanager
def ways_behind(behind: str, count: int, seed: int) -> Iterator[list[Proxy]]:
    """Open a way for each target; none where there is nothing behind. Raises TargetInvalid."""
    upstreams = [parse_address(behind)] * count if behind else []
    with proxies(upstreams, chance(f"behind {seed}")) as made:
        yield made


def told_ways(texts: Sequence[str], ways: Sequence[Proxy]) -> list[str]:
    """Tell each target its way."""
    if not ways:
        return list(texts)
    return [text.replace(MARK, way.address.name) for text, way in zip(texts, ways, strict=True)]
