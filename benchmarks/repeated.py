"""Do verdicts come again? Whole runs, every other one with a core taken by somebody else; no cell may turn around.

`python -m benchmarks.repeated --runs 20` repeats a quick run of the claims' sides, with the agents and the mode of the
headlines, and says of every cell which verdicts it got, how far its figures lay apart, and how often its interval held
the middle of all quiet runs: about 95 of 100 times, if intervals hold what differs between whole runs. Exit 1 if a cell
was supported once and contradicted another time.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.config import HEADLINE_MODE, HEADLINE_PAYLOAD, Speed, StoresConfig
from benchmarks.results import ClaimVerdict, Conclusion, Ratio
from benchmarks.runner import run_stores
from benchmarks.statistics import median

OPPOSITE = {Conclusion.SUPPORTED, Conclusion.CONTRADICTED}
OUT = Path("out")
"""Where databases lie meanwhile: on this folder's disk, not on one in memory, and where no commit picks them up."""


@dataclass(slots=True)
class Cell:
    """What one judgement came to, run after run: its verdicts, and its ratios when quiet and when loaded."""

    verdicts: list[Conclusion] = field(default_factory=list)
    quiet: list[Ratio] = field(default_factory=list)
    loaded: list[Ratio] = field(default_factory=list)
    busy: int = 0

    @property
    def turned_around(self) -> bool:
        """Whether it was supported once and contradicted another time."""
        return set(self.verdicts) >= OPPOSITE

    def add(self, one: ClaimVerdict, *, is_loaded: bool) -> None:
        """Take the judgement of a run."""
        self.verdicts.append(one.verdict)
        self.busy += "the machine was busy" in one.reason
        if one.ratio is not None:
            (self.loaded if is_loaded else self.quiet).append(one.ratio)

    def in_words(self) -> str:
        """Return the cell in one line."""
        counts = ", ".join(f"{count} {verdict}" for verdict, count in Counter(self.verdicts).items())
        busy = f" ({self.busy} because the machine was busy)" if self.busy else ""
        return f"{counts}{busy}; quiet {self._span(self.quiet)}; loaded {self._span(self.loaded)}"

    def _span(self, ratios: list[Ratio]) -> str:
        if not ratios:
            return "not measured"
        values = [one.value for one in ratios]
        apart = f"{min(values):.3g}x to {max(values):.3g}x (apart {max(values) / min(values):.2f}x)"
        return f"{apart}, middle held {self._held(ratios)} of {len(ratios)}"

    def _held(self, ratios: list[Ratio]) -> int:
        """Return how many intervals hold the middle of the quiet runs."""
        middle = median([one.value for one in self.quiet])
        return sum(one.interval.low <= middle <= one.interval.high for one in ratios)


@contextmanager
def taken_core() -> Iterator[None]:
    """Keep one core busy with something else."""
    spinning = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        spinning.kill()
        spinning.wait()


def repeat(config: StoresConfig, runs: int, cells: dict[str, Cell]) -> None:
    """Run so many times, every other one under load, each with a seed of its own; `cells` gets every cell by its id."""
    for run in range(runs):
        verdicts = list(_verdicts(config, run))
        for one in verdicts:
            cells.setdefault(one.id, Cell()).add(one, is_loaded=bool(run % 2))
        busy = sum("the machine was busy" in one.reason for one in verdicts)
        sys.stderr.write(f"run {run + 1} of {runs}{', a core taken' * (run % 2)}: {busy} of {len(verdicts)} busy\n")


def _verdicts(config: StoresConfig, run: int) -> Iterable[ClaimVerdict]:
    again = replace(config, seed=config.seed + run, proven=False)
    if run % 2:
        with taken_core():
            return run_stores(again).judgement.verdicts
    return run_stores(again).judgement.verdicts


def main() -> int:
    """Repeat, print every cell, and return 1 if one has turned around."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.repeated", description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--whole", action="store_true", help="all cells of a quick run, not the headlines' alone")
    arguments = parser.parse_args()
    cells: dict[str, Cell] = {}
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="repeated-", dir=OUT) as folder:
        config = StoresConfig(Path(folder), Speed.QUICK)
        if not arguments.whole:
            config = replace(config, payloads=(HEADLINE_PAYLOAD,), durabilities=(HEADLINE_MODE,))
        try:
            repeat(config, arguments.runs, cells)
        finally:  # An interrupted hour has something to say too.
            sys.stdout.write("".join(f"{line}\n" for line in _told(cells)))
    return 1 if any(cell.turned_around for cell in cells.values()) else 0


def _told(cells: dict[str, Cell]) -> Iterator[str]:
    for name, cell in cells.items():
        yield f"{'TURNED AROUND ' * cell.turned_around}{name}: {cell.in_words()}"
    turned = sum(cell.turned_around for cell in cells.values())
    yield f"{turned} of {len(cells)} cells were supported once and contradicted another time"


if __name__ == "__main__":
    sys.exit(main())
