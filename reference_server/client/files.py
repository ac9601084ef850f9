"""Which files `-f` means, and the resources in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reference_server.client.documents import STANDARD_INPUT, read_resources
from reference_server.client.failures import BadInput
from reference_server.client.kinds import Kind

_ENDINGS = frozenset({".yaml", ".yml", ".json"})
_PATTERN = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Found:
    """A resource of a file."""

    kind: Kind
    resource: Any


def resources_in(names: Sequence[str], kind: Kind | None, *, recursive: bool = False) -> list[Found]:
    """Return the resources of files, folders and patterns, in their order; all are read before anything is done.

    Without `kind` each says its own. Raises BadInput.
    """
    if not names:
        raise BadInput("nothing says which resources", hint="Give -f FILE, -f FOLDER or -f - (standard input).")
    files = [file for name in names for file in _files(name, recursive=recursive)]
    return [Found(each, resource) for file in files for each, resource in read_resources(file, kind)]


def _files(name: str, *, recursive: bool) -> Iterator[str]:
    path = Path(name)
    if name == STANDARD_INPUT or path.is_file() or "\0" in name:
        yield name
    elif "://" in name:
        raise BadInput(f"{name}: is an address of the web", hint="Fetch it yourself, look at it, and give the file.")
    elif path.is_dir():
        found = sorted(path.rglob("*") if recursive else path.iterdir())
        chosen = [str(file) for file in found if file.suffix in _ENDINGS and file.is_file()]
        if not chosen:
            inside = "" if recursive else "; -R looks into folders inside, too"
            raise BadInput(f"{name}: holds no .yaml, .yml or .json file{inside}")
        yield from chosen
    elif _PATTERN & set(name):
        matching = sorted(str(file) for file in Path(path.anchor).glob(str(path.relative_to(path.anchor))))
        if not matching:
            raise BadInput(f"{name}: fits no file")
        yield from matching
    else:
        yield name
