"""Which checks reach which lines of the source: recorded once, on the server as it is."""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from hashlib import sha256
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast
from unittest.mock import patch

import orjson
from coverage import Coverage

from conformance import runner
from conformance.check import Check
from conformance.checks import all_checks
from conformance.session import Session
from tests.mutation.functions import ROOT
from tests.mutation.generate import SourceMutant, files
from tests.mutation.settings import SETTINGS, Setting
from tests.mutation.trial import failing_again, options_of, quiet

RECORD = ROOT / "out" / "mutation" / "reach.json"
FOUNDING = "founding"
"""What a run asks before its first check."""
START = ""
"""What runs while the server is loaded and started: for all checks at once."""
RECORD_SECONDS_MAX = 1200.0

Lines = Mapping[str, Mapping[str, list[str]]]
"""By file, by line (counted from 1, as text): the checks whose exchanges run it."""


class Reach:
    """What was recorded, by the name of the setting."""

    def __init__(self, lines: Mapping[str, Lines]) -> None:
        self._lines = lines

    def of(self, mutant: SourceMutant, setting: Setting) -> frozenset[str]:
        """Return the ids of the checks that run the function that is changed, and `START` where the start does."""
        return self._between(mutant.file, setting, *mutant.place[1:])

    def at(self, mutant: SourceMutant, setting: Setting) -> frozenset[str]:
        """Return the ids of the checks that run the very lines."""
        return self._between(mutant.file, setting, *mutant.lines)

    def _between(self, file: str, setting: Setting, first: int, last: int) -> frozenset[str]:
        lines = self._lines[setting.name].get(file, {})
        return frozenset(name for line in range(first, last + 1) for name in lines.get(str(line), ()))


def reach(path: Path = RECORD) -> Reach:
    """Read what was recorded for this source and this suite; record it where it wasn't. Raises RuntimeError."""
    stamp = suite_hash(*files())
    if path.exists():
        kept = orjson.loads(path.read_bytes())
        if kept["stamp"] == stamp:
            return Reach(kept["lines"])
    lines = {setting.name: _record(setting) for setting in SETTINGS}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps({"stamp": stamp, "lines": lines}))
    return Reach(lines)


def suite_hash(*names: str) -> str:
    """Return the hash of the suite's source, and of that of other files of the repository."""
    suite = (path for ending in ("py", "toml") for path in sorted((ROOT / "conformance").rglob(f"*.{ending}")))
    found = sha256()
    for path in (*suite, *(ROOT / name for name in names)):
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


def _record(setting: Setting) -> Lines:
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_recorded, args=(setting, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(RECORD_SECONDS_MAX):
            raise RuntimeError(f"recording what reaches what ({setting.name}) took over {RECORD_SECONDS_MAX:.0f} s")
        failing, lines = ours.recv()
    except EOFError:
        raise RuntimeError(f"recording what reaches what ({setting.name}) ended without a result") from None
    finally:
        process.kill()
        process.join()
    if failing:
        raise RuntimeError(f"the server as it is fails {', '.join(failing)} ({setting.name}); mend that first")
    return cast("Lines", lines)


def _recorded(setting: Setting, theirs: Connection) -> None:
    quiet()
    with TemporaryDirectory(prefix="reach-") as folder:
        coverage = Coverage(
            data_file=f"{folder}/data", config_file=False, include=[str(ROOT / name) for name in files()]
        )
        coverage.start()
        with setting.served() as address, _noting(coverage):
            coverage.switch_context(FOUNDING)
            report = runner.run(f"grpc://{address}", replace(options_of(setting), jobs=1, first_failure_ends=False))
        coverage.stop()
        failing = failing_again(setting, report.failing())
        coverage.save()
        data = coverage.get_data()
        lines = {
            Path(name).relative_to(ROOT).as_posix(): {
                str(line): sorted(contexts) for line, contexts in data.contexts_by_lineno(name).items()
            }
            for name in data.measured_files()
        }
        theirs.send((failing, lines))


def _noting(coverage: Coverage) -> AbstractContextManager[object]:
    """Let each check say that it begins; one runs at a time, and is cleaned up after before the next."""

    def noted(each: Check) -> Check:
        def exercise(session: Session) -> None:
            coverage.switch_context(each.id)
            each.exercise(session)

        return replace(each, exercise=exercise)

    return patch.object(runner, "all_checks", return_value=tuple(noted(each) for each in all_checks()))
