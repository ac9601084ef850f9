"""The matrix: engines x files x damages, and what came of each cell."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from stores.registry import SCHEMES, unavailable
from tests.damage.base import NAME, Base, build, copy_tree
from tests.damage.contents import changes, contents
from tests.damage.damages import ANOTHERS, FILE_DAMAGES, damage_randomly
from tests.damage.looker import ALLOWED, CHANGED, CRASHED, HUNG, Looker, Outcome
from tests.damage.strange import STRANGE_DAMAGES
from tests.damage.whole import DATABASE_DAMAGES, DESCRIPTORS

ENGINES = tuple(scheme.name for scheme in SCHEMES if scheme.needs_path and not unavailable(scheme))
RANDOM_DAMAGES = 100
TO_FILES = {**FILE_DAMAGES, **STRANGE_DAMAGES}
UNNOTICED = (("badger", r"db/\d+\.vlog", ANOTHERS),)
"""Scheme, files and damage of the cells that are left out, for `stores/high_water.py` says that nobody notices them."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One damage to one file of one engine; to the whole database where `file` is empty."""

    scheme: str
    file: str
    damage: str

    @property
    def is_unnoticed(self) -> bool:
        """Whether it is known and told that this damage isn't noticed."""
        return any(
            (scheme, damage) == (self.scheme, self.damage) and re.fullmatch(file, self.file)
            for scheme, file, damage in UNNOTICED
        )

    def __str__(self) -> str:
        return f"{self.scheme}: {self.file or 'the database'}: {self.damage}"


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a cell: looked at by what only reads, then opened as `serve` opens it."""

    cell: Cell
    read: Outcome
    served: Outcome

    @property
    def allowed(self) -> bool:
        """Whether both outcomes are among those allowed."""
        return self.read.word in ALLOWED and self.served.word in ALLOWED


class Bench:
    """The bases of all engines in a folder, and a place to damage copies of them."""

    def __init__(self, folder: Path, engines: tuple[str, ...] = ENGINES, *, closed: bool = False) -> None:
        """Make the bases; with `closed` those that a store has closed, which not all engines look through."""
        self._folder = folder
        self.bases: Mapping[str, Base] = {name: build(name, folder / "bases" / name, closed=closed) for name in engines}

    def cells(self) -> Iterator[Cell]:
        """Yield the whole matrix."""
        for scheme, base in self.bases.items():
            for file in base.files:
                for damage in TO_FILES:
                    cell = Cell(scheme, str(file), damage)
                    if not cell.is_unnoticed:
                        yield cell
            for damage in DATABASE_DAMAGES:
                yield Cell(scheme, "", damage)

    def run(self, cell: Cell, looker: Looker) -> Result | None:
        """Damage a copy and look at it; None where the damage changes nothing (an empty file can't be emptied)."""
        base = self.bases[cell.scheme]
        with _Copy(base, self._folder / "cell") as folder:
            if cell.file:
                other = base.another if cell.damage == ANOTHERS else base.older
                done = TO_FILES[cell.damage](folder / cell.file, other / cell.file)
            else:
                done = DATABASE_DAMAGES[cell.damage](base, folder, self.bases)
            return _looked(cell, base, folder, looker) if done else None

    def run_random(self, scheme: str, seed: int, looker: Looker, files: int = 1) -> Result | None:
        """Damage random files of a copy at random and look at it; None where the damage changes nothing."""
        base, random = self.bases[scheme], Random(f"{scheme} {seed}")
        chosen = random.sample(base.files, files) if files > 1 else [random.choice(base.files)]
        with _Copy(base, self._folder / "cell") as folder:
            done = "; ".join(filter(None, [damage_randomly(folder / file, random) for file in chosen]))
            named = ", ".join(map(str, chosen))
            return _looked(Cell(scheme, named, f"{done} (seed {seed})"), base, folder, looker) if done else None


def _looked(cell: Cell, base: Base, folder: Path, looker: Looker) -> Result:
    url, before = f"{cell.scheme}:{folder / NAME}", contents(folder)
    spare = DESCRIPTORS.get(cell.damage)
    whole = {base.digest}
    if cell.damage == ANOTHERS:
        whole.add(
            base.digest_of_another
        )  # where one file is all, it is another database, whole, and newer than the mark
    read = looker.look(url, whole, create=False, descriptors=spare)
    read = _unless_changed(read, changes(before, contents(folder)))
    served = looker.look(url, whole, create=True, descriptors=spare)
    if not served.opened:
        served = _unless_changed(served, changes(before, contents(folder), cell.scheme))
    return Result(cell, read, served)


def _unless_changed(outcome: Outcome, changed: list[str]) -> Outcome:
    if not changed or outcome.word in {CRASHED, HUNG}:
        return outcome
    return Outcome(CHANGED, f"{', '.join(changed)}; {outcome.word} {outcome.detail}")


class _Copy:
    """A copy of a base in a folder, while it is needed."""

    def __init__(self, base: Base, folder: Path) -> None:
        self._folder = folder
        copy_tree(base.folder, folder)

    def __enter__(self) -> Path:
        return self._folder

    def __exit__(self, *_: object) -> None:
        for path in (self._folder, *self._folder.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755)
        shutil.rmtree(self._folder)
