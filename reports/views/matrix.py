"""The two tables of conformance: create steps x servers, and the other operations x servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from conformance.verdict import (
    CLOUD_ONLY_STEPS,
    CREATE_STEPS,
    FAILED,
    HELD,
    Level,
    Report,
    Result,
    Verdict,
    blocked_elsewhere,
    worst_verdict,
)
from reports.models import Judged, Run

CREATE = "agent.create"
WHOLE_CREATE = "create, as a whole"
"""Requirements on create that belong to no single step: order, atomicity, races."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What one server did for one row. `verdict` None: nothing in the run speaks of it.

    `passed` of `total` MUST requirements that apply; `should_failed` counts failed SHOULDs; `red` names the
    requirements that aren't green. `blocked` names those that could not be asked because of failures of other rows:
    they speak neither for this one nor against it. `exists` is False where the profile has no such step.
    """

    verdict: Verdict | None
    passed: int = 0
    total: int = 0
    should_failed: int = 0
    red: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    exists: bool = True

    @property
    def holds(self) -> bool:
        """Whether all that was to be asked here was and holds, and something was, or nothing applies."""
        holds = self.verdict in HELD or self.verdict is Verdict.NOT_APPLICABLE
        return holds and not self.should_failed and not self.blocked


@dataclass(frozen=True, slots=True)
class Row:
    """One step or operation with a cell per server, in the order of the run's servers."""

    name: str
    cells: tuple[Cell, ...]

    @property
    def holds(self) -> bool:
        """Whether it holds on every server."""
        return all(cell.holds for cell in self.cells)

    @property
    def asked(self) -> bool:
        """Whether the run speaks of it at all."""
        return any(cell.verdict not in {None, Verdict.NOT_APPLICABLE} for cell in self.cells)


def name_of(result: Result) -> str:
    """Return the name of the row that a result counts in."""
    if result.step in CREATE_STEPS:
        return result.step
    return WHOLE_CREATE if result.operation == CREATE else result.operation


def differences(rows: Sequence[Row], judged: Sequence[Judged]) -> tuple[str, ...]:
    """Return a sentence for each row that holds on some servers and not on others: where it doesn't."""
    return tuple(_difference(row, judged) for row in rows if not row.holds and any(cell.holds for cell in row.cells))


def _difference(row: Row, judged: Sequence[Judged]) -> str:
    where: dict[str, list[str]] = {}
    for cell, one in zip(row.cells, judged, strict=True):
        if not cell.holds:
            where.setdefault(_shortcoming(cell), []).append(f"{one.store} {one.profile}")
    told = "; ".join(f"{what} on {', '.join(names)}" for what, names in where.items())
    return f"{row.name}: {told}"


def _shortcoming(cell: Cell) -> str:
    if cell.verdict not in HELD:
        return (cell.verdict or Verdict.NOT_RUN).replace("_", " ")
    return f"{cell.should_failed} SHOULD not met" if cell.should_failed else f"{len(cell.blocked)} blocked"


def create_rows(run: Run) -> tuple[Row, ...]:
    """Return the steps of create, in order, whatever was run."""
    columns = [_step_cells(one) for one in run.judged]
    return tuple(Row(step, tuple(column[step] for column in columns)) for step in CREATE_STEPS)


def _step_cells(judged: Judged) -> dict[str, Cell]:
    return {step: _step_cell(judged.report, step) for step in CREATE_STEPS}


def _step_cell(report: Report, step: str) -> Cell:
    rows = [result for result in report.results if result.step == step]
    if not rows or all(row.verdict is Verdict.NOT_APPLICABLE for row in rows):
        missing = report.run.profile == "oss" and step in CLOUD_ONLY_STEPS
        return Cell(Verdict.NOT_APPLICABLE if rows or missing else None, exists=not missing)
    musts = [row for row in rows if row.level is Level.MUST]
    return _cell(step, rows, musts, {row.id: row.step for row in report.results})


def operation_rows(run: Run) -> tuple[Row, ...]:
    """Return everything but the create steps: create as a whole first, then each operation as it first comes up."""
    found: dict[str, list[list[Result]]] = {}
    places = [{result.id: name_of(result) for result in one.report.results} for one in run.judged]
    for index, judged in enumerate(run.judged):
        for result in judged.report.results:
            if result.step in CREATE_STEPS:
                continue
            found.setdefault(name_of(result), [[] for _ in run.judged])[index].append(result)
    ordered = sorted(found.items(), key=lambda item: item[0] != WHOLE_CREATE)
    return tuple(Row(name, tuple(map(partial(_operation_cell, name), columns, places))) for name, columns in ordered)


def _operation_cell(name: str, rows: Sequence[Result], place_of: Mapping[str, str]) -> Cell:
    if not rows:
        return Cell(None)
    return _cell(name, rows, [row for row in rows if row.level is Level.MUST] or rows, place_of)


def _cell(name: str, rows: Sequence[Result], speaking: Sequence[Result], place_of: Mapping[str, str]) -> Cell:
    """Return the cell of a row: its verdict is the worst of those requirements that speak for it."""
    applicable = [row for row in rows if row.verdict is not Verdict.NOT_APPLICABLE]
    blocked = blocked_elsewhere(applicable, name, place_of)
    own = [row for row in applicable if row.id not in blocked]
    counted = [row for row in applicable if row.level is Level.MUST] or applicable
    return Cell(
        verdict=worst_verdict(speaking, blocked),
        passed=sum(row.verdict in HELD for row in counted),
        total=len(counted),
        should_failed=sum(row.level is Level.SHOULD and row.verdict in FAILED for row in own),
        red=tuple(row.id for row in own if row.verdict not in HELD),
        blocked=blocked,
    )
