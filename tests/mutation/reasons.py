"""Why a mutant that survives is no hole in the suite: `equivalent.toml`, matched by what the source says."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from tests.mutation.generate import SourceMutant, files

REASONS = Path(__file__).with_name("equivalent.toml")
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


class ReasonUnmatched(Exception):
    """A reason speaks of a file, line or change that isn't there (any more)."""


class Why(StrEnum):
    """What kind of reason it is."""

    EQUIVALENT = "equivalent"
    """Nothing outside can tell it from the original."""
    OPEN = "open"
    """It shows, in what the contract leaves to the server: the words of a message, when something is retried."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Text
    reason: Text


class LeftOut(_Entry):
    """A file that isn't mutated, since no call of the suite reaches it."""


class Reason(_Entry):
    """Why mutants of one line are excused: all of them, or those of an operator, or one."""

    why: Why
    line: Text
    operator: str = ""
    mutated: str = ""
    """Empty: whatever the line has become."""

    def matches(self, mutant: SourceMutant) -> bool:
        """Say whether it speaks of a mutant."""
        return (
            mutant.file == self.file
            and mutant.line == self.line
            and self.operator in {"", mutant.operator}
            and self.mutated in {"", mutant.mutated}
        )


class Reasons(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    left_out: tuple[LeftOut, ...] = ()
    reason: tuple[Reason, ...] = ()

    def mutated_files(self) -> tuple[str, ...]:
        """Return the files that are mutated."""
        out = {entry.file for entry in self.left_out}
        return tuple(name for name in files() if name not in out)

    def of(self, mutant: SourceMutant) -> Reason | None:
        """Return why a mutant is excused; None if it isn't."""
        return next((reason for reason in self.reason if reason.matches(mutant)), None)

    def check(self, population: Sequence[SourceMutant]) -> None:
        """Raises ReasonUnmatched, naming each entry that matches nothing in the whole population."""
        lines = [
            f"{one.file}: `{one.line}`{f' ({one.operator})' if one.operator else ''}"
            for one in self.reason
            if not any(one.matches(mutant) for mutant in population)
        ]
        lines += [f"{one.file}: no such file" for one in self.left_out if one.file not in files()]
        if lines:
            raise ReasonUnmatched(_told(lines))


def read_reasons(path: Path = REASONS) -> Reasons:
    """Read the file. Raises OSError, tomllib.TOMLDecodeError, pydantic.ValidationError."""
    return Reasons.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))


def _told(lines: Iterable[str]) -> str:
    return "these reasons match no mutant; mend them or take them out:\n" + "\n".join(f"  {line}" for line in lines)
