"""Reading a TOML file that a person wrote: what is wrong is said with file, place and what it should be."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

Content = TypeVar("Content", bound=BaseModel)


def read_toml(path: Path, model: type[Content], invalid: type[Exception]) -> Content:
    """Return the file's content as a model. Raises `invalid` with a message that begins with the path."""
    try:
        return model.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise invalid(f"{path}: {error.strerror}") from error
    except ValidationError as error:  # a ValueError too, so before the next
        raise invalid(f"{path}: {first_problem(error)}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise invalid(f"{path}: not TOML: {error}") from error


def first_problem(error: ValidationError) -> str:
    """Return the first problem as `place: what it should be`; entries of a list are counted from 1."""
    problem = error.errors()[0]
    place = ".".join(str(part) for part in problem["loc"] if part != "[key]")
    for at, part in enumerate(problem["loc"]):
        if isinstance(part, int):
            place = f"entry {part + 1}" + "".join(f".{each}" for each in problem["loc"][at + 1 :])
    told = "is not understood here" if problem["type"] == "extra_forbidden" else problem["msg"]
    return f"{place}: {told.removeprefix('Value error, ').replace('dictionary', 'table')}"
