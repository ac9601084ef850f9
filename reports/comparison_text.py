"""A comparison of two runs for a terminal or a log: a few lines a change, no table."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from reports.compare import ClaimChange, Comparison, Pace, VerdictChange, judged_in_words
from reports.numbers import times
from reports.text import cut, one_line

SENTENCE_MAX = 200


def comparison_lines(found: Comparison, columns: int | None) -> Iterator[str]:
    """Yield a comparison as lines of at most so many columns (None: as long as they are); commands are never broken."""
    for text in _texts(found):
        bare = text.lstrip()
        if columns is None or bare.startswith("parity "):
            yield text
            continue
        indent = " " * (len(text) - len(bare))
        yield from textwrap.wrap(
            bare, columns, initial_indent=indent, subsequent_indent=indent or "  ", break_on_hyphens=False
        )


def _texts(found: Comparison) -> Iterator[str]:
    yield f"{one_line(found.before)} against {one_line(found.after)}: {found.sentence}"
    yield from (f"careful: {one_line(text)}" for text in found.warnings)
    yield from (f"server only in the second run: {one_line(name)}" for name in found.servers_added)
    yield from (f"server only in the first run: {one_line(name)}" for name in found.servers_removed)
    for one in found.verdicts:
        yield from _verdict(one)
    yield from (_pace(one) for one in found.paces if one.moved)
    yield from (_claim(one) for one in found.claims if one.moved or one.verdict_changed)


def _verdict(one: VerdictChange) -> Iterator[str]:
    verdicts = f"{one.before or 'no verdict'}, then {one.after or 'none'}"
    yield f"{one.change.value}: {one_line(one.requirement)} on {one_line(one.server)}: {verdicts}"
    yield f"  {cut(one_line(one.sentence), SENTENCE_MAX)}"
    yield f"  {one_line(one.reproduce)}"


def _pace(one: Pace) -> str:
    change = f"{times(one.factor)}; {times(one.low)} to {times(one.high)}"
    return f"{one.word}: {one_line(one.name)}: {one.before}, then {one.after} ({change})"


def _claim(one: ClaimChange) -> str:
    moved = "moved" if one.moved else "within the intervals" if one.factor is not None else "not comparable"
    told = f"{judged_in_words(one.before)}, then {judged_in_words(one.after)}"
    return f"claim {one_line(one.id)}: {told} ({moved})"
