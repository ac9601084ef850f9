"""Fill the page's template. All that is foreign passes `visible` and the template's escaping; nothing is trusted."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from reports import numbers, text
from reports.html import charts
from reports.html.palette import DARK, LIGHT, SERIES, declarations
from reports.html.servers import server_charts
from reports.html.startup import startup_chart
from reports.models import Judged, Run
from reports.views import words
from reports.views.answers import answers
from reports.views.attribution import PARTS, WHOLE, attribution
from reports.views.blanks import gaps
from reports.views.claims import ClaimRow, claim_groups
from reports.views.failures import contract_defects, deviations, failures
from reports.views.matrix import Row, create_rows, differences, operation_rows
from reports.views.mending import mending
from reports.views.outcome import outcome
from reports.views.requirements import requirement_groups
from reports.views.servers import compared


def render_page(run: Run) -> str:
    """Return the whole page. The same run gives the same text."""
    style, script = _style(), _asset("page.js")
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            run=run,
            style=Markup(style),  # noqa: S704 - a file of this package
            script=Markup(script),  # noqa: S704 - a file of this package
            policy=_policy(style, script),
            outcome=outcome(run),
            answers=answers(run),
            comparison=compared(run),
            tables=_tables(run),
            stores=_stores(run),
            failures=failures(run),
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


@cache
def _asset(name: str) -> str:
    return files("reports.html").joinpath("assets", name).read_text("utf-8")


@cache
def _style() -> str:
    """The style sheet after the colours: light, dark by the system's wish, and either by the reader's."""
    light, dark = declarations(LIGHT), declarations(DARK)
    series = "".join(
        f".series-{n}{{fill:var(--series-{n});color:var(--series-{n})}}.series-{n}-line{{stroke:var(--series-{n})}}"
        f".key-series-{n}::before{{background:var(--series-{n})}}"
        for n in range(1, SERIES + 1)
    )
    return (
        f":root{{color-scheme:light;{light}}}"
        f"@media screen and (prefers-color-scheme:dark){{:root:not([data-theme=light]){{color-scheme:dark;{dark}}}}}"
        f"@media screen{{:root[data-theme=dark]{{color-scheme:dark;{dark}}}}}"
        f"{series}\n{_asset('page.css')}"
    )


def _policy(style: str, script: str) -> str:
    """Only this style and this script may act: markup that slipped through could still do nothing."""
    hashes = [base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in (style, script)]
    return (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}';"
        " base-uri 'none'; form-action 'none'"
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reports.html", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    named: list[Any] = [
        text.pretty,
        text.one_line,
        text.cut,
        text.anchor,
        numbers.quantity,
        numbers.duration,
        numbers.moment,
    ]
    named += [numbers.times, numbers.counted, numbers.in_form, numbers.spread, numbers.percent, numbers.digits]
    environment.filters |= {function.__name__: function for function in (*named, breakable)}
    environment.globals |= {"sign_of": words.sign_of, "anchor": text.anchor, "words": words}
    return environment


def _finalize(value: Any) -> Any:  # noqa: ANN401 - any value of a template
    return value if isinstance(value, Markup) else text.visible(str(value))


def breakable(value: str) -> Markup:
    """Return text that may be broken before a capital and after a hyphen, plus, slash or underscore."""
    parts = re.split(r"(?<=[a-z])(?=[A-Z])|(?<=[-+/_.])", text.visible(value))
    return Markup("<wbr>").join(escape(part) for part in parts)
