"""Write `docs/verdicts.md`: the claims judged with BadgerDB itself beside LevelDB, its stand-in, from one run.

`python -m parity.verdicts RUN` reads a run of `parity bench stores` that measured both (badger must be built), judges
the ledger once with each candidate over the same samples, and says where the stand-in led to another verdict.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.claims import ClaimsError, interval_in_words, judge_claims, load_claims, stated_in_words
from benchmarks.results import ClaimVerdict, Raw, ResultsError, Verdict, read_results

STAND_IN = ("leveldb", "protobuf")
THE_ENGINE = ("badger", "protobuf")
DEFAULT_OUT = Path("docs/verdicts.md")
EXIT_USAGE = 2
VERIFY_NOTE = (
    "A `badger:` store checks all tables when it is opened (`verify=open`), which start-up and memory include; why is"
    " in `stores/engines/badger/README.md`."
)


@dataclass(frozen=True, slots=True)
class Pair:
    """One claim in one mode and payload class, judged with both candidates."""

    stand_in: ClaimVerdict
    engine: ClaimVerdict

    @property
    def measured(self) -> bool:
        """Whether both were measured."""
        return Verdict.NOT_MEASURED not in {self.stand_in.verdict, self.engine.verdict}

    @property
    def same(self) -> bool:
        """Whether the stand-in led to the verdict that the engine gets."""
        return self.stand_in.verdict == self.engine.verdict


def pairs_of(raw: Raw) -> tuple[Pair, ...]:
    """Judge every claim about the stand-in with both candidates. Raises ClaimsError."""
    claims = [claim for claim in load_claims() if claim.candidate == STAND_IN]
    stand_in = judge_claims(raw, claims)
    engine = judge_claims(raw, [replace(claim, candidate=THE_ENGINE) for claim in claims])
    return tuple(Pair(*both) for both in zip(stand_in, engine, strict=True))


def page(raw: Raw, pairs: Sequence[Pair]) -> str:
    """Return the page as Markdown."""
    return "\n".join((*_head(raw), *_table(pairs), *_summary(pairs))) + "\n"


def _head(raw: Raw) -> Iterator[str]:
    machine, asked = raw.environment, raw.configuration
    numbers = ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in asked.numbers.items())
    yield "# The claims, judged with BadgerDB itself"
    yield ""
    yield "Written by `python -m parity.verdicts RUN`, not by hand. Baseline: SQLite with JSON (orjson). Candidates:"
    yield "LevelDB, which stood in for BadgerDB, and BadgerDB v4.5.0, both with protobuf. A verdict follows from where"
    yield "the whole 95 % interval of the ratio lies, for each durability mode and payload class by itself."
    yield ""
    yield f"- Measured {machine.captured_at} on {machine.cpu_count} x {machine.cpu}, {machine.memory_bytes >> 30} GiB,"
    yield f"  {machine.system}, {machine.python}, {machine.filesystem};"
    yield f"  an fsync costs {machine.fsync.median_us:.0f} µs; load at the start: {machine.load_average:.1f}."
    yield f"- Speed `{asked.speed}`: {numbers}; seed {asked.seed}. A longer run: `{asked.command}`."
    yield f"- Subjects: {', '.join(subject.label for subject in asked.subjects)}."
    for proof in raw.durability:
        yield f"- {proof.subject.label}: {proof.note} ({proof.method})."
    for note in raw.notes:
        yield f"- {note}"
    yield f"- {VERIFY_NOTE}"
    yield ""


def _table(pairs: Sequence[Pair]) -> Iterator[str]:
    yield "| claim | mode | payload | stated | LevelDB | verdict | BadgerDB | verdict |"
    yield "|---|---|---|---|---|---|---|---|"
    for pair in pairs:
        one = pair.engine
        cells = (one.title, one.durability, one.payload, stated_in_words(one))
        judged = (_measured(pair.stand_in), pair.stand_in.verdict.value, _measured(one), one.verdict.value)
        yield f"| {' | '.join((*cells, *judged))} |"
    yield ""


def _measured(one: ClaimVerdict) -> str:
    return interval_in_words(one.form, one.ratio) if one.ratio else one.reason


def _summary(pairs: Sequence[Pair]) -> Iterator[str]:
    measured = [pair for pair in pairs if pair.measured]
    right = [pair for pair in measured if pair.same]
    opposed = [
        pair
        for pair in measured
        if {pair.stand_in.verdict, pair.engine.verdict} == {Verdict.SUPPORTED, Verdict.CONTRADICTED}
    ]
    yield "## What the stand-in got right and wrong"
    yield ""
    yield f"Of {len(measured)} judgements that both have, LevelDB gives the verdict of BadgerDB in {len(right)}."
    if opposed:
        yield f"In {len(opposed)} it gives the opposite one:"
        yield ""
        for pair in opposed:
            yield (
                f"- {pair.engine.title}, {pair.engine.durability}, {pair.engine.payload}: LevelDB "
                f"{_measured(pair.stand_in)} ({pair.stand_in.verdict}), BadgerDB {_measured(pair.engine)} "
                f"({pair.engine.verdict})."
            )
    else:
        yield "In none it gives the opposite one; the others are inconclusive on one side."


def main() -> None:
    """Read a run and write the page; exit with 2 and a sentence when that can't be done."""
    parser = argparse.ArgumentParser(prog="python -m parity.verdicts", description=__doc__)
    parser.add_argument("run", type=Path, help="directory of a run of `parity bench stores` with leveldb and badger")
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help=f"file to write (default {DEFAULT_OUT})")
    arguments = parser.parse_args()
    try:
        raw = read_results(arguments.run).raw
        pairs = pairs_of(raw)
        if not any(pair.measured for pair in pairs):
            sys.stderr.write(f"error: {arguments.run} has no claim measured with both leveldb and badger\n")
            sys.exit(EXIT_USAGE)
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(page(raw, pairs), encoding="utf-8")
    except (ResultsError, ClaimsError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(EXIT_USAGE)
    sys.stdout.write(f"{arguments.out}\n")


if __name__ == "__main__":
    main()
