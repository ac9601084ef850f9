"""`parity stores list`: the stores that a URL can name, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from stores.registry import Scheme, schemes, unavailable
from terminal.fitting import wanted, wide_console
from terminal.lines import wrapped

_READABLE = 12
"""Columns that a part of the table has at least."""


class Form(StrEnum):
    """What `-o` takes."""

    TABLE = "table"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Listed:
    """One store: how its URL begins, what it is, its options (default first), and why it can't be opened here."""

    scheme: str
    url: str
    summary: str
    options: dict[str, list[str]]
    available: bool
    reason: str
    install: str


def listed(scheme: Scheme) -> Listed:
    """Return what is told of a scheme."""
    reason = unavailable(scheme) or ""
    options = {
        option.name: [option.default, *(choice for choice in option.choices if choice != option.default)]
        for option in scheme.options
    }
    url = f"{scheme.name}:{scheme.place}" if scheme.needs_path or scheme.is_remote else f"{scheme.name}:"
    return Listed(scheme.name, url, scheme.summary, options, not reason, reason, scheme.install)


def list_stores(
    output: Annotated[Form, typer.Option("--output", "-o", help="table, or json for programs.")] = Form.TABLE,
) -> None:
    """Show the stores that a URL can name, their options, and why one isn't available."""
    rows = [listed(scheme) for scheme in schemes().values()]
    if output is Form.JSON:
        typer.echo(json.dumps([asdict(row) for row in rows], indent=2, ensure_ascii=False))
        return
    table = _table(rows)
    console = wide_console()
    if wanted(table, console, console.options).minimum <= console.width:
        console.print(table, highlight=False)
        return
    for row in rows:
        typer.echo(row.url)
        for told in (row.summary, *_options(row), row.reason or "available"):
            for line in wrapped(told, console.width, "  "):
                typer.echo(line)


def _table(rows: Sequence[Listed]) -> Table:
    """Lay out the stores; what can't be broken at a blank isn't broken."""
    table = Table()
    for heading in ("store", "what it is", "options (default first)", "available"):
        table.add_column(heading, no_wrap=heading != "what it is", min_width=_READABLE)
    for row in rows:
        table.add_row(*map(escape, (row.url, row.summary, "\n".join(_options(row)), row.reason or "yes")))
    return table


def _options(row: Listed) -> list[str]:
    return [f"{name}={'|'.join(choices)}" for name, choices in row.options.items()]
