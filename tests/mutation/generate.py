"""The mutants: what mutmut's operators make of the source, one change each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import takewhile
from pathlib import Path
from random import Random

import libcst as cst
from libcst.metadata import MetadataWrapper
from mutmut.mutation.file_mutation import MutationVisitor
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import get_ignored_lines

ROOT = Path(__file__).parents[2]
FOLDERS = ("reference_server/steps", "reference_server/authorization", "reference_server/events")
KEY_CHARS = 16


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

    def __str__(self) -> str:
        return f"{self.file}: {self.operator}: `{self.line}` -> `{self.mutated}`"


def files() -> tuple[str, ...]:
    """Return the files that are mutated, relative to the repository."""
    found = (path for folder in FOLDERS for path in sorted((ROOT / folder).glob("*.py")))
    return tuple(path.relative_to(ROOT).as_posix() for path in found if path.name != "__init__.py")


def mutants(names: Iterable[str]) -> Iterator[SourceMutant]:
    """Yield every mutant of the files, in their order; of two with one text, the first."""
    for name in names:
        seen = set[str]()
        for mutant in _of_file(name):
            if mutant.key not in seen:
                seen.add(mutant.key)
                yield mutant


def sample(population: Sequence[SourceMutant], count: int, seed: int) -> list[SourceMutant]:
    """Return so many of them, drawn with the seed; a smaller sample is the beginning of a larger one."""
    order = list(population)
    Random(seed).shuffle(order)
    return order[:count]


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
        line, mutated = _changed_lines(source, text)
        yield SourceMutant(_key(name, text), name, operator_of[id(mutation.mutated_node)], line, mutated, text)


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


def _changed_lines(before: str, after: str) -> tuple[str, str]:
    """Return what lies between the lines at the beginning and at the end that both have."""
    old, new = before.splitlines(), after.splitlines()
    first = _alike(old, new)
    old, new = old[first:], new[first:]
    last = _alike(old[::-1], new[::-1])
    return _joined(old[: len(old) - last]), _joined(new[: len(new) - last])


def _alike(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many lines at the beginning are the same."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _joined(lines: Iterable[str]) -> str:
    return " ".join(line.strip() for line in lines)
