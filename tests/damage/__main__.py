"""Run the matrix and the random damages, and print their size and outcomes: `python -m tests.damage`."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from tests.damage.looker import Looker, Outcome
from tests.damage.matrix import ENGINES, RANDOM_DAMAGES, Bench, Result


def main() -> int:
    """Return the exit code: 1 if an outcome isn't allowed."""
    parser = argparse.ArgumentParser(prog="python -m tests.damage", description=__doc__)
    parser.add_argument(
        "--engine", action="append", choices=ENGINES, help="this engine only; several times for several"
    )
    parser.add_argument("--only", default="", help="cells whose name has this text only")
    parser.add_argument("--random", type=int, default=RANDOM_DAMAGES, help="random damages of each engine")
    parser.add_argument("--files", type=int, default=1, help="files that are damaged at random at the same time")
    parser.add_argument("--closed", action="store_true", help="damage databases that were closed")
    parser.add_argument("--verbose", action="store_true", help="print every cell with its messages")
    chosen = parser.parse_args()
    engines = tuple(chosen.engine or ENGINES)
    with TemporaryDirectory(prefix="parity-damage-") as folder, Looker() as looker:
        bench = Bench(Path(folder), engines, closed=chosen.closed)
        matrix = list(_matrix(bench, looker, chosen.only))
        random = [] if chosen.only else list(_random(bench, looker, chosen.random, chosen.files))
    for title, results in (("matrix", matrix), ("random", random)):
        _print(title, engines, results, verbose=chosen.verbose)
    return int(not all(result.allowed for result in [*matrix, *random]))


def _matrix(bench: Bench, looker: Looker, only: str) -> Iterator[Result]:
    for cell in bench.cells():
        if only in str(cell) and (result := bench.run(cell, looker)):
            yield result


def _random(bench: Bench, looker: Looker, number: int, files: int) -> Iterator[Result]:
    for scheme in bench.bases:
        done, seed = 0, 0
        while done < number:
            seed += 1
            if result := bench.run_random(scheme, seed, looker, files):
                done += 1
                yield result


def _print(title: str, engines: tuple[str, ...], results: list[Result], *, verbose: bool) -> None:
    for result in results:
        if verbose or not result.allowed:
            sys.stdout.write(f"{result.cell}\n    read:   {_said(result.read)}\n    served: {_said(result.served)}\n")
    if not results:
        return
    words = sorted({outcome.word for result in results for outcome in (result.read, result.served)})
    table = Table("engine", "files", "cells", *(f"{way}: {word}" for way in ("read", "served") for word in words))
    for engine in engines:
        mine = [result for result in results if result.cell.scheme == engine]
        read, served = (Counter(getattr(result, way).word for result in mine) for way in ("read", "served"))
        files = len({result.cell.file for result in mine if result.cell.file})
        numbers = [str(count[word]) for count in (read, served) for word in words]
        table.add_row(engine, str(files), str(len(mine)), *numbers)
    table.title = f"{title}: {len(results)} damaged databases"
    Console(width=200 if not sys.stdout.isatty() else None, emoji=False).print(table)


def _said(outcome: Outcome) -> str:
    return f"{outcome.word} {outcome.detail}"


if __name__ == "__main__":
    sys.exit(main())
