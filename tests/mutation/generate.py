"""The mutants: what mutmut's operators make of the source, one change each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from itertools import takewhile
from pathlib import Path

import libcst as cst
from libcst.metadata import MetadataWrapper
from mutmut.mutation.file_mutation import MutationVisitor
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import get_ignored_lines
from pydantic import TypeAdapter

from tests.mutation.functions import ROOT, Place, place_of

FOLDERS = ("reference_server/steps", "reference_server/authorization", "reference_server/events")
KEY_CHARS = 16
KEPT = ROOT / "out" / "mutation" / "mutants"


@dataclass(frozen=True, slots=True)
class SourceMutant:
    """One change in one file."""

    key: str
    """Made of the file's name and its changed text: the same as long as the file is."""
    file: str
    """Relative to the repository."""
    operator: str
    """The name that mutmut gives to what it does."""
    line: str
    """The line that is changed (or lines, joined by blanks), as it was, without indentation."""
    mutated: str
    """The same line as it is now; empty where it is gone."""
    text: str
    """The whole changed file."""
    lines: tuple[int, int]
    """The first and the last line that is changed, counted from 1."""
    place: Place
    """The function that is changed."""

    def __str__(self) -> str:
        return f"{self.file}: {self.operator}: `{self.line}` -> `{self.mutated}`"


_MUTANTS = TypeAdapter(list[SourceMutant])


def files() -> tuple[str, ...]:
    """Return the files that are mutated, relative to the repository."""
    found = (path for folder in FOLDERS for path in sorted((ROOT / folder).glob("*.py")))
    return tuple(path.relative_to(ROOT).as_posix() for path in found if path.name != "__init__.py")


def mutants(names: Iterable[str]) -> Iterator[SourceMutant]:
    """Yield every mutant of the files, in their order; of two with one text, the first."""
    for name in names:
        seen = set[str]()
        for mutant in _kept(name):
            if mutant.key not in seen:
                seen.add(mutant.key)
                yield mutant


def sample(population: Sequence[SourceMutant], count: int, seed: int) -> list[SourceMutant]:
    """Return so many of them, drawn with the seed; a smaller sample is the beginning of a larger one.

    A hash of the seed and the mutant decides, so that a change of one file draws no others from the rest.
    """
    return sorted(population, key=lambda mutant: sha256(f"{seed}\n{mutant.key}".encode()).digest())[:count]


def _kept(name: str) -> list[SourceMutant]:
    """Return the mutants of a file as an earlier run made them: to make those of all files takes over a minute."""
    made_of = ((ROOT / name).read_bytes(), Path(__file__).read_bytes(), version("mutmut").encode())
    path = KEPT / f"{_key(name, str(made_of))}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}")
        partial.write_bytes(_MUTANTS.dump_json(list(_of_file(name))))
        partial.replace(path)
    return _MUTANTS.validate_json(path.read_bytes())


def _of_file(name: str) -> Iterator[SourceMutant]:
    source = (ROOT / name).read_text(encoding="utf-8")
    operator_of: dict[int, str] = {}
    wrapper = MetadataWrapper(cst.parse_module(source))
    visitor = MutationVisitor(
        [(kind, _named(operator, operator_of)) for kind, operator in mutation_operators],
        get_ignored_lines(name, source, wrapper),
    )
    module = wrapper.visit(visitor)
    for mutation in visitor.mutations:
        changed = module.deep_replace(mutation.original_node, mutation.mutated_node)
        text = changed.code if isinstance(changed, cst.Module) else ""
        operator = operator_of[id(mutation.mutated_node)]
        line, mutated, lines = _changed_lines(source, text)
        yield SourceMutant(_key(name, text), name, operator, line, mutated, text, lines, place_of(name, *lines))


def _named(
    operator: Callable[[cst.CSTNode], Iterable[cst.CSTNode]], operator_of: dict[int, str]
) -> Callable[[cst.CSTNode], Iterator[cst.CSTNode]]:
    """Note who made a node; mutmut's mutations don't say it."""

    def noted(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        for made in operator(node):
            operator_of[id(made)] = operator.__name__.removeprefix("operator_")
            yield made

    return noted


def _key(name: str, text: str) -> str:
    return sha256(f"{name}\n{text}".encode()).hexdigest()[:KEY_CHARS]


def _changed_lines(before: str, after: str) -> tuple[str, str, tuple[int, int]]:
    """Return what lies between the lines at the beginning and at the end that both have, and where."""
    old, new = before.splitlines(), after.splitlines()
    first = _alike(old, new)
    old, new = old[first:], new[first:]
    last = _alike(old[::-1], new[::-1])
    old, new = old[: len(old) - last], new[: len(new) - last]
    return _joined(old), _joined(new), (first + 1, first + max(1, len(old)))


def _alike(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many lines at the beginning are the same."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _joined(lines: Iterable[str]) -> str:
    return " ".join(line.strip() for line in lines)
