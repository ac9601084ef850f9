"""How far a verdict depends on who measures: over which single choices it stays, and which one changes it. Pure.

From a claim's headline one choice is changed at a time: the durability mode, the size of agents, the pair of stores
(the language with its stores; JSON through dictionaries; the engine's driver), or whether the files are in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.claims import interval_in_words
from benchmarks.digits import significant
from benchmarks.results import ClaimVerdict, Conclusion, Ratio

_MADE_OF = {"json-orjson": " through dictionaries"}
_LANGUAGES = {"": "Python", "go": "Go"}


@dataclass(frozen=True, slots=True)
class Robustness:
    """A claim's headline, and the judgements one choice away from it: those that agree, and those that don't.

    `unknown` are those that this run didn't measure.
    """

    headline: ClaimVerdict
    same: tuple[ClaimVerdict, ...]
    other: tuple[ClaimVerdict, ...]
    unknown: tuple[ClaimVerdict, ...]


def robustness(verdicts: Iterable[ClaimVerdict]) -> tuple[Robustness, ...]:
    """Return one for each claim that has a headline and judgements elsewhere, in the ledger's order."""
    groups: dict[str, list[ClaimVerdict]] = {}
    for one in verdicts:
        groups.setdefault(one.claim, []).append(one)
    return tuple(
        _robustness(rows[0], rows[1:]) for rows in groups.values() if rows[0].headline and _has_elsewhere(rows)
    )


def _has_elsewhere(rows: Sequence[ClaimVerdict]) -> bool:
    return any(not one.headline for one in rows)


def _robustness(headline: ClaimVerdict, elsewhere: Sequence[ClaimVerdict]) -> Robustness:
    near = [one for one in elsewhere if _choices(headline, one) == 1]
    measured = [one for one in near if one.ratio is not None]
    return Robustness(
        headline,
        tuple(one for one in measured if one.verdict is headline.verdict),
        tuple(one for one in measured if one.verdict is not headline.verdict),
        tuple(one for one in near if one.ratio is None),
    )


def _choices(headline: ClaimVerdict, one: ClaimVerdict) -> int:
    """Return how many choices differ."""
    differ = (
        one.durability != headline.durability,
        one.payload != headline.payload,
        _pair(one) != _pair(headline),
        one.cold != headline.cold,
    )
    return sum(differ)


def _pair(one: ClaimVerdict) -> tuple[str, str]:
    return one.baseline.name, one.candidate.name


def sentence(found: Robustness) -> str:
    """Return the verdict on a claim in one sentence, in words that need no table."""
    one = found.headline
    said = f"{one.title}: “{one.sentence.rstrip('.')}” {_SAYS[one.verdict]}"
    if one.ratio is None:
        return f"{said}: {one.reason}."
    busy = "the machine was busy, " if "the machine was busy" in one.reason else ""
    return f"{said}: {busy}{measured_in_words(one, one.ratio)}, {_from_to(one)}."


_SAYS = {
    Conclusion.SUPPORTED: "holds",
    Conclusion.CONTRADICTED: "doesn't hold",
    Conclusion.INCONCLUSIVE: "can't be decided",
    Conclusion.NOT_MEASURED: "wasn't measured",
}
_NAMES = {"sqlite": "SQLite", "leveldb": "LevelDB", "badger": "BadgerDB", "lmdb": "LMDB", "rocksdb": "RocksDB"}
_MEMORY = "memory_peak"


def measured_in_words(one: ClaimVerdict, ratio: Ratio) -> str:
    """Return an interval in words: `2 to 3.9 times faster`, `between 1.1 times slower and 2 times faster`."""
    if one.form != "times":
        return interval_in_words(one.form, ratio)
    better, worse = ("less", "more") if one.metric == _MEMORY else ("faster", "slower")
    low, high = ratio.interval.low, ratio.interval.high
    if low >= 1:
        return f"{significant(low, 2)} to {significant(high, 2)} times {better}"
    if high <= 1:
        return f"{significant(1 / high, 2)} to {significant(1 / low, 2)} times {worse}"
    return f"between {significant(1 / low, 2)} times {worse} and {significant(high, 2)} times {better}"


def _from_to(one: ClaimVerdict) -> str:
    language = _LANGUAGES.get(one.baseline.language, one.baseline.language)
    engines = (_NAMES.get(side.engine, side.engine) for side in (one.baseline, one.candidate))
    return f"in {language} from {' to '.join(engines)}"


def dependence(found: Robustness) -> str:
    """Return in one line over which single choices the verdict stays and which change it."""
    return "; ".join(_parts(found)) + "."


def _parts(found: Robustness) -> Iterator[str]:
    headline = found.headline
    if headline.verdict is not Conclusion.NOT_MEASURED:
        stays = ", ".join(_told(headline, one) for one in found.same)
        yield f"stays {headline.verdict} {stays}" if stays else "stays so nowhere else"
    for one in found.other:
        yield f"is {one.verdict} {_told(headline, one)}"
    if found.unknown:
        yield f"isn't measured {', '.join(_choice(headline, one) for one in found.unknown)}"


def _told(headline: ClaimVerdict, one: ClaimVerdict) -> str:
    measured = f" ({interval_in_words(one.form, one.ratio)})" if one.ratio else ""
    return f"{_choice(headline, one)}{measured}"


def _choice(headline: ClaimVerdict, one: ClaimVerdict) -> str:
    if one.durability != headline.durability:
        return f"when {one.durability}"
    if one.payload != headline.payload:
        return f"with {one.payload} agents"
    if one.cold:
        return "from files that aren't in memory"
    if one.baseline.language == headline.baseline.language and "-" in one.baseline.engine:
        engine, driver = one.baseline.engine.split("-", 1)
        return f"through {driver}'s driver of {_NAMES.get(engine, engine)}"
    return f"in {_program(one)}"


def _program(one: ClaimVerdict) -> str:
    language = _LANGUAGES.get(one.baseline.language, one.baseline.language)
    return f"{language} ({one.baseline.engine} to {one.candidate.engine}){_MADE_OF.get(one.baseline.codec, '')}"
