"""Which function a line of a file belongs to."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Place(NamedTuple):
    """A function, and the lines of its body (counted from 1). What is in no function has no name, and all lines."""

    function: str
    first: int
    last: int


def place_of(file: str, first: int, last: int) -> Place:
    """Return the innermost function whose body has these lines of a file of the repository.

    Decorators, defaults and annotations run where the function is defined, so they belong to what is around it.
    """
    inside = [place for place in _bodies(file) if place.first <= first and last <= place.last]
    return min(inside, key=lambda place: place.last - place.first)


@cache
def _bodies(file: str) -> tuple[Place, ...]:
    text = (ROOT / file).read_text(encoding="utf-8")
    return (Place("", 1, len(text.splitlines())), *_within(ast.parse(text), ""))


def _within(node: ast.AST, prefix: str) -> Iterator[Place]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _within(child, prefix)
            continue
        name = f"{prefix}{child.name}"
        if not isinstance(child, ast.ClassDef):
            yield Place(name, child.body[0].lineno, child.end_lineno or child.body[0].lineno)
        yield from _within(child, f"{name}.")
