"""`run.json`: what a whole verification was made of. The command line writes it; this reads what a report shows.

Fields that a report has no use for are ignored, so the file can grow.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from reports.errors import RunUnreadable

FORMAT = 1
"""Version of `run.json`; a reader refuses another."""
MANIFEST_FILE = "run.json"


@dataclass(frozen=True, slots=True)
class Proof:
    """One run of the suite: its subject, its folder below the run's, the command that repeats it, how it ended."""

    store: str
    profile: str
    directory: str
    command: str = ""
    exit_code: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A store that was not proven, and why."""

    store: str
    reason: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The run as a whole. Times are RFC 3339 in UTC."""

    command: str
    started_at: str
    finished_at: str = ""
    speed: str = ""
    seconds: float = 0.0
    system: str = ""
    python: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    conformance: tuple[Proof, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    benchmarks_command: str = ""
    benchmarks_exit_code: int | None = None
    corpus: str = ""
    exit_code: int | None = None
    format: int = FORMAT

    def proof_in(self, directory: str) -> Proof | None:
        """Return the proof whose results stand in a folder (its path below the run's, with slashes)."""
        return next((proof for proof in self.conformance if proof.directory.replace("\\", "/") == directory), None)


def read_manifest(path: Path) -> Manifest:
    """Read `run.json`. Raises RunUnreadable when it is damaged or of another format."""
    manifest: Manifest = read_json(path, TypeAdapter(Manifest), "a manifest")
    if manifest.format != FORMAT:
        hint = "run the verification again with this version"
        raise RunUnreadable(f"{path}: format {manifest.format}, this version reads {FORMAT}", hint=hint)
    return manifest


def read_json(path: Path, kind: TypeAdapter[Any], what: str) -> Any:  # noqa: ANN401 - the adapter knows the type
    """Read one JSON file as a value of a type. Raises RunUnreadable naming the file and the field."""
    try:
        return kind.validate_json(path.read_bytes())
    except OSError as error:
        raise RunUnreadable(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"]) or "the file"
        hint = "the run broke off or the file was changed; run the verification again"
        raise RunUnreadable(f"{path}: not {what}: {where}: {first['msg']}", hint=hint) from error
