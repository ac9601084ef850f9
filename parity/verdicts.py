"""Write `docs/verdicts.md`: one sentence a claim, what would change it, and all judgements, from one run.

`python -m parity.verdicts RUN` reads a run of `parity bench stores` that measured the claims in their own language
(`make native`).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.claims import ClaimsError, interval_in_words, judge_claims, load_claims, stated_in_words
from benchmarks.config import HEADLINE_MODE, HEADLINE_PAYLOAD
from benchmarks.judge import judge
from benchmarks.picture import drawn
from benchmarks.results import ClaimVerdict, Factor, Raw, ResultsError, read_results
from benchmarks.robustness import dependence, robustness, sentence

DEFAULT_OUT = Path("docs/verdicts.md")
HEADLINE = (HEADLINE_MODE, HEADLINE_PAYLOAD)
EXIT_USAGE = 2


def page(raw: Raw) -> str:
    """Return the page as Markdown. Raises ClaimsError."""
    verdicts = judge_claims(raw, load_claims())
    factors = judge(raw).factors
    parts = (*_lead(verdicts), *_languages(verdicts, factors), *_table(verdicts), *_factors(factors), *_run(raw))
    return "\n".join(parts) + "\n"


def _lead(verdicts: Sequence[ClaimVerdict]) -> Iterator[str]:
    yield "# The claims, judged"
    yield ""
    yield "Each claim is judged where it was made: in Go, SQLite with JSON documents against BadgerDB with protobuf,"
    yield "neither of which syncs each commit (relaxed), agents of 7 KB (medium). A verdict follows from where the"
    yield "whole 95 % interval of the ratio lies. Below each stands which choices keep it and which change it."
    yield ""
    told = robustness(verdicts)
    for found in told:
        yield f"- **{sentence(found)}**"
        yield f"  It {dependence(found)}"
    yield ""
    yield "```text"
    yield from drawn([found.headline for found in told])
    yield "```"
    yield ""
    yield "░ what was claimed, ━ what was measured (the 95 % interval)."
    yield ""


def _languages(verdicts: Sequence[ClaimVerdict], factors: Sequence[Factor]) -> Iterator[str]:
    """Tell the same two stores in both languages, side by side, where the claims were made."""
    sides = {
        f"{one.baseline.name} to {one.candidate.name}" for one in verdicts if one.headline and one.baseline.language
    }
    judged = [one for one in factors if (one.durability, one.payload) == HEADLINE and one.whole in sides]
    made = {(one.metric, one.name): one for one in judged}
    metrics = [metric for metric, name in made if name == "language"]
    if not metrics:
        return
    yield from ("## What the language makes of it", "")
    yield "The ratios of the same two stores, SQLite with JSON and BadgerDB with protobuf, held by Go and by Python:"
    yield from ("", "| metric | in Go | in Python | the language's part |", "|---|---|---|---|")
    for metric in metrics:
        yield f"| {metric} | {' | '.join(_times(made[metric, name]) for name in ('whole', 'python', 'language'))} |"
    yield ""


def _times(one: Factor) -> str:
    return f"{one.ratio.value:.3g}x ({one.ratio.interval.low:.3g}x to {one.ratio.interval.high:.3g}x)"


def _table(verdicts: Sequence[ClaimVerdict]) -> Iterator[str]:
    yield from _folded("All judgements")
    yield "| claim | baseline | candidate | mode | agents | claimed | measured | verdict |"
    yield "|---|---|---|---|---|---|---|---|"
    for one in verdicts:
        sides = (one.baseline.name, one.candidate.name, one.durability, one.payload)
        measured = interval_in_words(one.form, one.ratio) if one.ratio else one.reason
        told = f"**{one.verdict}**" if one.headline else str(one.verdict)
        yield f"| {' | '.join((one.title, *sides, stated_in_words(one), measured, told))} |"
    yield from _end()


def _factors(factors: Sequence[Factor]) -> Iterator[str]:
    yield from _folded("What each ratio is made of")
    yield "| metric | of | agents | mode | part | change | ratio | 95 % interval |"
    yield "|---|---|---|---|---|---|---|---|"
    for one in factors:
        low, high = one.ratio.interval.low, one.ratio.interval.high
        told = (one.metric, one.whole, one.payload, one.durability, one.name, one.change)
        yield f"| {' | '.join(told)} | {one.ratio.value:.3g}x | {low:.3g}x to {high:.3g}x |"
    yield from _end()


def _folded(title: str) -> Iterator[str]:
    yield from ("<details>", f"<summary>{title}</summary>", "")


def _end() -> Iterator[str]:
    yield from ("", "</details>", "")


def _run(raw: Raw) -> Iterator[str]:
    machine, asked = raw.environment, raw.configuration
    numbers = ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in asked.numbers.items())
    yield from _folded("The run")
    yield f"- Measured {machine.captured_at} on {machine.cpu_count} x {machine.cpu}, {machine.memory_bytes >> 30} GiB,"
    yield f"  {machine.system}, {machine.python}, {machine.filesystem};"
    yield f"  an fsync costs {machine.fsync.median_us:.0f} µs; load at the start: {machine.load_average:.1f}."
    yield f"- Speed `{asked.speed}`: {numbers}; seed {asked.seed}. Repeat with `{asked.command}`."
    yield f"- Subjects: {', '.join(subject.label for subject in asked.subjects)}."
    for proof in raw.durability:
        yield f"- {proof.subject.label}: {proof.note} ({proof.method})."
    for note in raw.notes:
        yield f"- {note}"
    yield "- Written by `python -m parity.verdicts RUN`, not by hand."
    yield from _end()


def main() -> None:
    """Read a run and write the page; exit with 2 and a sentence when that can't be done."""
    parser = argparse.ArgumentParser(prog="python -m parity.verdicts", description=__doc__)
    parser.add_argument("run", type=Path, help="directory of a run of `parity bench stores` after `make native`")
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help=f"file to write (default {DEFAULT_OUT})")
    arguments = parser.parse_args()
    try:
        raw = read_results(arguments.run).raw
        if not any(sample.subject.language for sample in raw.samples):
            said = f"{arguments.run} has nothing in the claims' language; `make native`, then measure again"
            sys.stderr.write(f"error: {said}\n")
            sys.exit(EXIT_USAGE)
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(page(raw), encoding="utf-8")
    except (ResultsError, ClaimsError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(EXIT_USAGE)
    sys.stdout.write(f"{arguments.out}\n")


if __name__ == "__main__":
    main()
