"""Puts loads on servers from processes of their own: the generator's own core and interpreter.

Where more than two cores are there, several processes share a load, so that what is measured is the server. They go
through their turns in step: each says `ready` before a turn, and all are told `go` at once.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from pydantic import TypeAdapter

from benchmarks.server.load import LoadFailed, LoadPlan, LoadReport, OperationReport
from benchmarks.server.turns import GO, TurnsPlan
from benchmarks.server.watching import ARRIVAL_S, WatchPlan, WatchReport

PROCESSES_MAX = 4
_CORES_KEPT = 1
"""For the server."""
_SPARE_S = 90.0
_TAIL = 500
_PLAN, _REPORTS = TypeAdapter(TurnsPlan), TypeAdapter(list[LoadReport])
_WATCH_PLAN, _WATCH_REPORT = TypeAdapter(WatchPlan), TypeAdapter(WatchReport)


def processes_here() -> int:
    """Return how many processes a load is made by on this machine."""
    return min(PROCESSES_MAX, max(1, (os.cpu_count() or 1) - _CORES_KEPT))


def run_in_process(plan: LoadPlan) -> LoadReport:
    """Run one load of one turn. Raises LoadFailed."""
    (report,) = run_turns_in_processes(TurnsPlan((plan,)))
    return report


def run_turns_in_processes(plan: TurnsPlan, processes: int | None = None) -> list[LoadReport]:
    """Run loads in turns and return their reports, in order. Raises LoadFailed.

    `processes`: how many make each load; None: as many as this machine has cores for.
    """
    fewest = min(load.concurrency for load in plan.loads)
    parts = _parts(plan, max(1, min(processes or processes_here(), fewest)))
    with ExitStack() as stack:
        children = [stack.enter_context(_child(part)) for part in parts]
        for _ in range(plan.turns * len(plan.loads)):
            for child in children:
                child.read()  # READY
            for child in children:
                child.write(GO)
        told = [_REPORTS.validate_json(child.read()) for child in children]
    return [_together(reports) for reports in zip(*told, strict=True)]


@contextmanager
def _child(plan: TurnsPlan) -> Iterator[_Child]:
    """Start a generator; it is killed when it takes much longer than its loads last."""
    command = [sys.executable, "-m", "benchmarks.children.load"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        watchdog = threading.Timer(plan.seconds + _SPARE_S, process.kill)
        watchdog.start()
        try:
            child = _Child(process)
            child.write(_PLAN.dump_json(plan) + b"\n")
            yield child
        finally:
            watchdog.cancel()
            process.kill()


class _Child:
    """One generator, from the outside."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin and process.stdout and process.stderr  # noqa: PT018, S101 - for mypy: all are pipes
        self._process, self._stdin, self._stdout, self._stderr = process, process.stdin, process.stdout, process.stderr

    def write(self, data: bytes) -> None:
        try:
            self._stdin.write(data)
            self._stdin.flush()
        except BrokenPipeError:
            raise self._died() from None

    def read(self) -> bytes:
        line = self._stdout.readline()
        if not line:
            raise self._died()
        return line

    def _died(self) -> LoadFailed:
        self._process.kill()
        said = self._stderr.read().decode(errors="replace").strip()[-_TAIL:]
        return LoadFailed(said or "the generator died, or a load did not end in time")


def run_watch(plan: WatchPlan) -> WatchReport:
    """Watch from a process of its own. Raises LoadFailed."""
    command = [sys.executable, "-m", "benchmarks.children.watch"]
    seconds = plan.creates * ARRIVAL_S + _SPARE_S
    try:
        done = subprocess.run(
            command, input=_WATCH_PLAN.dump_json(plan), capture_output=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise LoadFailed(f"{plan.address}: {plan.watchers} watchers did not end") from error
    if done.returncode:
        raise LoadFailed(done.stderr.decode(errors="replace").strip()[-_TAIL:] or "the watchers' process died")
    return _WATCH_REPORT.validate_json(done.stdout)


# ---- one load by several


def _parts(plan: TurnsPlan, processes: int) -> list[TurnsPlan]:
    return [
        replace(plan, loads=tuple(_part(load, place, processes) for load in plan.loads)) for place in range(processes)
    ]


def _part(load: LoadPlan, place: int, of: int) -> LoadPlan:
    """Return one process's part of a load: its share of callers, rate or calls, and names of its own."""
    if of == 1:
        return load
    return replace(
        load,
        traffic=tuple(replace(each, unique=f"{each.unique}-{place}" if each.unique else "") for each in load.traffic),
        concurrency=_share(load.concurrency, place, of),
        rate=None if load.rate is None else load.rate / of,
        calls=None if load.calls is None else _share(load.calls, place, of),
        seed=load.seed * PROCESSES_MAX + place,
        samples_kept=-(-load.samples_kept // of),
    )


def _share(count: int, place: int, of: int) -> int:
    return count // of + (place < count % of)


def _together(reports: Sequence[LoadReport]) -> LoadReport:
    """Return one report of a load that several made; its headroom is the least of theirs."""
    whole = LoadReport(
        seconds=max(report.seconds for report in reports),
        busy_seconds=max(report.busy_seconds for report in reports),
        aftermath_seconds=max(report.aftermath_seconds for report in reports),
        late=sum(report.late for report in reports),
        dropped=sum(report.dropped for report in reports),
    )
    for report in reports:
        for operation, part in report.operations.items():
            _add(whole.operations.setdefault(operation, OperationReport()), part)
    return whole


def _add(whole: OperationReport, part: OperationReport) -> None:
    whole.completed += part.completed
    whole.service_us += part.service_us
    whole.response_us += part.response_us
    whole.samples += part.samples
    for status, count in part.statuses.items():
        whole.statuses[status] = whole.statuses.get(status, 0) + count
