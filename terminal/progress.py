"""How far a long command is, and how long it still takes: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

FIRST_LINE_SECONDS = 2.0
"""What takes no longer says nothing on the way."""
LINE_SECONDS = 10.0
Advance = Callable[[str, int, int], None]
"""Called with what is done now, how many are done, and how many there are."""


@contextmanager
def progress_of(what: str) -> Iterator[Advance]:
    """Tell on standard error how far the block is: yield what is to be called at each step."""
    if not sys.stderr.isatty():
        yield Lines(what)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True, emoji=False), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda label, done, total: bar.update(task, description=label, completed=done, total=total)


class Lines:
    """Progress as plain lines: one after two seconds, then one every ten."""

    def __init__(self, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin now."""
        self._what, self._clock, self._began = what, clock, clock()
        self._next = self._began + FIRST_LINE_SECONDS

    def __call__(self, _: str, done: int, total: int) -> None:
        """Say how far it is, if a line is due."""
        now = self._clock()
        if now < self._next or not 0 < done < total:
            return
        self._next = now + LINE_SECONDS
        took = now - self._began
        left = took / done * (total - done)
        typer.echo(f"{self._what}: {done} of {total} after {took:.0f} s, about {left:.0f} s left", err=True)
