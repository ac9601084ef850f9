"""The third server as a process, as a target of the suite, and what the suite says of it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.server import processes
from conformance.features import Declaration
from conformance.runner import Options, run
from conformance.verdict import Report
from stores.go_build import find_go
from tests.third_server.build import program
from tests.third_server.defects import DEFECTS

DECLARATION = Declaration(
    {"list": True, "watch": False, "health": True, "reflection": True, "restartable": False}, "oss"
)
"""What it offers. It could be killed and started again, but it keeps nothing, and says so."""
EXPECTED = Path(__file__).with_name("expected.json")
JOBS = 4


def unavailable() -> str:
    """Say why the server can't be run here; empty where it is built, or can be."""
    reason = program().missing()
    return f"{reason}; Go isn't on this machine" if reason and find_go() is None else ""


def command(defects: Iterable[str] = (), port: str = "0") -> list[str]:
    """Return the command line of a server with these defects; builds it if need be.

    Raises KeyError for a defect that doesn't exist, BuildFailed.
    """
    planted = sorted(defects)
    for name in planted:
        DEFECTS[name]  # an unknown name is a mistake of the test
    flags = [word for name in planted for word in ("-defect", name)]
    return [str(program().build()), "-port", port, *flags]


def target(defects: Iterable[str] = ()) -> str:
    """Return the server as a `cmd:` target of the suite. Raises as `command` does."""
    return f"cmd:{shlex.join(command(defects, '{port}'))}".replace("'{port}'", "{port}")


@contextmanager
def started(log: Path, defects: Iterable[str] = ()) -> Iterator[processes.Running]:
    """Run the server for as long as the block lasts; `log` gets its stderr. Raises as `command` does, ServerFailed."""
    with processes.started(command(defects), log) as running:
        yield running


def judge(defects: Iterable[str] = (), only: tuple[str, ...] = (), *, quick: bool = True) -> Report:
    """Run the suite against a server with these defects."""
    # The sets hold all that is done otherwise than the contract says, its choices too.
    options = Options("oss", only, declaration=DECLARATION, jobs=JOBS, quick=quick, strict=True, reruns=0)
    return run(target(defects), options)


def expected() -> dict[str, list[str]]:
    """Return the requirements that each defect alone makes fail."""
    stored: dict[str, list[str]] = json.loads(EXPECTED.read_text(encoding="utf-8"))
    return stored
