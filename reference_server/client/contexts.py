"""Contexts: servers that a person works with, each under a name, in one file; one of them is in use.

The file is YAML: `$PARITY_CONFIG`, else `parity/contexts.yaml` in `$XDG_CONFIG_HOME` (`~/.config`). It is made when the
first context is set, readable by its owner alone, as it may hold tokens.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from reference_server.client.failures import BadInput
from reference_server.client.yaml_text import read_yaml, write_yaml
from terminal.system_errors import reason_of

FILE_VARIABLE = "PARITY_CONFIG"
_EMPTY = "parity context set NAME --address HOST:PORT makes one."


class Context(BaseModel):
    """Where a server is and who asks, as far as a context says it; empty: as the options say."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    address: str = ""
    token: str = ""
    token_file: str = ""
    """A file whose first line is the token."""
    tls_ca: str = ""
    org: str = ""
    account: str = ""
    """The identity account that the token stands for."""

    def secret(self) -> str:
        """Return the token, from the file if one is named. Raises BadInput."""
        if not self.token_file:
            return self.token
        path = Path(self.token_file).expanduser()
        try:
            return path.read_text(encoding="utf-8").partition("\n")[0].strip()
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(
                f"token_file {path}: {reason_of(error)}", hint="Correct the context: parity context set."
            ) from error


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    current: str = ""
    contexts: dict[str, Context] = {}


@dataclass(frozen=True, slots=True)
class Contexts:
    """The contexts of a file, and the name of the one in use (empty: none)."""

    path: Path
    current: str = ""
    rows: dict[str, Context] = field(default_factory=dict)

    def get(self, name: str) -> Context:
        """Return the context of a name, that in use for an empty one. Raises BadInput."""
        name = name or self.current
        if not name:
            return Context()
        found = self.rows.get(name)
        if found is None:
            there = f"There are: {', '.join(self.rows)}." if self.rows else _EMPTY
            raise BadInput(f"{self.path}: there is no context {name!r}", hint=there)
        return found

    def with_current(self, name: str) -> Contexts:
        """Return these with another one in use. Raises BadInput."""
        self.get(name)
        return replace(self, current=name)

    def with_context(self, name: str, context: Context) -> Contexts:
        """Return these with a context under a name. The first one is in use."""
        return replace(self, rows={**self.rows, name: context}, current=self.current or name)

    def without(self, name: str) -> Contexts:
        """Return these without one. Raises BadInput."""
        self.get(name)
        rows = {key: row for key, row in self.rows.items() if key != name}
        return replace(self, rows=rows, current="" if self.current == name else self.current)

    def save(self) -> None:
        """Write the file, whole or not at all. Raises OSError."""
        contexts = {name: row.model_dump(exclude_defaults=True) for name, row in self.rows.items()}
        text = write_yaml([{"current": self.current, "contexts": contexts}])
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile("w", dir=self.path.parent, encoding="utf-8", delete=False) as file:
            file.write(text)
        Path(file.name).replace(self.path)


def path_of_contexts() -> Path:
    """Return where the contexts are kept."""
    given = os.environ.get(FILE_VARIABLE, "")
    if given:
        return Path(given)
    home = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(home) if home else Path.home() / ".config") / "parity" / "contexts.yaml"


def read_contexts() -> Contexts:
    """Read the contexts; where there is no file there are none. Raises BadInput."""
    path = path_of_contexts()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Contexts(path)
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: {reason_of(error)}", hint=f"Name another file with {FILE_VARIABLE}.") from error
    try:
        values: list[Any] = [document.value for document in read_yaml(text)]
        file = _File.model_validate(values[0] if values and values[0] is not None else {})
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise BadInput(f"{path}: {where}: {problem['msg']}", hint="Correct it by hand.") from error
    except BadInput as error:
        raise BadInput(f"{path}: {error}", hint=error.hint) from error
    return Contexts(path, file.current, dict(file.contexts))
