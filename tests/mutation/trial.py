"""One mutant, judged: a process that runs a server with the changed file in it, and the suite against it.

The process is forked from one that has loaded the suite and all packages, and none of the server's code: what it loads
is the mutant. What fails has to fail again on another server of the same mutant: a busy machine kills nothing.
"""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import resource
import sys
from collections.abc import Mapping, Sequence
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
from tests.mutation.functions import ROOT
from tests.mutation.generate import SourceMutant
from tests.mutation.settings import SETTINGS, Setting

JOBS = 4
EVENT_SECONDS = 5.0
CONFIRMED_MAX = 3
"""So many of the requirements that fail are asked again."""
LOST = "the server was lost"

Plan = Mapping[str, Sequence[Sequence[str]]]
"""By the setting's name: the requirements to ask, one group after the other. An empty group asks for all."""


class Ending(StrEnum):
    """How a trial ended."""

    KILLED = "killed"
    """A requirement failed, and failed again."""
    NO_START = "did not start"
    """The file can't be loaded, or no server came of it."""
    TIMEOUT = "timeout"
    """The suite didn't come to an end, twice: something hangs."""
    SURVIVED = "survived"


@dataclass(frozen=True, slots=True)
class Judgement:
    """How a trial ended, by which requirement (or error), and how much processor time it took."""

    ending: Ending
    by: str = ""
    cpu_seconds: float = 0.0


def warm() -> None:
    """Load the suite, and the packages that the server needs, once for all trials; the server's own code is let go."""
    check_of()
    import_module("tests.mutants.hosting")
    for name in [name for name in sys.modules if name.partition(".")[0] == "reference_server"]:
        del sys.modules[name]
    del sys.modules["tests.mutants.hosting"]
    gc.collect()
    gc.freeze()


def judge(mutant: SourceMutant | None, plan: Plan, seconds_max: float) -> Judgement:
    """Judge a mutant in a process of its own; None: the server as it is.

    Args:
        mutant: what is changed.
        plan: what is asked; a setting that isn't in it is left out.
        seconds_max: after so long the process is ended, and it is tried once more with twice the time.
    """
    before = _cpu_seconds()
    ending, by = _tried(mutant, plan, seconds_max)
    if ending is Ending.TIMEOUT:
        ending, by = _tried(mutant, plan, 2 * seconds_max)
    return Judgement(ending, by, round(_cpu_seconds() - before, 2))


def _tried(mutant: SourceMutant | None, plan: Plan, seconds_max: float) -> tuple[Ending, str]:
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_trial, args=(mutant, plan, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        ended: tuple[Ending, str] = (
            ours.recv() if ours.poll(seconds_max) else (Ending.TIMEOUT, f"after {seconds_max:.0f} s")
        )
    except EOFError:
        ended = Ending.NO_START, "the process ended"
    finally:
        process.kill()
        process.join()
        ours.close()
    return ended


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _trial(mutant: SourceMutant | None, plan: Plan, theirs: Connection) -> None:
    quiet()
    if mutant is not None:
        sys.meta_path.insert(0, _Changed(mutant))
    try:
        import_module("tests.mutants.hosting")
    except Exception as error:  # noqa: BLE001 - whatever a changed file raises while it is loaded
        theirs.send((Ending.NO_START, _told(error)))
        return
    theirs.send(_judged(plan))


def _judged(plan: Plan) -> tuple[Ending, str]:
    for setting in SETTINGS:
        for group in plan.get(setting.name, ()):
            try:
                killer = _killer(setting, group)
            except Exception as error:  # noqa: BLE001 - whatever a changed server raises at its start
                return Ending.NO_START, _told(error)
            if killer:
                return Ending.KILLED, f"{killer} ({setting.name})"
    return Ending.SURVIVED, ""


def _killer(setting: Setting, group: Sequence[str]) -> str:
    """Return a requirement of a group that fails, and fails again; empty: there is none.

    Where the first failure was none, the group is asked again to its end: what stood behind it had no chance.
    """
    for ends in (True, False):
        failing = _failing(setting, group, first_failure_ends=ends)
        if not failing:
            return ""
        again = failing_again(setting, failing, group)
        if again:
            return again[0]
    return ""


def failing_again(setting: Setting, failing: Sequence[str], group: Sequence[str] = ()) -> tuple[str, ...]:
    """Return which of the requirements that failed fail on another server too; a lost one was asked a whole group."""
    if not failing:
        return ()
    asked = group if LOST in failing else failing[:CONFIRMED_MAX]
    found = _failing(setting, asked, first_failure_ends=False)
    return tuple(name for name in failing if name in found)


def _failing(setting: Setting, group: Sequence[str], *, first_failure_ends: bool) -> tuple[str, ...]:
    """Return the requirements that fail on a new server, or `LOST`. What can't be tested is no failure."""
    with setting.served() as address:
        options = options_of(setting, tuple(group), first_failure_ends=first_failure_ends)
        report = run(f"grpc://{address}", options)
    return report.failing() or (() if report.run.complete else (LOST,))


def options_of(setting: Setting, only: tuple[str, ...] = (), *, first_failure_ends: bool = True) -> Options:
    """Return how the suite asks a server of a setting."""
    return Options(
        profile=setting.profile,
        only=only,
        credentials=setting.credentials,
        jobs=JOBS,
        quick=True,
        event_seconds=EVENT_SECONDS,
        strict=True,
        reruns=0,
        first_failure_ends=first_failure_ends,
    )


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]


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


def quiet() -> None:
    """A wrong server says much; nobody reads it."""
    logging.disable(logging.CRITICAL)
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
