"""A run while it goes on: how far it is and what failed so far, judged from as much evidence as there is."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from conformance.checks import check_of
from conformance.evidence import LEAVING, SETUP, WIRE
from conformance.evidence_file import EvidenceUnreadable, large_path, lines_so_far, read_evidence
from conformance.failure_text import TEXT_MAX, cut, problem_line
from conformance.rejudge import OtherCatalogue, judge_run
from conformance.verdict import EVIDENCE_FILE, FAILED, VERDICTS_FILE, Report, Result
from reports.manifest import MANIFEST_FILE

FAILURES_SHOWN = 50
_NO_CHECKS = frozenset({SETUP, WIRE, LEAVING})
_COUNTED = {"exchange": "exchanges", "fact": "facts", "outcome": "outcomes"}


@dataclass(frozen=True, slots=True)
class Failed:
    """One requirement that isn't met so far, and the first problem with it."""

    id: str
    sentence: str
    problem: str


@dataclass(frozen=True, slots=True)
class Progress:
    """One server: how many checks are done of how many, what failed so far, and whether it has its verdicts."""

    name: str
    done: int
    total: int
    failures: tuple[Failed, ...]
    finished: bool


@dataclass(frozen=True, slots=True)
class State:
    """All servers of a run, and whether the run has ended.

    `written_at` is when something was last written, in seconds since 1970; `trouble` why the run can't be looked at.
    """

    servers: tuple[Progress, ...]
    finished: bool
    written_at: float = 0.0
    trouble: str = ""


class Follower:
    """Looks at a run's folder and never writes into it. What hasn't grown since isn't judged again."""

    def __init__(self, directory: Path) -> None:
        """Take the folder of one judged server, or of a whole verification."""
        self._directory = directory
        self._known: dict[Path, tuple[int, Progress]] = {}

    def state(self) -> State:
        """Look again. What can't be read now may be readable later: another run may begin in the folder."""
        try:
            return self._found()
        except EvidenceUnreadable as error:
            return State((), finished=False, trouble=str(error))
        except OSError as error:
            return State((), finished=False, trouble=f"{error.filename}: {error.strerror}")

    def _found(self) -> State:
        folders = list(self._folders())
        written_at = max(((folder / EVIDENCE_FILE).stat().st_mtime for folder in folders), default=0.0)
        servers = tuple(self._progress(folder) for folder in folders)
        whole = not (self._directory / EVIDENCE_FILE).exists()
        ended = (self._directory / MANIFEST_FILE).exists() if whole else all(one.finished for one in servers)
        return State(servers, bool(servers) and ended, written_at)

    def _folders(self) -> Iterator[Path]:
        parent = self._directory / "conformance"
        below = sorted(parent.iterdir()) if parent.is_dir() else []
        yield from (folder for folder in (self._directory, *below) if (folder / EVIDENCE_FILE).exists())

    def _progress(self, folder: Path) -> Progress:
        size = (folder / EVIDENCE_FILE).stat().st_size + (folder / VERDICTS_FILE).exists()
        known = self._known.get(folder)
        if known is None or known[0] != size:
            known = self._known[folder] = (size, progress_of(folder))
        return known[1]


def progress_of(folder: Path) -> Progress:
    """Return how far one server's run is."""
    lines = lines_so_far(folder / EVIDENCE_FILE)
    if not lines or lines[0].get("type") != "header":
        return Progress(folder.name, 0, 0, (), finished=False)
    done = {one["check"] for one in lines if one.get("type") == "outcome"} - _NO_CHECKS
    total = {check_of()[name].id for name in lines[0].get("selection", ()) if name in check_of()}
    report = _judged(folder, lines, done)
    failures = tuple(
        Failed(result.id, result.sentence, _problem(result))
        for result in (report.results if report else ())
        if result.verdict in FAILED
    )
    finished = (folder / VERDICTS_FILE).exists()
    return Progress(folder.name, len(done & total), len(total), failures[:FAILURES_SHOWN], finished)


def _problem(result: Result) -> str:
    return cut(problem_line(result.problems[0]) if result.problems else result.reason, TEXT_MAX)


def _judged(folder: Path, lines: list[dict[str, Any]], done: set[str]) -> Report | None:
    """Judge the checks that are done, on a copy that has an end; None where that can't be told yet."""
    if not done:
        return None
    own = [one for one in lines if one.get("type") in {"header", "footer"} or one.get("check") in done | _NO_CHECKS]
    own = [one for one in own if one.get("type") != "footer"]
    counts = {name: sum(one.get("type") == kind for one in own) for kind, name in _COUNTED.items()}
    footer = {"type": "footer", **counts, "finished_at": "", "complete": False, "reason": "it goes on"}
    footer |= {"features": {}, "leaks": (), "known_failing": (), "judged_on": ""}
    with tempfile.TemporaryDirectory(prefix="parity-follow-") as name:
        copy = Path(name) / EVIDENCE_FILE
        copy.write_bytes(b"".join(orjson.dumps(one) + b"\n" for one in (*own, footer)))
        aside = large_path(folder / EVIDENCE_FILE)
        if aside.exists():
            large_path(copy).write_bytes(aside.read_bytes())
        try:
            return judge_run(read_evidence(copy))
        except (EvidenceUnreadable, OtherCatalogue, KeyError):
            return None
