"""Say what a gain is made of: engine, codec, language and fsync, from the factorial of all combinations.

With both engines under both codecs, the effect of one factor is the geometric mean of its effect at either setting of
the other. By construction the codec's and the engine's effects multiply to the whole ratio; how much the effect of one
depends on the other is its own line, `interaction` (1x: not at all). The language's part is the whole ratio over the
same ratio in Python, where the run has these stores in both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import product

from benchmarks.results import Factor, Subject
from benchmarks.samples import Samples
from benchmarks.statistics import Term, TooFewBuilds, contrast

Pair = tuple[str, str]
"""The old and the new setting of one factor."""

ACROSS_MODES = "durable over relaxed"


def attribute(
    samples: Samples,
    metric: str,
    payload: str,
    engines: Pair,
    codecs: Pair,
    modes: Sequence[str],
    language: str = "",
) -> Iterator[Factor]:
    """Yield the factors of one metric and payload class, those that the run has the cells for."""
    old, new = (Subject(*side, "", language=language).name for side in zip(engines, codecs, strict=True))
    parts = [part for mode in modes for part in _within_mode(samples, metric, payload, engines, codecs, mode, language)]
    for mode in modes if language else ():
        parts += _language(samples, metric, payload, (engines, codecs), mode, language)
    if set(modes) == {"durable", "relaxed"}:
        parts += _price_of_durability(samples, metric, payload, list(product(engines, codecs)), language)
    yield from (replace(part, whole=f"{old} to {new}") for part in parts)


def _within_mode(
    samples: Samples, metric: str, payload: str, engines: Pair, codecs: Pair, mode: str, language: str
) -> Iterator[Factor]:
    (old_engine, new_engine), (old_codec, new_codec) = engines, codecs
    changes = {
        # name: what changed, and the power of (old, old), (old engine, new codec), (new engine, old codec), (new, new)
        "whole": (f"{old_engine}+{old_codec} to {new_engine}+{new_codec}", (1.0, 0.0, 0.0, -1.0)),
        "codec": (f"{old_codec} to {new_codec}", (0.5, -0.5, 0.5, -0.5)),
        "engine": (f"{old_engine} to {new_engine}", (0.5, 0.5, -0.5, -0.5)),
        "interaction": ("the codec's effect on the old engine over that on the new", (1.0, -1.0, -1.0, 1.0)),
    }
    subjects = [Subject(engine, codec, mode, language=language) for engine, codec in product(engines, codecs)]
    for name, (change, powers) in changes.items():
        weighed = [(subject, power) for subject, power in zip(subjects, powers, strict=True) if power]
        yield from _factor(samples, name, metric, payload, mode, change, weighed)


def _language(
    samples: Samples, metric: str, payload: str, sides: tuple[Pair, Pair], mode: str, language: str
) -> Iterator[Factor]:
    """Yield the ratio of the same two stores in Python, and the native ratio over it."""
    names = list(zip(*sides, strict=True))
    change = " to ".join("+".join(name) for name in names)
    native = [(Subject(*name, mode, language=language), power) for name, power in zip(names, (1.0, -1.0), strict=True)]
    python = [(replace(subject, language=""), power) for subject, power in native]
    both = [*native, *((subject, -power) for subject, power in python)]
    for part, weighed in (("python", python), ("language", both)):
        yield from _factor(samples, part, metric, payload, mode, change, weighed)


def _price_of_durability(
    samples: Samples, metric: str, payload: str, combinations: Sequence[Pair], language: str
) -> Iterator[Factor]:
    for engine, codec in combinations:
        durable, relaxed = (Subject(engine, codec, mode, language=language) for mode in ("durable", "relaxed"))
        weighed = [(durable, 1.0), (relaxed, -1.0)]
        yield from _factor(samples, "durability", metric, payload, ACROSS_MODES, durable.name, weighed)


def _factor(
    samples: Samples,
    name: str,
    metric: str,
    payload: str,
    durability: str,
    change: str,
    weighed: Iterable[tuple[Subject, float]],
) -> Iterator[Factor]:
    try:
        terms = [Term(samples.nested(metric, subject, payload), power) for subject, power in weighed]
        yield Factor(name, metric, payload, durability, change, contrast(terms))
    except (LookupError, TooFewBuilds):
        return  # A cell is blank; its reason stands with the blanks.
