"""A comparison of two runs for a terminal or a log: a line a change, what broke first, and the commands to try it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from conformance.verdict import RED
from reports.compare import Change, ClaimChange, Comparison, Pace, VerdictChange, judged_in_words
from reports.numbers import times
from reports.text import one_line
from terminal.lines import wrapped

COMMANDS_TOGETHER_MAX = 5
"""So many requirements are tried again by one command; of more, the first by its own."""
SENTENCE_MIN = 20
"""A sentence that has less room than this is left out."""
MORE = " …"


def comparison_lines(found: Comparison, columns: int | None) -> Iterator[str]:
    """Yield a comparison as lines of at most so many columns (None: as long as they are); commands are never broken."""
    yield from _folded(f"{one_line(found.before)} against {one_line(found.after)}: {found.sentence}", columns)
    told = [f"careful: {one_line(text)}" for text in found.warnings]
    told += [f"server only in the second run: {one_line(name)}" for name in found.servers_added]
    told += [f"server only in the first run: {one_line(name)}" for name in found.servers_removed]
    for servers, changes in _by_servers(found.verdicts):
        told.append(f"on {', '.join(map(one_line, servers))}:")
        for text in told:
            yield from _folded(text, columns)
        told = []
        yield from _changes(changes, columns)
    told += [_pace(one) for one in found.paces if one.moved]
    told += [_claim(one) for one in found.claims if one.moved or one.verdict_changed]
    for text in told:
        yield from _folded(text, columns)


def _folded(text: str, columns: int | None) -> Iterator[str]:
    bare = text.lstrip()
    indent = " " * (len(text) - len(bare))
    yield from wrapped(bare, columns, indent, f"{indent}  ")


def _by_servers(changes: Sequence[VerdictChange]) -> Iterator[tuple[list[str], list[VerdictChange]]]:
    """Yield the servers on which the same changed, and what did: as it was on the first of them."""
    of_server: dict[str, list[VerdictChange]] = {}
    for one in changes:
        of_server.setdefault(one.server, []).append(one)
    alike: dict[tuple[object, ...], list[str]] = {}
    for server, rows in of_server.items():
        alike.setdefault(tuple((one.requirement, one.before, one.after) for one in rows), []).append(server)
    yield from ((servers, of_server[servers[0]]) for servers in alike.values())


def _changes(changes: Sequence[VerdictChange], columns: int | None) -> Iterator[str]:
    """Yield a server's changes, those of a sort together, and how to try again what isn't right."""
    for sort in Change:
        rows = [one for one in changes if one.change is sort]
        if not rows:
            continue
        yield f"{sort.value} ({len(rows)}):"
        for one in rows:
            yield from _verdict(one, columns)
        yield from (f"  {command}" for command in _commands([one for one in rows if one.after in RED]))


def _verdict(one: VerdictChange, columns: int | None) -> Iterator[str]:
    """Yield a line: the verdicts, and as much of the requirement's sentence as there is room for."""
    verdicts = f"{one.before or 'no verdict'}, then {one.after or 'none'}"
    head = f"  {one_line(one.requirement)}: {verdicts}"
    sentence = one_line(one.sentence)
    room = len(sentence) if columns is None else columns - len(head) - len(". ")
    if len(sentence) > room:
        sentence = textwrap.shorten(sentence, max(room, len(MORE)), placeholder=MORE) if room >= SENTENCE_MIN else ""
    yield from _folded(f"{head}. {sentence}" if sentence else head, columns)


def _commands(red: Sequence[VerdictChange]) -> Iterator[str]:
    """Yield what tries requirements again: one command where theirs differ only in the requirement they name."""
    if not red:
        return
    first = red[0]
    named = f"--only {first.requirement}"
    alike = all(
        one.reproduce.replace(f"--only {one.requirement}", named) == first.reproduce and named in first.reproduce
        for one in red
    )
    if not alike or len(red) > COMMANDS_TOGETHER_MAX:
        yield one_line(first.reproduce)
        return
    together = " ".join(f"--only {one.requirement}" for one in red)
    yield one_line(first.reproduce.replace(named, together))


def _pace(one: Pace) -> str:
    change = f"{times(one.factor)}; {times(one.low)} to {times(one.high)}"
    return f"{one.word}: {one_line(one.name)}: {one.before}, then {one.after} ({change})"


def _claim(one: ClaimChange) -> str:
    moved = "moved" if one.moved else "within the intervals" if one.factor is not None else "not comparable"
    told = f"{judged_in_words(one.before)}, then {judged_in_words(one.after)}"
    return f"claim {one_line(one.id)}: {told} ({moved})"
