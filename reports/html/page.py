"""The page of a run: what each part of its template shows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Any

from reports.html import charts
from reports.html.servers import server_charts
from reports.html.shell import render
from reports.html.startup import startup_chart
from reports.models import Judged, Run
from reports.views import words
from reports.views.answers import answers
from reports.views.attribution import PARTS, WHOLE, attribution
from reports.views.blanks import gaps
from reports.views.claims import ClaimRow, claim_groups
from reports.views.failures import blocks, contract_defects, deviations, failures
from reports.views.matrix import Row, create_rows, differences, operation_rows
from reports.views.mending import mending
from reports.views.outcome import outcome
from reports.views.requirements import requirement_groups
from reports.views.servers import compared


def render_page(run: Run) -> str:
    """Return the whole page. The same run gives the same text."""
    return render(
        "page.html.j2",
        run=run,
        outcome=outcome(run),
        answers=answers(run),
        comparison=compared(run),
        tables=_tables(run),
        stores=_stores(run),
        failures=failures(run),
        blocks=blocks(run),
        deviations=deviations(run),
        contract_defects=contract_defects(run),
        requirements=requirement_groups(run),
        claims=claim_groups(run),
        attribution=attribution(run),
        parts=(*PARTS, WHOLE),
        charts=_charts(run),
        gaps=gaps(run),
        mending=mending(run),
    )


@dataclass(frozen=True, slots=True)
class _Table:
    """A matrix: what holds everywhere is `folded` away, with how many rows weren't asked at all."""

    id: str
    title: str
    corner: str
    rows: tuple[Row, ...]
    folded: tuple[Row, ...]
    unasked: int
    differences: tuple[str, ...]


def _tables(run: Run) -> list[_Table]:
    return [
        _table(run, "create", "Create, step by step", "Step", create_rows(run)),
        _table(run, "operations", "All other operations", "Operation", operation_rows(run)),
    ]


def _table(run: Run, name: str, title: str, corner: str, rows: tuple[Row, ...]) -> _Table:
    """The steps of create stay together, since their order tells; of other operations only what differs is open."""
    asked = tuple(row for row in rows if row.asked)
    holding = tuple(row for row in asked if row.holds)
    folded = holding if name != "create" or len(holding) == len(asked) else ()
    shown = tuple(row for row in asked if row not in folded)
    return _Table(name, title, corner, shown, folded, len(rows) - len(asked), differences(asked, run.judged))


def _stores(run: Run) -> list[tuple[str, list[Judged]]]:
    """Neighbouring columns of one store share a heading."""
    return [(store, list(columns)) for store, columns in groupby(run.judged, key=lambda one: one.store)]


def _charts(run: Run) -> dict[str, Any]:
    results = run.benchmarks
    if results is None:
        return {"claims": None, "others": []}
    if compared(run):
        return {"claims": None, "others": server_charts(results)}
    startup = startup_chart(results)
    others = [*charts.latency_charts(results), *charts.bar_charts(results), *([startup] if startup else [])]
    command = results.raw.configuration.command
    return {"claims": charts.claims_chart(claim_groups(run), _claim_sign, command), "others": others}


def _claim_sign(row: ClaimRow) -> words.Sign:
    return words.CLAIMS[row.judged.verdict]
