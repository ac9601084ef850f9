"""The two tables of conformance: create steps x servers, and the other operations x servers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from conformance.verdict import (
    CLOUD_ONLY_STEPS,
    CREATE_STEPS,
    FAILED,
    HELD,
    WORST_FIRST,
    Level,
    Report,
    Result,
    Verdict,
    step_table,
)
from reports.models import Judged, Run

CREATE = "agent.create"
WHOLE_CREATE = "create, as a whole"
"""Requirements on create that belong to no single step: order, atomicity, races."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What one server did for one row. `verdict` None: nothing in the run speaks of it.

    `passed` of `total` MUST requirements that apply; `should_failed` counts failed SHOULDs; `red` names the
    requirements that aren't green. `exists` is False where the profile has no such step.
    """

    verdict: Verdict | None
    passed: int = 0
    total: int = 0
    should_failed: int = 0
    red: tuple[str, ...] = ()
    exists: bool = True

    @property
    def holds(self) -> bool:
        """Whether all that was asked here holds, and something was, or nothing applies."""
        return (self.verdict in HELD or self.verdict is Verdict.NOT_APPLICABLE) and not self.should_failed


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
            verdict = (cell.verdict or Verdict.NOT_RUN).replace("_", " ")
            what = f"{cell.should_failed} SHOULD not met" if cell.verdict in HELD else verdict
            where.setdefault(what, []).append(f"{one.store} {one.profile}")
    told = "; ".join(f"{what} on {', '.join(names)}" for what, names in where.items())
    return f"{row.name}: {told}"


def create_rows(run: Run) -> tuple[Row, ...]:
    """Return the steps of create, in order, whatever was run."""
    columns = [_step_cells(one) for one in run.judged]
    return tuple(Row(step, tuple(column[step] for column in columns)) for step in CREATE_STEPS)


def _step_cells(judged: Judged) -> dict[str, Cell]:
    report = judged.report
    return {row.step: _step_cell(report, row.step, row.verdict) for row in step_table(report.results)}


def _step_cell(report: Report, step: str, verdict: Verdict) -> Cell:
    rows = [result for result in report.results if result.step == step]
    if not rows or all(row.verdict is Verdict.NOT_APPLICABLE for row in rows):
        missing = report.run.profile == "oss" and step in CLOUD_ONLY_STEPS
        return Cell(Verdict.NOT_APPLICABLE if rows or missing else None, exists=not missing)
    return _cell(rows, verdict)


def operation_rows(run: Run) -> tuple[Row, ...]:
    """Return everything but the create steps: create as a whole first, then each operation as it first comes up."""
    found: dict[str, list[list[Result]]] = {}
    for index, judged in enumerate(run.judged):
        for result in judged.report.results:
            if result.step in CREATE_STEPS:
                continue
            found.setdefault(name_of(result), [[] for _ in run.judged])[index].append(result)
    ordered = sorted(found.items(), key=lambda item: item[0] != WHOLE_CREATE)
    return tuple(Row(name, tuple(_operation_cell(rows) for rows in columns)) for name, columns in ordered)


def _operation_cell(rows: Sequence[Result]) -> Cell:
    if not rows:
        return Cell(None)
    verdicts = {row.verdict for row in rows if row.level is Level.MUST} or {row.verdict for row in rows}
    return _cell(rows, next(verdict for verdict in WORST_FIRST if verdict in verdicts))


def _cell(rows: Sequence[Result], verdict: Verdict) -> Cell:
    applicable = [row for row in rows if row.verdict is not Verdict.NOT_APPLICABLE]
    musts = [row for row in applicable if row.level is Level.MUST]
    counted = musts or applicable
    return Cell(
        verdict=verdict,
        passed=sum(row.verdict in HELD for row in counted),
        total=len(counted),
        should_failed=sum(row.level is Level.SHOULD and row.verdict in FAILED for row in applicable),
        red=tuple(row.id for row in applicable if row.verdict not in HELD),
    )
