"""How far a measurement is, and how long it still takes: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks.runner import Progress
from terminal.progress import progress_of


@contextmanager
def progress_bar(*, left: str = "") -> Iterator[Callable[[Progress], None]]:
    """Tell on standard error how far the block is: yield what is to be called at each step (`left`: as there)."""
    with progress_of("measurements", left=left) as advance:
        yield lambda one: advance(one.label, one.done, one.total)
