"""Failures and their causes as lines for people: what was expected, what came, what is behind it, what to mend first.

Texts of a server are foreign: what can't be printed is written as an escape, and a long one is cut. Lines are broken
where a terminal ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.console import Console

from conformance.cause import Cause
from conformance.verdict import Problem, Report, Result, Verdict
from terminal.lines import wrapped

PROBLEMS_SHOWN = 3
"""Problems of one failure; a card (`--verbose`) has all."""
RED = (Verdict.FAIL, Verdict.FLAKY, Verdict.UNTESTABLE, Verdict.HARNESS_ERROR)
"""Verdicts that are printed with their reason."""


LOG_WIDTH = 500
"""The width of a line where no terminal limits it."""
TEXT_MAX = 240
"""So much of a foreign text is shown on a terminal that isn't wider; a card (`--verbose`) has more."""

VALUES_MAX, VALUE_MAX = 180, 90
"""So much of what was expected and of what came is shown in a line, and so much of one of them if it has to be cut."""


def width_of(console: Console) -> int:
    """Return how long a line may be: a log has more room than a terminal."""
    return console.width if console.is_terminal else LOG_WIDTH


def printable(text: str) -> str:
    """Return foreign text on one line, with escapes in the place of what would move a cursor or ring a bell."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def cut(text: str, width: int) -> str:
    """Return text that is no longer than a width; a cut shows."""
    return text if len(text) <= width else f"{text[: max(width - 1, 0)]}…"


def problem_line(problem: Problem) -> str:
    """Return what is wrong with what was expected and what came, on one line. Neither takes the other's room."""
    expected, actual = problem.expected, problem.actual
    if len(expected) + len(actual) > VALUES_MAX:
        expected, actual = _short(expected), _short(actual)
    came = f"got {actual}" if actual else ""
    asked = f"expected {expected}" if expected else ""
    against = ", ".join(part for part in (asked, came) if part)
    return printable(f"{problem.text}: {against}" if against else problem.text)


def _short(value: str) -> str:
    return value if len(value) <= VALUE_MAX else f"{value[: VALUE_MAX - 24]}… ({len(value)} characters)"


def failure_lines(result: Result, blocked: Sequence[str], width: int) -> Iterator[str]:
    """Yield the lines under a failure's head: its first problems, and what it keeps from being asked."""
    problems = [problem_line(problem) for problem in result.problems] or [printable(result.reason)]
    if result.verdict is Verdict.FLAKY:
        yield from wrapped(result.reason, width)
    for line in problems[:PROBLEMS_SHOWN]:
        yield from wrapped(cut(line, max(width, TEXT_MAX)), width)
    if len(problems) > PROBLEMS_SHOWN:
        yield f"… and {len(problems) - PROBLEMS_SHOWN} more"
    if blocked:
        yield from wrapped(few(f"blocks {len(blocked)} more: ", blocked, width), width)


def red_results(report: Report) -> tuple[tuple[Result, tuple[str, ...]], ...]:
    """Return what is red and isn't blocked, each with the red requirements that it blocks.

    What several block stands under the first of them.
    """
    red = [result for result in report.results if result.verdict in RED]
    under: dict[str, list[str]] = {}
    for result in red:
        if first := _first_blocker(result, {row.id: row for row in red}):
            under.setdefault(first, []).append(result.id)
    hidden = {name for names in under.values() for name in names}
    return tuple((result, tuple(under.get(result.id, ()))) for result in red if result.id not in hidden)


def _first_blocker(result: Result, red: Mapping[str, Result]) -> str:
    """Follow blockers to one that is blocked by nothing that is shown."""
    seen: set[str] = set()
    name = result.id
    while nearer := next((one for one in red[name].blocked_by if one in red and one not in seen), ""):
        seen.add(name)
        name = nearer
    return "" if name == result.id else name


def diagnosis_lines(report: Report, width: int, *, whole: bool = False) -> Iterator[str]:
    """Yield what to mend first: the few causes that a summary names, or the whole diagnosis."""
    found = report.diagnosis
    if not found.failures:
        return
    rows = found.causes if whole else found.mend_first
    yield from wrapped(f"Mend first: {found.headline}" if rows else found.headline, width)
    for number, cause in enumerate(rows, start=1):
        yield from _cause_lines(number, cause, report, width, whole=whole)
    if len(found.causes) > len(rows):
        yield f"… and {len(found.causes) - len(rows)} more: parity diagnose RUN"
    for place, names in report.unexplained_by_place.items():
        yield from _names(f"Nothing known explains {len(names)} of {place}: ", names, width, whole=whole)


def _names(head: str, names: Sequence[str], width: int, *, whole: bool) -> Iterable[str]:
    indent = " " * (len(head) - len(head.lstrip()))
    text = f"{head.lstrip()}{', '.join(names)}" if whole else few(head.lstrip(), names, width - len(indent))
    return wrapped(text, width, indent, "    ")


def few(head: str, names: Sequence[str], width: int) -> str:
    """Return as many names as fit one line behind a head, one at least, and how many more there are."""
    shown = len(names)
    while True:
        more = f" and {len(names) - shown} more" * (shown < len(names))
        text = f"{head}{', '.join(names[:shown])}{more}"
        if len(text) <= width or shown == 1:
            return text
        shown -= 1


def _cause_lines(number: int, cause: Cause, report: Report, width: int, *, whole: bool) -> Iterator[str]:
    """Yield what a cause is, how sure, where it shows best, and what it explains."""
    where = f" ({cause.where})" if cause.where else ""
    count = f"{len(cause.explains)} failure{'s' * (len(cause.explains) != 1)}"
    yield from wrapped(printable(f"{cause.sentence}{where}: {count}"), width, f"{number:2}. ", "    ")
    yield from wrapped(cause.sure, width, "    ", "    ")
    for sentence in cause.also:
        yield from wrapped(printable(f"or: {sentence}"), width, "    ", "    ")
    shown = report.of(cause.telling)
    exchange = f" [exchange {cause.exchange}]" if cause.exchange else ""
    problem = next((one for one in shown.problems if one.exchange == cause.exchange), None)
    said = problem_line(problem) if problem else printable(shown.reason or shown.sentence)
    told = cut(f"shows in {cause.telling}{exchange}: {said}", max(width, TEXT_MAX))
    yield from wrapped(told, width, "    ", "    ")
    yield from _names("    explains ", cause.explains, width, whole=whole)
