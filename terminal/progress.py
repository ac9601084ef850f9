"""How far a long command is, and how long it still takes: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from terminal.interrupt import interrupts_first
from terminal.lines import print_error

FIRST_LINE_SECONDS = 2.0
"""What takes no longer says nothing on the way."""
LINE_SECONDS = 10.0
ESTIMATE_SECONDS_MIN, ESTIMATE_SHARE_MIN = 2.0, 0.05
"""Before so much time has passed, and so much is done, the first steps say nothing of those to come."""
BAR_WIDTH_MIN = 56
"""Columns of a terminal that has room for a bar too."""
NUMBERS_WIDTH = 28
"""Columns of `1234/2148 about 12 min left` with the space before."""
PARTS = 1000
"""Of which a progress of stages consists."""
Advance = Callable[[str, int, int], None]
"""Called with what is done now, how many are done, and how many there are (0: nobody knows)."""


def seconds_left(took: float, done: float, total: float) -> float | None:
    """Return how long the rest takes if it goes on as it went; None while that can't be told."""
    if took < ESTIMATE_SECONDS_MIN or not 0 < done < total or done / total < ESTIMATE_SHARE_MIN:
        return None
    return took / done * (total - done)


def span(seconds: float) -> str:
    """Return a time as people say it: `40 s`, `3 min`, `1 h 20 min`."""
    if seconds < 120:  # noqa: PLR2004 - from two minutes on, seconds are of no use
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    hours = f"{minutes // 60} h " if minutes >= 60 else ""  # noqa: PLR2004 - an hour
    return f"{hours}{minutes % 60 if hours else minutes} min"


@contextmanager
def progress_of(what: str, *, left: str = "") -> Iterator[Advance]:
    """Tell on standard error how far the block is: yield what is to be called at each step.

    Args:
        what: what is counted.
        left: what somebody who presses Ctrl-C is told after how far it came: what is kept of it, and where.
    """
    with _told_at_the_end(what, _counted, left) as note, _told(what, MofNCompleteColumn(), _counted) as advance:
        yield note(advance)


@contextmanager
def progress_of_stages(what: str, shares: Mapping[str, float], *, left: str = "") -> Iterator[Callable[[str], Advance]]:
    """Tell how far a block of several stages is: yield what gives, by a stage's name, what is to be called within it.

    Args:
        what: what is done, all in all.
        shares: the stages in their order, each with the share of the time that it is planned to take.
        left: as in `progress_of`.
    """
    planned = sum(shares.values())
    column = TextColumn("{task.percentage:>3.0f} %")
    with _told_at_the_end(what, _percent, left) as note, _told(what, column, _percent) as shown:
        advance = note(shown)

        def within(stage: str) -> Advance:
            before = sum(list(shares.values())[: list(shares).index(stage)])

            def step(label: str, done: int, total: int) -> None:
                share = shares[stage] * (min(done / total, 1.0) if total else 0.0)
                advance(f"{stage} {label}".strip(), round((before + share) / planned * PARTS), PARTS)

            return step

        yield within


@contextmanager
def _told_at_the_end(what: str, said: Callable[[int, int], str], left: str) -> Iterator[Callable[[Advance], Advance]]:
    """Say at Ctrl-C how far the block came, and what is left of it: yield what notes how far it is."""
    came = (0, 0)

    def noting(advance: Advance) -> Advance:
        def step(label: str, done: int, total: int) -> None:
            nonlocal came
            came = done, total
            advance(label, done, total)

        return step

    try:
        with interrupts_first():
            yield noting
    except KeyboardInterrupt:
        if left:
            print_error(f"interrupted: {what}: {said(*came)}; {left}")
        raise


@contextmanager
def _told(what: str, position: ProgressColumn, said: Callable[[int, int], str]) -> Iterator[Advance]:
    if not sys.stderr.isatty():
        yield Lines(what, said=said)
        return
    console = Console(stderr=True, emoji=False)
    with Progress(*_columns(position, console.width), console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda label, done, total: bar.update(task, description=label, completed=done, total=total or None)


def _columns(position: ProgressColumn, width: int) -> tuple[ProgressColumn, ...]:
    """Return the parts of one line: a narrow terminal has no bar, and what is done now is cut before it is broken."""
    narrow = width < BAR_WIDTH_MIN
    room = max(width - (NUMBERS_WIDTH if narrow else BAR_WIDTH_MIN - 8), 8)
    whole = Column(no_wrap=True)
    now = TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis", max_width=room))
    left = TimeLeftColumn(table_column=whole)
    return (now, position, left) if narrow else (now, BarColumn(), position, TimeElapsedColumn(), left)


class TimeLeftColumn(ProgressColumn):
    """The time that is left, as soon as that can be told."""

    def render(self, task: Task) -> Text:
        """Return it as text."""
        left = seconds_left(task.elapsed or 0.0, task.completed, task.total or 0.0)
        return Text("" if left is None else f"about {span(left)} left")


def _counted(done: int, total: int) -> str:
    return f"{done} of {total}" if total else str(done)


def _percent(done: int, total: int) -> str:
    return f"{done / max(total, 1):.0%}".replace("%", " %")


class Lines:
    """Progress as plain lines: one after two seconds, then one every ten."""

    def __init__(
        self,
        what: str,
        clock: Callable[[], float] = time.monotonic,
        *,
        said: Callable[[int, int], str] = _counted,
    ) -> None:
        """Begin now; `said` puts how many are done of how many into words."""
        self._what, self._clock, self._began, self._said = what, clock, clock(), said
        self._next = self._began + FIRST_LINE_SECONDS

    def __call__(self, _: str, done: int, total: int) -> None:
        """Say how far it is, if a line is due."""
        now = self._clock()
        if now < self._next or done <= 0 or done == total:
            return
        self._next = now + LINE_SECONDS
        took = now - self._began
        left = seconds_left(took, done, total)
        after = "" if left is None else f", about {span(left)} left"
        typer.echo(f"{self._what}: {self._said(done, total)} after {span(took)}{after}", err=True)
