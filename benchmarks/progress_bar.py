"""How far a measurement is, and how long it still takes: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from benchmarks.runner import Progress

FIRST_LINE_SECONDS = 2.0
"""What takes no longer says nothing on the way."""
LINE_SECONDS = 10.0


@contextmanager
def progress_bar() -> Iterator[Callable[[Progress], None]]:
    """Tell on standard error how far the block is: yield what is to be called at each step."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True, emoji=False), transient=True) as bar:
        task = bar.add_task("starting", total=None)
        yield lambda one: bar.update(task, description=one.label, completed=one.done, total=one.total)


class Lines:
    """Progress as plain lines: one after two seconds, then one every ten."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin now."""
        self._clock, self._began = clock, clock()
        self._next = self._began + FIRST_LINE_SECONDS

    def __call__(self, one: Progress) -> None:
        """Say how far it is, if a line is due."""
        now = self._clock()
        if now < self._next or not 0 < one.done < one.total:
            return
        self._next = now + LINE_SECONDS
        took = now - self._began
        left = took / one.done * (one.total - one.done)
        typer.echo(f"{one.done} of {one.total} after {took:.0f} s, about {left:.0f} s left: {one.label}", err=True)
