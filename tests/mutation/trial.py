"""One mutant, judged: a process that runs a server with the changed file in it, and the suite against it.

The process is forked from one that has loaded the suite, and none of the server's code: what it loads is the mutant.
"""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from multiprocessing.connection import Connection
from types import ModuleType

from conformance.checks import check_of
from conformance.runner import Options, run
from conformance.verdict import Verdict
from tests.mutation.first import first_requirements
from tests.mutation.generate import ROOT, SourceMutant

PROFILES = (("cloud", False), ("oss", True))
"""What a mutant is judged in: the profile, and whether with fast paths. Without them each request takes its steps."""
JOBS = 4
EVENT_SECONDS = 5.0


class Ending(StrEnum):
    """How a trial ended."""

    KILLED = "killed"
    """A requirement failed."""
    NO_START = "did not start"
    """The file can't be loaded, or no server came of it."""
    TIMEOUT = "timeout"
    """The suite didn't come to an end: something hangs."""
    SURVIVED = "survived"


@dataclass(frozen=True, slots=True)
class Judgement:
    """How a trial ended, by which requirement (or error), and how long it took."""

    ending: Ending
    by: str = ""
    seconds: float = 0.0


def warm() -> None:
    """Load the suite, once for all trials. Raises RuntimeError where the server is loaded already."""
    check_of()
    first_requirements()
    if loaded := [name for name in sys.modules if name.partition(".")[0] == "reference_server"]:
        raise RuntimeError(f"the server's code is loaded before a trial: {loaded[0]}; a mutant would not take effect")
    gc.collect()
    gc.freeze()


def judge(mutant: SourceMutant | None, seconds_max: float) -> Judgement:
    """Judge a mutant in a process of its own; None: the server as it is.

    Args:
        mutant: what is changed.
        seconds_max: after so long the process is ended.
    """
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_trial, args=(mutant, theirs), daemon=True)
    began = time.monotonic()
    process.start()
    theirs.close()
    try:
        ending, by = ours.recv() if ours.poll(seconds_max) else (Ending.TIMEOUT, f"after {seconds_max:.0f} s")
    except EOFError:
        ending, by = Ending.NO_START, "the process ended"
    finally:
        process.kill()
        process.join()
        ours.close()
    return Judgement(ending, by, round(time.monotonic() - began, 2))


def _trial(mutant: SourceMutant | None, theirs: Connection) -> None:
    _quiet()
    if mutant is not None:
        sys.meta_path.insert(0, _Changed(mutant))
    try:
        hosting = import_module("tests.mutants.hosting")
    except Exception as error:  # noqa: BLE001 - whatever a changed file raises while it is loaded
        theirs.send((Ending.NO_START, f"{type(error).__name__}: {error}"[:200]))
        return
    theirs.send(_judged(hosting))


def _judged(hosting: ModuleType) -> tuple[Ending, str]:
    for profile, fast_paths in PROFILES:
        try:
            with hosting.reference(profile, store="memory:", fast_paths=fast_paths) as address:
                # What most wrong servers break is asked first, then everything.
                for chosen in (first_requirements(), ()):
                    if failed := _failing(hosting, address, profile, chosen):
                        return Ending.KILLED, f"{failed[0]} ({profile})"
        except Exception as error:  # noqa: BLE001 - whatever a changed server raises at its start
            return Ending.NO_START, f"{type(error).__name__}: {error}"[:200]
    return Ending.SURVIVED, ""


def _failing(hosting: ModuleType, address: str, profile: str, only: tuple[str, ...]) -> Sequence[str]:
    """Return what failed; a target that is lost, or a suite that stumbles, counts as well."""
    options = Options(
        profile="cloud" if profile == "cloud" else "oss",
        only=only,
        credentials=hosting.CREDENTIALS,
        jobs=JOBS,
        quick=True,
        event_seconds=EVENT_SECONDS,
        strict=True,
        reruns=0,
        first_failure_ends=True,
    )
    report = run(f"grpc://{address}", options)
    untestable = tuple(row.id for row in report.results if row.verdict is Verdict.UNTESTABLE)
    return report.failing() or untestable or ((f"exit code {report.exit_code}",) if report.exit_code else ())


class _Changed(MetaPathFinder, Loader):
    """Loads the changed text in the place of the file."""

    def __init__(self, mutant: SourceMutant) -> None:
        self._name = mutant.file.removesuffix(".py").replace("/", ".")
        self._path = str(ROOT / mutant.file)
        self._text = mutant.text

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return spec_from_file_location(fullname, self._path, loader=self) if fullname == self._name else None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._text, self._path, "exec"), module.__dict__)  # noqa: S102 - that is what a trial is for


def _quiet() -> None:
    """A wrong server says much; nobody reads it."""
    logging.disable(logging.CRITICAL)
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
